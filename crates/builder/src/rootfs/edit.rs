//! Changing a tree so that it stays one: no child without its directory, no hard link without its
//! file.

use nodeimage_images::{Kind, Node, Tree};

use super::nodes;

/// Whether anything lies below `path`.
pub(super) fn has_children(tree: &Tree, path: &[u8]) -> bool {
    let below = [path, b"/"].concat();
    tree.range(below.clone()..)
        .next()
        .is_some_and(|(next, _)| next.starts_with(&below))
}

/// Puts a node in the place of whatever is there, as unpacking it over that would. What lies below
/// stays if the node is a directory, and goes if not.
pub(super) fn put(tree: &mut Tree, path: &[u8], node: Node) {
    if node.kind != Kind::Dir && has_children(tree, path) {
        let below = [path, b"/"].concat();
        let gone: Vec<Vec<u8>> = tree
            .range(below.clone()..)
            .map(|(path, _)| path.clone())
            .take_while(|path| path.starts_with(&below))
            .collect();
        for path in gone.iter().rev() {
            remove(tree, path);
        }
    }
    remove(tree, path);
    tree.insert(path.to_vec(), node);
}

/// Leaves the entry out; a directory with anything below stays, as a plain one.
pub(super) fn leave_out(tree: &mut Tree, path: &[u8]) {
    if !tree.contains_key(path) {
        return;
    }
    if has_children(tree, path) {
        tree.insert(path.to_vec(), nodes::dir());
    } else {
        remove(tree, path);
    }
}

/// Removes one entry. If it is a file with other names, the first of them becomes the file.
fn remove(tree: &mut Tree, path: &[u8]) {
    let Some(mut node) = tree.remove(path) else {
        return;
    };
    if !matches!(node.kind, Kind::File(_)) {
        return;
    }
    let is_name = |kind: &Kind| matches!(kind, Kind::HardLink(target) if target == path);
    let mut others = tree.iter_mut().filter(|(_, other)| is_name(&other.kind));
    let Some((heir, first)) = others.next() else {
        return;
    };
    std::mem::swap(first, &mut node);
    for (_, other) in others {
        other.kind = Kind::HardLink(heir.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Entry, names, text, tree};
    use super::*;

    #[test]
    fn other_names_of_a_removed_file_keep_it() {
        let mut tree = tree(&[
            ("a", Entry::File("data")),
            ("b", Entry::Hard("a")),
            ("c", Entry::Hard("a")),
            ("d", Entry::File("other")),
            ("e", Entry::Hard("d")),
        ]);
        leave_out(&mut tree, b"a");
        assert_eq!(names(&tree), ["b", "c", "d", "e"]);
        assert_eq!(text(&tree, "b"), "data");
        assert_eq!(tree[b"c".as_slice()].kind, Kind::HardLink(b"b".to_vec()));
        assert_eq!(tree[b"e".as_slice()].kind, Kind::HardLink(b"d".to_vec()));
    }

    #[test]
    fn a_file_over_a_directory_takes_all_below_away() {
        let mut tree = tree(&[
            ("x", Entry::Dir(0o755)),
            ("x-y", Entry::File("kept")),
            ("x/a", Entry::File("1")),
            ("x0", Entry::Hard("x/a")),
        ]);
        put(&mut tree, b"x", nodes::file(*b"new"));
        assert_eq!(names(&tree), ["x", "x-y", "x0"]);
        assert_eq!(text(&tree, "x0"), "1");
    }

    #[test]
    fn a_directory_keeps_what_lies_below() {
        let mut tree = tree(&[("x", Entry::Dir(0o700)), ("x/a", Entry::File("1"))]);
        put(&mut tree, b"x", nodes::dir());
        assert_eq!(
            (names(&tree), tree[b"x".as_slice()].mode),
            (vec!["x".into(), "x/a".into()], 0o755)
        );
        leave_out(&mut tree, b"x");
        leave_out(&mut tree, b"nothing");
        assert_eq!(names(&tree), ["x", "x/a"]);
    }
}
