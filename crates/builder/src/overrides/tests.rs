use std::sync::Arc;

use nodeimage_disk::StoredFile;
use nodeimage_images::Data;
use nodeimage_images::store::StoreLimits;

use super::*;
use crate::rootfs::{BoxError, Layout, Resolver};
use crate::segment::{Codec, make};

/// One image, read at most as often as it is said.
struct Once(Tree, std::cell::Cell<u32>);

impl Trees for Once {
    fn entries(&self, _: &str) -> Result<u64, BoxError> {
        Ok(1)
    }

    fn tree(&self, _: &str) -> Result<Tree, BoxError> {
        let left = self.1.get().checked_sub(1).ok_or("read once more")?;
        self.1.set(left);
        Ok(self.0.clone())
    }
    fn tar_tree(&self, _: &Data, _: &str) -> Result<Tree, BoxError> {
        Err("no tar".into())
    }
    fn layout(&self, _: &str, _: &[String]) -> Result<Layout, BoxError> {
        Err("no layout".into())
    }
}

fn node(kind: Kind) -> Node {
    Node {
        kind,
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 0,
        xattrs: BTreeMap::new(),
    }
}

fn file() -> Node {
    node(Kind::File(Data::Bytes(b"x".as_slice().into())))
}

fn capable() -> Node {
    let mut node = file();
    node.xattrs.insert(b"security.capability".to_vec(), vec![1]);
    node
}

/// busybox under three names, and ping with a capability.
fn base() -> Tree {
    let link = || node(Kind::HardLink(b"bin/busybox".to_vec()));
    Tree::from([
        (b"bin".to_vec(), node(Kind::Dir)),
        (b"bin/busybox".to_vec(), file()),
        (b"bin/ls".to_vec(), link()),
        (b"bin/ping".to_vec(), capable()),
        (b"bin/sh".to_vec(), link()),
    ])
}

fn generated(label: &str, tree: Tree) -> Component {
    Component {
        label: label.to_owned(),
        source: "x".to_owned(),
        inputs: Inputs::Tree([0; 32]),
        build: Build::Tree(tree),
    }
}

fn image(label: &str, place: &str) -> Component {
    Component {
        label: label.to_owned(),
        source: "x".to_owned(),
        inputs: Inputs::Image {
            manifest: "m".to_owned(),
            place: place.to_owned(),
            resolver: Resolver::Symlink,
            beside: vec!["containers/services/web/tmp".to_owned()],
            links: Links::default(),
        },
        build: Build::Image {
            reference: "x".to_owned(),
            place: place.to_owned(),
            resolver: Resolver::Symlink,
            beside: Vec::new(),
            links: Links::default(),
        },
    }
}

fn segment(tree: &Tree) -> StoredSegment {
    StoredSegment {
        label: String::new(),
        source: String::new(),
        identity: String::new(),
        key: [3; 32],
        file: Arc::new(StoredFile {
            path: "/none".into(),
            len: 0,
            block_hashes: Vec::new(),
        }),
        facts: make(tree, Codec::None, std::io::sink()).unwrap(),
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreLimits::default()).unwrap();
    (dir, store)
}

fn nobody() -> Once {
    Once(Tree::new(), 0.into())
}

fn set(paths: &[&str]) -> BTreeSet<Vec<u8>> {
    paths.iter().map(|path| (*path).into()).collect()
}

#[test]
fn replaced_names_are_unlinked_first_and_lose_their_attributes() {
    let (_dir, store) = store();
    let files = Tree::from([
        (b"bin/ls".to_vec(), file()),
        (b"bin/ping".to_vec(), file()),
        (b"etc/x".to_vec(), file()),
    ]);
    let components = [
        generated("init[0]", base()),
        generated("files", files.clone()),
    ];
    let segments = [segment(&base()), segment(&files)];
    let found = Overrides::find(&store, &nobody(), &components, &segments).unwrap();
    assert_eq!(found.unlink, [(1, set(&["bin/ls"]))].into());
    assert!(!found.keeps(0, b"bin/ping"));
    assert!(found.keeps(1, b"bin/ping") && found.keeps(0, b"bin/ls"));
    let [(at, unlinks)] = found.unlinking(&components).try_into().unwrap();
    assert_eq!((at, unlinks.label.as_str()), (1, "files unlinks"));
    let tree = unlinks.tree(&nobody()).unwrap();
    assert_eq!(
        tree.keys().cloned().collect::<BTreeSet<_>>(),
        set(&["bin/ls"])
    );
    assert!(matches!(tree[b"bin/ls".as_slice()].kind, Kind::Symlink(_)));
}

#[test]
fn without_links_and_attributes_no_name_is_looked_at() {
    let (_dir, store) = store();
    let plain = Tree::from([(b"bin/ls".to_vec(), file())]);
    let components = [generated("init[0]", plain.clone()), image("init[1]", "")];
    let segments = [segment(&plain), segment(&plain)];
    let found = Overrides::find(&store, &nobody(), &components, &segments).unwrap();
    assert_eq!(found, Overrides::default());
}

#[test]
fn containers_elsewhere_are_not_looked_at() {
    let (_dir, store) = store();
    let web = image("services[0]", "containers/services/web/lower");
    let components = [generated("init[0]", base()), web.clone()];
    let segments = [segment(&base()), segment(&Tree::new())];
    let found = Overrides::find(&store, &nobody(), &components, &segments).unwrap();
    assert_eq!(found, Overrides::default());
    for (path, may) in [
        ("containers/services/web/lower/bin/ls", true),
        ("containers/services/web/lower", true),
        ("containers/services/web", true),
        ("containers", true),
        ("containers/services/web/tmp", true),
        ("containers/services/web/lower2", false),
        ("containers/services/we", false),
    ] {
        assert_eq!(may_hold(&web.inputs, path.as_bytes()), may, "{path}");
    }
}

#[test]
fn the_names_of_an_image_are_kept() {
    let (_dir, store) = store();
    let tools = Tree::from([(b"bin/sh".to_vec(), file()), (b"boot/bin".to_vec(), file())]);
    let trees = Once(tools.clone(), 1.into());
    let components = [generated("init[0]", base()), image("init[1]", "")];
    let segments = [segment(&base()), segment(&tools)];
    for _ in 0..2 {
        let found = Overrides::find(&store, &trees, &components, &segments).unwrap();
        assert_eq!(found.unlink, [(1, set(&["bin/sh"]))].into());
    }
    assert_eq!(trees.1.get(), 0);
}

#[test]
fn several_components_are_put_in_front_from_the_last_on() {
    let (_dir, store) = store();
    let one = |name: &str| Tree::from([(name.as_bytes().to_vec(), file())]);
    let components = [
        generated("init[0]", base()),
        generated("init[1]", one("bin/sh")),
        generated("files", one("bin/ls")),
    ];
    let segments = components
        .each_ref()
        .map(|it| segment(&it.tree(&nobody()).unwrap()));
    let found = Overrides::find(&store, &nobody(), &components, &segments).unwrap();
    let order: Vec<_> = found.unlinking(&components).iter().map(|it| it.0).collect();
    assert_eq!(order, [2, 1]);
}
