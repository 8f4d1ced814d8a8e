//! Whom a container's process runs as.

use super::Context;
use super::effective::containers;
use crate::fault::{Fault, quoted};
use crate::model::Id;

fn is_root(id: &Id) -> bool {
    match id {
        Id::Number(number) => *number == 0,
        // Any other name is a container's, whose number begins at 100.
        Id::Name(name) => matches!(name.as_str(), "" | "root"),
    }
}

pub(super) fn root_user(context: &Context<'_>, found: &mut Vec<Fault>) {
    for container in containers(context) {
        let uid = container.value(|options| options.uid.as_ref());
        let in_own_users = container.text(|options| &options.userns).is_some();
        if in_own_users || uid.is_some_and(|(id, _)| !is_root(id)) {
            continue;
        }
        let (path, doubt) = match uid {
            Some((_, origin)) => (container.at("uid", origin), ""),
            None => (container.path.clone(), container.unless()),
        };
        let message = format!("the container {} runs as root{doubt}", container.name());
        let help = "set `uid` and `gid`; a container's name stands for a number of its own";
        found.push(Fault::new(path, message).help(help));
    }
}

pub(super) fn ignored_user(context: &Context<'_>, found: &mut Vec<Fault>) {
    for container in containers(context) {
        let Some(image) = container.image else {
            continue;
        };
        let user = image.user.split(':').next().unwrap_or_default();
        if matches!(user, "" | "root") || user.parse() == Ok(0_u32) {
            continue;
        }
        // Whoever writes a number has thought of it.
        if container.value(|options| options.uid.as_ref()).is_some() {
            continue;
        }
        let message = format!(
            "the image of the container {} wants the user {}, and runs as root: LinuxKit ignores an image's user",
            container.name(),
            quoted(&image.user)
        );
        let help = "set `uid` and `gid` to the numbers that it means";
        found.push(Fault::new(format!("{}.image", container.path), message).help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_by_number_and_name() {
        for (id, expected) in [
            (Id::Number(0), true),
            (Id::Name(String::new()), true),
            (Id::Name("root".into()), true),
            (Id::Number(65_534), false),
            (Id::Number(-1), false),
            (Id::Name("web".into()), false),
        ] {
            assert_eq!(is_root(&id), expected, "{id:?}");
        }
    }
}
