//! Which namespaces a container gets.

use nodeimage_spec::model::Options;

use super::oci::Namespace;

/// The namespaces in LinuxKit's order: network, ipc, uts, pid, user, mount. A value is `host` or
/// `root` (none), `new` (also `none` for the network) or the path of one to join.
pub(super) fn list(options: &Options) -> Vec<Namespace> {
    let text = |value: &Option<String>, default: &str| match value.as_deref() {
        None | Some("") => default.to_owned(),
        Some(value) => value.to_owned(),
    };
    let wanted = [
        ("network", text(&options.net, "root")),
        ("ipc", text(&options.ipc, "root")),
        ("uts", text(&options.uts, "root")),
        ("pid", text(&options.pid, "new")),
        ("user", text(&options.userns, "root")),
        ("mount", "new".to_owned()),
    ];
    let mut list = Vec::new();
    for (kind, value) in wanted {
        let path = match value.as_str() {
            "host" | "root" => continue,
            "new" => String::new(),
            "none" if kind == "network" => String::new(),
            _ => value,
        };
        list.push(Namespace { kind, path });
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(options: &Options) -> Vec<String> {
        list(options)
            .into_iter()
            .map(|n| format!("{}:{}", n.kind, n.path))
            .collect()
    }

    #[test]
    fn pid_and_mount_by_default() {
        assert_eq!(names(&Options::default()), ["pid:", "mount:"]);
        let empty = Options {
            net: Some(String::new()),
            pid: Some(String::new()),
            ..Options::default()
        };
        assert_eq!(names(&empty), ["pid:", "mount:"]);
    }

    #[test]
    fn every_value_of_every_kind() {
        let all = |value: &str| Options {
            net: Some(value.into()),
            ipc: Some(value.into()),
            uts: Some(value.into()),
            pid: Some(value.into()),
            userns: Some(value.into()),
            ..Options::default()
        };
        assert_eq!(names(&all("host")), ["mount:"]);
        assert_eq!(names(&all("root")), ["mount:"]);
        assert_eq!(
            names(&all("new")),
            ["network:", "ipc:", "uts:", "pid:", "user:", "mount:"]
        );
        assert_eq!(
            names(&all("/run/ns/x")),
            [
                "network:/run/ns/x",
                "ipc:/run/ns/x",
                "uts:/run/ns/x",
                "pid:/run/ns/x",
                "user:/run/ns/x",
                "mount:"
            ]
        );
        assert_eq!(
            names(&all("none")),
            [
                "network:",
                "ipc:none",
                "uts:none",
                "pid:none",
                "user:none",
                "mount:"
            ]
        );
    }
}
