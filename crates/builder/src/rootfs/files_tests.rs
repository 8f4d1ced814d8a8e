use nodeimage_spec::model::Container;
use serde_json::{Value, json};

use super::super::testing::{names, text};
use super::*;

fn spec(files: Value) -> Spec {
    Spec {
        files: serde_json::from_value(files).unwrap(),
        services: vec![Container {
            name: "web".into(),
            image: "i".into(),
            ..Container::default()
        }],
        ..Spec::default()
    }
}

fn made(files: Value) -> Tree {
    let spec = spec(files);
    tree(&spec, &NamedIds::of(&spec)).unwrap()
}

fn fault(file: Value) -> String {
    let spec = spec(json!([file]));
    tree(&spec, &NamedIds::of(&spec)).unwrap_err().to_string()
}

fn mode(tree: &Tree, path: &str) -> u32 {
    tree[path.as_bytes()].mode
}

#[test]
fn every_kind() {
    let tree = made(json!([
        {"path": "/etc/a", "contents": "A"},
        {"path": "b", "contents_base64": "/wA="},
        {"path": "c", "contents": ""},
        {"path": "d", "directory": true},
        {"path": "e", "symlink": "../x"},
        {"path": "f", "symlink": "x", "contents": "the link wins"},
        {"path": "g/", "directory": true, "symlink": "the directory wins", "mode": "1777"}
    ]));
    assert_eq!(names(&tree), ["b", "c", "d", "e", "etc", "etc/a", "f", "g"]);
    assert_eq!(text(&tree, "etc/a"), "A");
    assert_eq!(tree[b"b".as_slice()].kind, file(vec![0xff, 0]));
    assert_eq!(text(&tree, "c"), "");
    assert_eq!(
        (&tree[b"d".as_slice()].kind, mode(&tree, "d")),
        (&Kind::Dir, 0o700)
    );
    assert_eq!(tree[b"e".as_slice()].kind, Kind::Symlink(b"../x".to_vec()));
    assert_eq!(tree[b"f".as_slice()].kind, Kind::Symlink(b"x".to_vec()));
    assert_eq!(
        (mode(&tree, "b"), mode(&tree, "e"), mode(&tree, "g")),
        (0o600, 0o600, 0o1777)
    );
    assert!(tree.values().all(|node| node.mtime == nodes::MTIME));
}

#[test]
fn the_first_file_decides_its_parents() {
    for (own, parent) in [
        ("0644", 0o755),
        ("0600", 0o700),
        ("0444", 0o555),
        ("0007", 0o007),
        ("0000", 0),
        ("4755", 0o4755),
        ("0100640", 0o750),
    ] {
        let tree = made(json!([
            {"path": "etc/x/a", "contents": "", "mode": own, "uid": "web", "gid": 5},
            {"path": "etc/x/b", "contents": "", "mode": "0777"},
            {"path": "etc/c", "contents": "", "mode": "0777"}
        ]));
        let node = &tree[b"etc/x".as_slice()];
        assert_eq!((node.mode, node.uid, node.gid), (parent, 100, 5), "{own}");
        assert_eq!(mode(&tree, "etc"), parent);
        assert_eq!(mode(&tree, "etc/x/b"), 0o777);
    }
    // Without a mode of its own a file closes its directory to all but root.
    assert_eq!(
        mode(&made(json!([{"path": "etc/x", "contents": ""}])), "etc"),
        0o700
    );
}

#[test]
fn a_directory_of_its_own_decides_before_and_after() {
    let before = made(json!([
        {"path": "etc", "directory": true, "mode": "0755"},
        {"path": "etc/x", "contents": ""}
    ]));
    assert_eq!(mode(&before, "etc"), 0o755);
    let after = made(json!([
        {"path": "etc/x", "contents": ""},
        {"path": "etc", "directory": true, "mode": "0711"}
    ]));
    assert_eq!(
        (mode(&after, "etc"), names(&after)),
        (0o711, vec!["etc".into(), "etc/x".into()])
    );
}

