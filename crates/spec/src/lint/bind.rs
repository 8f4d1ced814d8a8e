//! Parts of the host that containers are given.

use super::Context;
use super::effective::{Effective, Origin, containers};
use crate::fault::{Fault, quoted};

/// Whoever writes below these is the host.
const BROAD: [&str; 22] = [
    "/",
    "/bin",
    "/boot",
    "/containers",
    "/dev",
    "/etc",
    "/etc/init.d",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/var",
    "/var/lib",
    "/var/run",
];

/// Reading them is enough.
const SECRET: [&str; 4] = ["/", "/dev", "/proc", "/root"];

/// Whoever may talk to these starts what he likes, read-only mount or not.
const SOCKETS: [&str; 4] = ["containerd.sock", "docker.sock", "crio.sock", "podman.sock"];

struct Bind<'a> {
    source: &'a str,
    readonly: bool,
    origin: Origin,
    path: String,
}

pub(super) fn broad_bind(context: &Context<'_>, found: &mut Vec<Fault>) {
    for container in containers(context) {
        for bind in binds(&container) {
            let source = normal(bind.source);
            let socket = SOCKETS
                .iter()
                .any(|name| source.rsplit('/').next() == Some(name));
            let what = if socket {
                "can start any container through the host's"
            } else if !bind.readonly && BROAD.contains(&source.as_str()) {
                "can write below the host's"
            } else if bind.readonly && SECRET.contains(&source.as_str()) {
                "can read all below the host's"
            } else {
                continue;
            };
            let message = format!(
                "the container {} {what} {}{}",
                container.name(),
                quoted(&source),
                bind.origin.told()
            );
            let help = "bind only the directories that it needs, with `:ro` where it only reads";
            found.push(Fault::new(bind.path, message).help(help));
        }
    }
}

fn binds<'a>(container: &Effective<'a>) -> Vec<Bind<'a>> {
    let listed = container.joined(
        "binds",
        |options| &options.binds,
        |options| &options.binds_add,
    );
    let mut all: Vec<Bind<'a>> = listed
        .into_iter()
        .filter_map(|(text, origin, path)| {
            let mut parts = text.splitn(3, ':');
            let source = parts.next()?;
            let options = parts.nth(1).unwrap_or_default();
            let readonly = options.split(',').any(|option| option == "ro");
            Some(Bind {
                source,
                readonly,
                origin,
                path,
            })
        })
        .collect();
    let Some((mounts, origin)) = container.value(|options| options.mounts.as_ref()) else {
        return all;
    };
    for (index, mount) in mounts.iter().enumerate() {
        let options = mount.options.as_deref().unwrap_or_default();
        let has = |wanted: &[&str]| options.iter().any(|it| wanted.contains(&it.as_str()));
        let is_bind = mount.kind.as_deref() == Some("bind") || has(&["bind", "rbind"]);
        if let (true, Some(source)) = (is_bind, mount.source.as_deref()) {
            let path = match origin {
                Origin::Yaml => format!("{}.mounts[{index}]", container.path),
                _ => container.at("mounts", origin),
            };
            all.push(Bind {
                source,
                readonly: has(&["ro"]),
                origin,
                path,
            });
        }
    }
    all
}

/// The absolute path without what doesn't count in it; a volume's name stays as it is.
fn normal(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

pub(super) fn all_devices(context: &Context<'_>, found: &mut Vec<Fault>) {
    for container in containers(context) {
        let Some((devices, origin)) = container.value(|options| options.devices.as_ref()) else {
            continue;
        };
        for (index, device) in devices.iter().enumerate() {
            if device.path != "all" {
                continue;
            }
            let kind = match device.kind.as_deref() {
                Some("b") => "block device",
                Some("c" | "u") => "character device",
                _ => "device",
            };
            let message = format!(
                "the container {} may use every {kind} of the host{}",
                container.name(),
                origin.told()
            );
            let path = match origin {
                Origin::Yaml => format!("{}.devices[{index}]", container.path),
                _ => container.at("devices", origin),
            };
            found.push(Fault::new(path, message).help("list the devices that it needs"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn the_path_that_is_meant() {
        for (path, expected) in [
            ("/", "/"),
            ("//", "/"),
            ("/etc/", "/etc"),
            ("/run/../etc/.", "/etc"),
            ("/..", "/"),
            ("data", "data"),
        ] {
            assert_eq!(normal(path), expected, "{path}");
        }
    }
}
