//! `binds`, `tmpfs` and `mounts`.

use super::{Check, join};
use crate::fault::{Fault, quoted};
use crate::model::Mount;
use crate::suggest::nearest;

impl Check<'_> {
    /// `used`: whether the list ends up in the container; volumes must be there in any case.
    pub(super) fn binds(&mut self, path: &str, key: &str, binds: Option<&[String]>, used: bool) {
        for (index, bind) in binds.unwrap_or_default().iter().enumerate() {
            let path = format!("{}[{index}]", join(path, key));
            if self.broken(&path) {
                continue;
            }
            let parts: Vec<&str> = bind.split(':').collect();
            match parts[..] {
                [source, _] => self.volume_use(&path, source, None),
                [source, _, options] => self.volume_use(&path, source, Some(options)),
                [source, ..] if !used => self.volume_use(&path, source, parts.get(2).copied()),
                [_] => {
                    let message = format!("the bind mount {} has no destination", quoted(bind));
                    self.fault(
                        Fault::new(path, message)
                            .help("write `SOURCE:DESTINATION` or `SOURCE:DESTINATION:OPTIONS`"),
                    );
                }
                _ => {
                    let message = format!("the bind mount {} has too many `:`", quoted(bind));
                    self.fault(
                        Fault::new(path, message).help(
                            "write `SOURCE:DESTINATION:OPTIONS`, options separated by commas",
                        ),
                    );
                }
            }
        }
    }

    /// A source without a leading `/` is a volume.
    fn volume_use(&mut self, path: &str, source: &str, options: Option<&str>) {
        let Some(names) = &self.names else {
            return;
        };
        if source.starts_with('/') {
            return;
        }
        let fault = match names.volumes.get(source) {
            Some(false) => return,
            Some(true) if options == Some("ro") => return,
            Some(true) => Fault::new(
                path,
                format!(
                    "the volume {} is read-only and mounted writable",
                    quoted(source)
                ),
            )
            .help("give exactly `ro` as the options"),
            None if names.volumes_unsure => return,
            None => {
                let fault = Fault::new(path, format!("there is no volume {}", quoted(source)));
                match nearest(source, names.volumes.keys().copied()) {
                    Some(near) => fault.help(format!("did you mean `{near}`?")),
                    None => fault.help("name an entry of `volumes`, or start a path with `/`"),
                }
            }
        };
        self.fault(fault);
    }

    pub(super) fn tmpfs(&mut self, path: &str, list: Option<&[String]>) {
        for (index, text) in list.unwrap_or_default().iter().enumerate() {
            let path = format!("{}[{index}]", join(path, "tmpfs"));
            if !self.broken(&path) && text.matches(':').count() > 1 {
                let message = format!("the tmpfs {} has too many `:`", quoted(text));
                self.fault(
                    Fault::new(path, message).help("write `DESTINATION` or `DESTINATION:OPTIONS`"),
                );
            }
        }
    }

    pub(super) fn mounts(&mut self, path: &str, mounts: Option<&[Mount]>) {
        for (index, mount) in mounts.unwrap_or_default().iter().enumerate() {
            let path = format!("{}[{index}]", join(path, "mounts"));
            // Any key that could not be read may be the one that seems to be missing.
            if !self.broken(&path) {
                self.mount(&path, mount);
            }
        }
    }

    fn mount(&mut self, path: &str, mount: &Mount) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (source, destination) = (text(&mount.source), text(&mount.destination));
        let mut kind = text(&mount.kind);
        if kind.is_empty()
            && matches!(
                source.as_str(),
                "mqueue" | "devpts" | "proc" | "sysfs" | "cgroup"
            )
        {
            kind.clone_from(&source);
        }
        if kind.is_empty() && destination == "/dev" {
            "tmpfs".clone_into(&mut kind);
        }
        if kind.is_empty() {
            let message = format!("the mount on {} has no type", quoted(&destination));
            self.fault(
                Fault::new(path, message).help("add `type`, such as `bind`, `tmpfs` or `ext4`"),
            );
            return;
        }
        let known = matches!(
            kind.as_str(),
            "proc" | "devpts" | "sysfs" | "cgroup" | "mqueue"
        );
        if destination.is_empty() && !known {
            let message = format!("the mount of type {} has no destination", quoted(&kind));
            self.fault(Fault::new(path, message).help("add `destination`"));
        }
        if kind == "bind" {
            // The first of the two counts.
            let options = mount.options.iter().flatten();
            let first = options
                .map(String::as_str)
                .find(|option| matches!(*option, "ro" | "rw"));
            self.volume_use(path, &source, first);
        }
    }
}