#[test]
fn the_last_of_equal_paths_wins() {
    let tree = made(json!([
        {"path": "a", "contents": "1"},
        {"path": "/a", "contents": "2", "mode": "0755"},
        {"path": "./b//c", "contents": "3"},
        {"path": "b", "contents": "now a file"}
    ]));
    assert_eq!(
        (names(&tree), text(&tree, "a")),
        (vec!["a".into(), "b".into()], "2".into())
    );
}

#[test]
fn below_a_link_of_an_earlier_entry() {
    let tree = made(json!([
        {"path": "etc/foo", "symlink": "/usr/foo", "mode": "0755"},
        {"path": "etc/foo/x", "contents": "1"}
    ]));
    // The directory is an image's: its mode is not ours to set.
    assert_eq!(names(&tree), ["etc", "etc/foo", "usr/foo/x"]);
    let spec = spec(json!([
        {"path": "a", "symlink": "../../b"}, {"path": "a/x", "contents": ""}
    ]));
    let error = super::tree(&spec, &NamedIds::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("files[1] (a/x): it lies below `a`"),
        "{error}"
    );
}

#[test]
fn the_spec_as_a_file() {
    let tree = made(json!([
        {"path": "etc/linuxkit.yml", "metadata": "yaml"},
        {"path": "etc/linuxkit.json", "metadata": "json"}
    ]));
    assert!(text(&tree, "etc/linuxkit.yml").contains("name: web"));
    let json: Value = serde_json::from_str(&text(&tree, "etc/linuxkit.json")).unwrap();
    assert_eq!(json["services"][0]["name"], json!("web"));
    assert_eq!(mode(&tree, "etc/linuxkit.yml"), 0o600);
}

#[test]
fn what_is_refused() {
    for (file, expected) in [
        (
            json!({"path": "", "contents": ""}),
            "files[0] (): did not specify path",
        ),
        (
            json!({"path": "a/../b", "contents": ""}),
            "files[0] (a/../b): this path is refused: it holds `..`",
        ),
        (
            json!({"path": "..", "directory": true}),
            "files[0] (..): this path is refused",
        ),
        (
            json!({"path": "a\u{0}b", "contents": ""}),
            "this path is refused: it holds a NUL",
        ),
        (
            json!({"path": "a/", "contents": ""}),
            "the path names a directory",
        ),
        (
            json!({"path": "/", "contents": ""}),
            "the path names a directory",
        ),
        (json!({"path": "a"}), "contents of file not specified"),
        (
            json!({"path": "a", "metadata": "", "source": ""}),
            "contents of file not specified",
        ),
        (
            json!({"path": "a", "contents": "", "source": "s"}),
            "specified contents and source",
        ),
        (
            json!({"path": "a", "contents": "", "metadata": "yaml"}),
            "specified contents and metadata",
        ),
        (
            json!({"path": "a", "source": "s", "metadata": "yaml"}),
            "specified source and metadata",
        ),
        (
            json!({"path": "a", "directory": true, "contents": ""}),
            "directory with contents not allowed",
        ),
        (
            json!({"path": "a", "directory": true, "source": "s"}),
            "specified contents and source",
        ),
        (
            json!({"path": "a", "contents": "", "contents_base64": ""}),
            "specified contents and contents_base64",
        ),
        (
            json!({"path": "a", "contents_base64": "?"}),
            "contents_base64 is not base64",
        ),
        (
            json!({"path": "a", "source": "s"}),
            "source `s` was not read in",
        ),
        (
            json!({"path": "a", "metadata": "xml"}),
            "unsupported metadata type: xml",
        ),
        (
            json!({"path": "a", "contents": "", "mode": "rw"}),
            "cannot parse file mode as octal value: `rw`",
        ),
        (
            json!({"path": "a", "contents": "", "mode": "-1"}),
            "negative",
        ),
        (
            json!({"path": "a", "contents": "", "uid": "nobody"}),
            "uid: cannot find id: nobody",
        ),
        (
            json!({"path": "a", "contents": "", "gid": "0"}),
            "gid: cannot find id: 0",
        ),
    ] {
        let text = fault(file);
        assert!(text.contains(expected), "{text}");
    }
    let spec = spec(json!([{"path": "a", "contents": ""}, {"path": "a/b", "contents": ""}]));
    let error = super::tree(&spec, &NamedIds::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("files[1] (a/b): it lies below `a`, which an earlier entry makes a file")
    );
}
