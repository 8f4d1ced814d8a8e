//! The mounts of `config.json`: defaults, then `tmpfs`, `binds` and `mounts`, of which a later one
//! replaces an earlier one of the same destination; sorted by destination, so that `/dev` comes
//! before `/dev/pts`.

use std::collections::BTreeMap;

use nodeimage_spec::model::{Mount as Wanted, Options};

use super::ErrorKind;
use super::oci::Mount;

fn owned(options: &[&str]) -> Vec<String> {
    options.iter().map(|option| (*option).to_owned()).collect()
}

fn mount(destination: &str, kind: &str, source: &str, options: Vec<String>) -> Mount {
    Mount {
        destination: destination.to_owned(),
        kind: kind.to_owned(),
        source: source.to_owned(),
        options,
        ..Mount::default()
    }
}

/// What every container gets unless it says otherwise; no /dev/shm and no /dev/mqueue.
fn defaults(readonly: bool) -> [Mount; 5] {
    let with_ro = |options: &[&str]| {
        let mut options = owned(options);
        if readonly {
            options.push("ro".to_owned());
        }
        options
    };
    [
        mount(
            "/dev",
            "tmpfs",
            "tmpfs",
            with_ro(&["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            owned(&[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
            ]),
        ),
        mount(
            "/proc",
            "proc",
            "proc",
            owned(&["nosuid", "nodev", "noexec", "relatime"]),
        ),
        mount(
            "/sys",
            "sysfs",
            "sysfs",
            with_ro(&["nosuid", "noexec", "nodev"]),
        ),
        mount(
            "/sys/fs/cgroup",
            "cgroup",
            "cgroup",
            owned(&["nosuid", "noexec", "nodev", "relatime", "ro"]),
        ),
    ]
}

/// The mounts that count; the key at fault with the fault.
pub(super) fn list(
    options: &Options,
    readonly: bool,
) -> Result<Vec<Mount>, (&'static str, ErrorKind)> {
    let mut all = BTreeMap::new();
    let mut put = |mount: Mount| all.insert(mount.destination.clone(), mount);
    for mount in defaults(readonly) {
        put(mount);
    }
    for text in options.tmpfs.iter().flatten() {
        put(tmpfs(text).map_err(|kind| ("tmpfs", kind))?);
    }
    for text in options.binds.iter().flatten() {
        put(bind(text).map_err(|kind| ("binds", kind))?);
    }
    for wanted in options.mounts.iter().flatten() {
        put(other(wanted).map_err(|kind| ("mounts", kind))?);
    }
    Ok(all.into_values().collect())
}

fn split_options(options: &str) -> Vec<String> {
    options.split(',').map(str::to_owned).collect()
}

fn tmpfs(text: &str) -> Result<Mount, ErrorKind> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [destination] => Ok(mount(destination, "tmpfs", "tmpfs", Vec::new())),
        [destination, options] => Ok(mount(destination, "tmpfs", "tmpfs", split_options(options))),
        _ => Err(ErrorKind::TmpfsTooMany {
            value: text.to_owned(),
        }),
    }
}

fn bind(text: &str) -> Result<Mount, ErrorKind> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [source, destination] => Ok(mount(
            destination,
            "bind",
            source,
            owned(&["rw", "rbind", "rshared"]),
        )),
        [source, destination, options] => {
            let mut options = split_options(options);
            options.push("rbind".to_owned());
            Ok(mount(destination, "bind", source, options))
        }
        [] | [_] => Err(ErrorKind::BindTooFew {
            value: text.to_owned(),
        }),
        _ => Err(ErrorKind::BindTooMany {
            value: text.to_owned(),
        }),
    }
}

