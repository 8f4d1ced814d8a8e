//! An image's tree at its place, with what LinuxKit drops, replaces and adds.

use nodeimage_images::{Kind, Tree};

use super::{edit, nodes, path};

/// What `etc/resolv.conf` becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// A link to where the DHCP client writes: `init` images and volumes.
    Symlink,
    /// A file with a comment: the roots of containers.
    File,
}

/// Never taken from an image; what lies below them is.
const DROPPED: [&[u8]; 6] = [
    b".dockerenv",
    b"Dockerfile",
    b"dev/console",
    b"dev/pts",
    b"dev/shm",
    b"etc/hostname",
];

/// Always directories of mode 0755, owned by root.
const DIRECTORIES: [&[u8]; 6] = [b"dev", b"dev/pts", b"dev/shm", b"etc", b"proc", b"sys"];

const HOSTS: &[u8; 160] = b"127.0.0.1       localhost\n\
    ::1     localhost ip6-localhost ip6-loopback\n\
    fe00::0 ip6-localnet\n\
    ff00::0 ip6-mcastprefix\n\
    ff02::1 ip6-allnodes\n\
    ff02::2 ip6-allrouters\n";

const NO_RESOLVER: &[u8; 29] = b"\n# no resolv.conf configured\n";

/// Whether the image's own entry of this top-level name is always replaced by a directory.
pub(super) fn replaces(name: &[u8]) -> bool {
    directories().any(|top| top == name)
}

/// The top-level directories every placed image has.
pub(super) fn directories() -> impl Iterator<Item = &'static [u8]> {
    DIRECTORIES.into_iter().filter(|path| !path.contains(&b'/'))
}

/// The image's tree below `place` (empty: the root) with the directories above it.
///
/// The image's own entry for its root, if any, gives the place its mode and owner.
pub(super) fn place(mut image: Tree, place: &str, resolver: Resolver) -> Tree {
    fix_up(&mut image, resolver);
    if place.is_empty() {
        return image;
    }
    let mut tree = Tree::new();
    nodes::add_dirs(&mut tree, place.as_bytes());
    for (path, mut node) in image {
        if let Kind::HardLink(target) = &mut node.kind {
            *target = path::join(place.as_bytes(), target);
        }
        tree.insert(path::join(place.as_bytes(), &path), node);
    }
    tree
}

