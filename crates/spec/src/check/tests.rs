use super::*;
use crate::model::{Container, FileEntry};

#[test]
fn capability_table_is_linux_s() {
    assert_eq!(CAPABILITIES.len(), 41);
    assert_eq!(CAPABILITIES[0], "CAP_CHOWN");
    assert_eq!(CAPABILITIES[12], "CAP_NET_ADMIN");
    assert_eq!(CAPABILITIES[21], "CAP_SYS_ADMIN");
    assert_eq!(CAPABILITIES[34], "CAP_SYSLOG");
    assert_eq!(CAPABILITIES[40], "CAP_CHECKPOINT_RESTORE");
}

#[test]
fn ids_count_from_100() {
    let container = |name: &str| Container {
        name: name.to_owned(),
        image: "docker.io/library/a".to_owned(),
        ..Container::default()
    };
    let spec = Spec {
        onboot: vec![container("a"), container("b")],
        onshutdown: vec![container("c")],
        services: vec![container("a"), container("d")],
        ..Spec::default()
    };
    let wanted = [("a", 103), ("b", 101), ("c", 102), ("d", 104)];
    assert_eq!(ids(&spec), wanted.into());
}

#[test]
fn modes() {
    for (text, mode) in [
        ("0644", Some(0o644)),
        ("755", Some(0o755)),
        ("7777", Some(0o7777)),
        ("0", Some(0)),
        ("+644", Some(0o644)),
        ("100644", Some(0o644)),
    ] {
        assert_eq!(parse_mode(text), mode);
    }
    for text in [
        "",
        "0888",
        "-1",
        "17777777777",
        "0x1",
        "rw",
        " 644",
        "0o",
        "99999999999999999999",
    ] {
        assert_eq!(parse_mode(text), None, "{text}");
    }
}

#[test]
fn limits() {
    let limit = parse_rlimit(" rlimit_nofile , 5, Unlimited").unwrap();
    assert_eq!(
        limit,
        Rlimit {
            name: "RLIMIT_NOFILE".to_owned(),
            soft: 5,
            hard: u64::MAX
        }
    );
    assert!(parse_rlimit("nofile,1").is_err());
    assert!(parse_rlimit("nofile,1,2,3").is_err());
    assert!(parse_rlimit("nofile,,").is_err());
    assert!(parse_rlimit("nofile,1,18446744073709551616").is_err());
}

#[test]
fn a_spec_that_was_never_yaml() {
    let entry = FileEntry {
        path: "a/../../b".to_owned(),
        ..FileEntry::default()
    };
    let spec = Spec {
        files: vec![entry],
        init: vec!["A".to_owned()],
        ..Spec::default()
    };
    let faults = check(&spec);
    let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["init[0]", "files[0].path", "files[0]"]);
}