fn other(wanted: &Wanted) -> Result<Mount, ErrorKind> {
    let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let destination = given(&wanted.destination);
    let source = given(&wanted.source);
    let guessed = match (source.as_deref(), destination.as_deref()) {
        (Some(kind @ ("mqueue" | "devpts" | "proc" | "sysfs" | "cgroup")), _) => Some(kind),
        (_, Some("/dev")) => Some("tmpfs"),
        _ => None,
    };
    let Some(kind) = given(&wanted.kind).or_else(|| guessed.map(str::to_owned)) else {
        return Err(ErrorKind::MountType {
            destination: destination.unwrap_or_default(),
        });
    };
    let usual = match kind.as_str() {
        "proc" => Some("/proc"),
        "devpts" => Some("/dev/pts"),
        "sysfs" => Some("/sys"),
        "cgroup" => Some("/sys/fs/cgroup"),
        "mqueue" => Some("/dev/mqueue"),
        _ => None,
    };
    let Some(destination) = destination.or_else(|| usual.map(str::to_owned)) else {
        return Err(ErrorKind::MountDestination { kind });
    };
    Ok(Mount {
        destination,
        source: source.unwrap_or_else(|| kind.clone()),
        kind,
        options: wanted.options.clone().unwrap_or_default(),
        // LinuxKit's schema takes these and its builder loses them.
        uid_mappings: wanted.uid_mappings.clone().unwrap_or_default(),
        gid_mappings: wanted.gid_mappings.clone().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn lines(options: Value, readonly: bool) -> Vec<String> {
        let options: Options = serde_json::from_value(options).unwrap();
        let show = |m: Mount| {
            format!(
                "{} {} {} {}",
                m.destination,
                m.kind,
                m.source,
                m.options.join(",")
            )
        };
        list(&options, readonly)
            .unwrap()
            .into_iter()
            .map(show)
            .collect()
    }

    fn fault(options: Value) -> String {
        let options: Options = serde_json::from_value(options).unwrap();
        let (key, kind) = list(&options, false).unwrap_err();
        format!("{key}: {kind}")
    }

    #[test]
    fn defaults_and_their_read_only_variant() {
        assert_eq!(
            lines(json!({}), false),
            [
                "/dev tmpfs tmpfs nosuid,strictatime,mode=755,size=65536k",
                "/dev/pts devpts devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620",
                "/proc proc proc nosuid,nodev,noexec,relatime",
                "/sys sysfs sysfs nosuid,noexec,nodev",
                "/sys/fs/cgroup cgroup cgroup nosuid,noexec,nodev,relatime,ro",
            ]
        );
        let readonly = lines(json!({}), true);
        assert_eq!(
            readonly[0],
            "/dev tmpfs tmpfs nosuid,strictatime,mode=755,size=65536k,ro"
        );
        assert_eq!(readonly[3], "/sys sysfs sysfs nosuid,noexec,nodev,ro");
        assert_eq!(readonly[1..3], lines(json!({}), false)[1..3]);
        assert_eq!(readonly[4], lines(json!({}), false)[4]);
    }

    #[test]
    fn sorted_by_bytes_and_later_kinds_win() {
        let got = lines(
            json!({
                "tmpfs": ["/tmp:size=1m,ro", "/x", "/y", "/e:"],
                "binds": ["/a:/x", "/b:/y", "/etc:/Etc:ro"],
                "mounts": [{"destination": "/y", "type": "ext4", "source": "/dev/vda"}, {"type": "sysfs"}]
            }),
            false,
        );
        assert_eq!(
            got,
            [
                "/Etc bind /etc ro,rbind",
                "/dev tmpfs tmpfs nosuid,strictatime,mode=755,size=65536k",
                "/dev/pts devpts devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620",
                "/e tmpfs tmpfs ",
                "/proc proc proc nosuid,nodev,noexec,relatime",
                "/sys sysfs sysfs ",
                "/sys/fs/cgroup cgroup cgroup nosuid,noexec,nodev,relatime,ro",
                "/tmp tmpfs tmpfs size=1m,ro",
                "/x bind /a rw,rbind,rshared",
                "/y ext4 /dev/vda ",
            ]
        );
    }

    #[test]
    fn types_and_destinations_are_guessed_as_in_linuxkit() {
        for (kind, destination) in [
            ("mqueue", "/dev/mqueue"),
            ("devpts", "/dev/pts"),
            ("proc", "/proc"),
            ("sysfs", "/sys"),
            ("cgroup", "/sys/fs/cgroup"),
        ] {
            let from_type =
                other(&serde_json::from_value(json!({ "type": kind })).unwrap()).unwrap();
            let from_source =
                other(&serde_json::from_value(json!({ "source": kind })).unwrap()).unwrap();
            assert_eq!(from_type, mount(destination, kind, kind, Vec::new()));
            assert_eq!(from_source, from_type);
        }
        let dev = other(&serde_json::from_value(json!({"destination": "/dev"})).unwrap()).unwrap();
        assert_eq!(dev, mount("/dev", "tmpfs", "tmpfs", Vec::new()));
    }

    #[test]
    fn mappings_of_a_mount_are_kept() {
        let wanted = json!({"type": "bind", "source": "/a", "destination": "/b",
            "uidmappings": [{"hostID": 1, "containerID": 2, "size": 3}]});
        let got = other(&serde_json::from_value(wanted).unwrap()).unwrap();
        assert_eq!(
            serde_json::to_value(got).unwrap()["uidMappings"],
            json!([{"containerID": 2, "hostID": 1, "size": 3}])
        );
    }

    #[test]
    fn faults_name_key_and_value() {
        assert!(
            fault(json!({"tmpfs": ["/a:b:c"]}))
                .starts_with("tmpfs: cannot parse tmpfs, too many ':': /a:b:c")
        );
        assert!(
            fault(json!({"binds": ["/a"]}))
                .starts_with("binds: cannot parse bind, missing ':': /a")
        );
        assert!(
            fault(json!({"binds": ["a:b:c:d"]}))
                .starts_with("binds: cannot parse bind, too many ':': a:b:c:d")
        );
        assert!(
            fault(json!({"mounts": [{"destination": "/x"}]}))
                .starts_with("mounts: mount for destination /x is missing type")
        );
        assert!(
            fault(json!({"mounts": [{"type": "ext4"}]}))
                .starts_with("mounts: mount type ext4 is missing destination")
        );
    }
}
