use std::collections::BTreeMap;

use nodeimage_images::Node;

use super::super::sizes::Size;
use super::*;

fn node(kind: Kind) -> Node {
    Node {
        kind,
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 7,
        xattrs: BTreeMap::new(),
    }
}

fn bytes(text: &str) -> Kind {
    Kind::File(Data::Bytes(text.as_bytes().into()))
}

fn root(entries: &[(&str, Node)]) -> Root {
    let entries = entries.iter().map(|(path, node)| {
        let file = Arc::new(File {
            node: node.clone(),
            linked_to: None,
        });
        (path.as_bytes().to_vec(), Entry { file, component: 0 })
    });
    Root {
        entries: entries.collect(),
        components: vec![(
            "files".to_owned(),
            "linuxkit.files".to_owned(),
            Size::default(),
        )],
    }
}

/// Each change as `sign path what`.
fn told(from: &[(&str, Node)], to: &[(&str, Node)]) -> Vec<String> {
    let files = Files::between(&root(from), &root(to)).unwrap();
    let told = |file: &FileChange| {
        let what = file.what.join(",");
        let rights = [file.gains.join(","), file.loses.join(",")].join("/");
        format!("{} {} {what} {rights}", file.change.sign(), file.path)
    };
    files.list.iter().map(told).collect()
}

#[test]
fn every_aspect_of_a_file() {
    let with = |kind: Kind, change: fn(&mut Node)| {
        let mut node = node(kind);
        change(&mut node);
        node
    };
    let capable = |node: &mut Node| {
        let mut bytes = vec![1, 0, 0, 2, 0, 32, 0, 0];
        bytes.resize(20, 0);
        node.xattrs.insert(b"security.capability".to_vec(), bytes);
    };
    let plain = || node(bytes("abc"));
    for (was, is, wanted) in [
        (plain(), node(bytes("abd")), "~ x content /"),
        (plain(), node(bytes("abcd")), "~ x content /"),
        (
            plain(),
            with(bytes("abc"), |it| it.mode = 0o4755),
            "~ x mode setuid/",
        ),
        (
            with(bytes("abc"), |it| it.mode = 0o2755),
            plain(),
            "~ x mode /setgid",
        ),
        (plain(), with(bytes("abc"), |it| it.gid = 5), "~ x owner /"),
        (
            plain(),
            with(bytes("abc"), capable),
            "~ x capabilities cap_net_raw=ep/",
        ),
        (
            with(bytes("abc"), capable),
            plain(),
            "~ x capabilities /cap_net_raw=ep",
        ),
        (
            plain(),
            with(bytes("abc"), |it| {
                drop(it.xattrs.insert(b"user.a".to_vec(), vec![]))
            }),
            "~ x xattrs /",
        ),
        (plain(), node(Kind::Fifo), "~ x type /"),
        (
            plain(),
            node(Kind::Char { major: 1, minor: 3 }),
            "~ x type device/",
        ),
        (
            node(Kind::Char { major: 1, minor: 3 }),
            node(Kind::Char { major: 1, minor: 5 }),
            "~ x device /",
        ),
        (
            node(Kind::Symlink(b"a".to_vec())),
            node(Kind::Symlink(b"b".to_vec())),
            "~ x target /",
        ),
    ] {
        assert_eq!(told(&[("x", was)], &[("x", is)]), [wanted]);
    }
}

#[test]
fn what_came_and_went_in_order_and_times_are_only_counted() {
    let mut later = node(bytes("same"));
    later.mtime = 8;
    let from = [
        ("a", node(Kind::Dir)),
        ("b", node(bytes("same"))),
        ("d", node(bytes(""))),
    ];
    let to = [
        ("a", node(Kind::Dir)),
        ("b", later),
        ("c", node(bytes("new"))),
    ];
    assert_eq!(told(&from, &to), ["+ c  /", "- d  /"]);
    let files = Files::between(&root(&from), &root(&to)).unwrap();
    let counts = (
        files.added,
        files.removed,
        files.changed,
        files.touched,
        files.unchanged,
    );
    assert_eq!(counts, (1, 1, 0, 1, 1));
    assert!(told(&from, &from).is_empty());
    assert!(told(&[], &[]).is_empty());
}