fn fix_up(image: &mut Tree, resolver: Resolver) {
    for path in DROPPED {
        edit::leave_out(image, path);
    }
    // LinuxKit puts these behind the image's entries whether the image has them or not: its test
    // compares names with and without a slash at the end.
    for path in DIRECTORIES {
        edit::put(image, path, nodes::dir());
    }
    edit::put(image, b"etc/hosts", nodes::file(*HOSTS));
    let resolv_conf = match resolver {
        Resolver::Symlink => nodes::symlink("/run/resolvconf/resolv.conf", 0o644),
        Resolver::File => nodes::file(*NO_RESOLVER),
    };
    edit::put(image, b"etc/resolv.conf", resolv_conf);
    // The only one of the nine that an image may have its own way.
    match image.get_mut(b"etc/mtab".as_slice()) {
        Some(own) => own.mtime = nodes::MTIME,
        None => {
            image.insert(b"etc/mtab".to_vec(), nodes::symlink("/proc/mounts", 0o755));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Entry, names, text, tree};
    use super::*;

    const NINE: [&str; 9] = [
        "dev",
        "dev/pts",
        "dev/shm",
        "etc",
        "etc/hosts",
        "etc/mtab",
        "etc/resolv.conf",
        "proc",
        "sys",
    ];

    #[test]
    fn an_empty_image_gets_the_nine() {
        let root = place(Tree::new(), "", Resolver::Symlink);
        assert_eq!(names(&root), NINE);
        for (path, node) in &root {
            assert_eq!((node.uid, node.gid, node.mtime), (0, 0, 1_492_533_000));
            let expected = match String::from_utf8_lossy(path).as_ref() {
                "etc/hosts" | "etc/resolv.conf" => 0o644,
                _ => 0o755,
            };
            assert_eq!(node.mode, expected);
        }
        let link = |path: &str| match &root[path.as_bytes()].kind {
            Kind::Symlink(target) => String::from_utf8(target.clone()).unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(link("etc/mtab"), "/proc/mounts");
        assert_eq!(link("etc/resolv.conf"), "/run/resolvconf/resolv.conf");
        assert!(
            text(&root, "etc/hosts").starts_with("127.0.0.1       localhost\n::1     localhost")
        );
        assert_eq!(text(&root, "etc/hosts").len(), 160);
        let container = place(Tree::new(), "", Resolver::File);
        assert_eq!(
            text(&container, "etc/resolv.conf"),
            "\n# no resolv.conf configured\n"
        );
    }

    #[test]
    fn what_the_image_has_there_is_dropped_or_replaced() {
        let image = tree(&[
            (".dockerenv", Entry::File("")),
            ("Dockerfile", Entry::File("FROM x")),
            ("dev", Entry::Dir(0o700)),
            ("dev/console", Entry::File("")),
            ("dev/null", Entry::Char(1, 3)),
            ("dev/pts", Entry::Dir(0o700)),
            ("dev/pts/0", Entry::File("kept")),
            ("dev/shm", Entry::Link("/run/shm")),
            ("etc", Entry::Dir(0o750)),
            ("etc/hostname", Entry::File("me")),
            ("etc/hosts", Entry::File("mine")),
            ("etc/hosts.bak", Entry::Hard("etc/hosts")),
            ("etc/mtab", Entry::Link("../proc/self/mounts")),
            ("etc/resolv.conf", Entry::Link("../run/x")),
            ("proc", Entry::Dir(0o555)),
            ("usr/Dockerfile", Entry::File("kept")),
        ]);
        let root = place(image, "", Resolver::File);
        assert_eq!(
            names(&root),
            [
                "dev",
                "dev/null",
                "dev/pts",
                "dev/pts/0",
                "dev/shm",
                "etc",
                "etc/hosts",
                "etc/hosts.bak",
                "etc/mtab",
                "etc/resolv.conf",
                "proc",
                "sys",
                "usr/Dockerfile"
            ]
        );
        for path in ["dev", "dev/pts", "dev/shm", "etc", "proc", "sys"] {
            let node = &root[path.as_bytes()];
            assert_eq!(
                (&node.kind, node.mode, node.uid),
                (&Kind::Dir, 0o755, 0),
                "{path}"
            );
        }
        assert_eq!(
            (root[&b"etc/hosts"[..]].mode, root[&b"etc/hosts"[..]].uid),
            (0o644, 0)
        );
        assert_eq!(text(&root, "etc/hosts.bak"), "mine");
        assert_eq!(
            root[&b"etc/mtab"[..]].kind,
            Kind::Symlink(b"../proc/self/mounts".to_vec())
        );
        assert_eq!(
            (root[&b"etc/mtab"[..]].mode, root[&b"etc/mtab"[..]].mtime),
            (0o777, nodes::MTIME)
        );
        assert_eq!(root[&b"dev/null"[..]].mtime, 7);
    }

    #[test]
    fn below_its_place_with_the_directories_above() {
        let image = tree(&[
            ("", Entry::Dir(0o711)),
            ("a", Entry::File("1")),
            ("b", Entry::Hard("a")),
        ]);
        let placed = place(image, "containers/services/web/lower", Resolver::File);
        let names = names(&placed);
        assert_eq!(
            names[..6],
            [
                "containers",
                "containers/services",
                "containers/services/web",
                "containers/services/web/lower",
                "containers/services/web/lower/a",
                "containers/services/web/lower/b"
            ]
        );
        assert_eq!(names.len(), 6 + 9);
        assert_eq!(placed[&b"containers/services/web/lower"[..]].mode, 0o711);
        assert_eq!(placed[&b"containers/services/web"[..]].mode, 0o755);
        assert_eq!(
            placed[&b"containers/services/web/lower/b"[..]].kind,
            Kind::HardLink(b"containers/services/web/lower/a".to_vec())
        );
    }

    /// Paths of few short names, so that they collide: files, directories, links.
    fn any_tree() -> impl Strategy<Value = Tree> {
        let name =
            prop::sample::select(vec!["dev", "etc", "pts", "hosts", "hostname", "mtab", "x"]);
        let path = prop::collection::vec(name, 1..4).prop_map(|parts| parts.join("/"));
        let entry = prop_oneof![
            Just(Entry::Dir(0o700)),
            Just(Entry::File("data")),
            Just(Entry::Link("/x")),
            Just(Entry::Hard("")),
        ];
        prop::collection::vec((path, entry), 0..24).prop_map(|entries| {
            let mut tree = Tree::new();
            for (path, entry) in entries {
                let parents: Vec<Vec<u8>> =
                    path::parents(path.as_bytes()).map(<[u8]>::to_vec).collect();
                for parent in parents {
                    if tree
                        .get(&parent)
                        .is_none_or(|node: &nodeimage_images::Node| node.kind != Kind::Dir)
                    {
                        edit::put(&mut tree, &parent, nodes::dir());
                    }
                }
                let mut node = super::super::testing::tree(&[(&path, entry)])
                    .remove(path.as_bytes())
                    .unwrap();
                if let Kind::HardLink(target) = &mut node.kind {
                    let file = |(other, node): (&Vec<u8>, &nodeimage_images::Node)| {
                        let apart = *other != path.as_bytes()
                            && !other.starts_with(format!("{path}/").as_bytes());
                        (apart && matches!(node.kind, Kind::File(_))).then(|| other.clone())
                    };
                    let Some(found) = tree.iter().find_map(file) else {
                        continue;
                    };
                    *target = found;
                }
                edit::put(&mut tree, path.as_bytes(), node);
            }
            tree
        })
    }

    fn assert_sound(tree: &Tree) {
        for (path, node) in tree {
            for parent in path::parents(path) {
                assert_eq!(
                    tree.get(parent).map(|node| &node.kind),
                    Some(&Kind::Dir),
                    "{path:?}"
                );
            }
            if let Kind::HardLink(target) = &node.kind {
                let target = tree.get(target).map(|node| &node.kind);
                assert!(matches!(target, Some(Kind::File(_))), "{path:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_sound_tree_stays_sound_and_placing_twice_changes_nothing(tree in any_tree()) {
            assert_sound(&tree);
            let root = place(tree.clone(), "", Resolver::Symlink);
            assert_sound(&root);
            assert_sound(&place(tree, "containers/services/x/lower", Resolver::File));
            prop_assert_eq!(place(root.clone(), "", Resolver::Symlink), root);
        }
    }
}
