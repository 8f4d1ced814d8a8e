//! What belongs to the boot loader and not into an initrd.

use std::collections::BTreeMap;

use nodeimage_images::{Kind, Tree};

/// The tree as it goes into an initrd: without everything below `boot`. The directory itself stays,
/// as in LinuxKit, and so do files below it that have another name elsewhere, under that name.
pub fn without_boot(mut tree: Tree) -> Tree {
    let is_boot = |path: &[u8]| path.starts_with(b"boot/");
    let mut heirs: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for (path, node) in &tree {
        if let Kind::HardLink(target) = &node.kind
            && is_boot(target)
            && !is_boot(path)
        {
            heirs.entry(target.clone()).or_insert_with(|| path.clone());
        }
    }
    for (target, heir) in &heirs {
        if let Some(file) = tree.get(target).cloned() {
            tree.insert(heir.clone(), file);
        }
    }
    tree.retain(|path, _| !is_boot(path));
    for node in tree.values_mut() {
        if let Kind::HardLink(target) = &mut node.kind
            && let Some(heir) = heirs.get(target)
        {
            target.clone_from(heir);
        }
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Entry, names, text, tree};
    use super::*;

    #[test]
    fn a_file_with_a_name_elsewhere_stays_there() {
        // As in images made by ostree.
        let tree = tree(&[
            ("boot/vmlinuz", Entry::File("k")),
            ("boot/vmlinuz.old", Entry::Hard("boot/vmlinuz")),
            ("usr/lib/modules/6/vmlinuz", Entry::Hard("boot/vmlinuz")),
            ("usr/vmlinuz", Entry::Hard("boot/vmlinuz")),
            ("x", Entry::File("x")),
            ("y", Entry::Hard("x")),
        ]);
        let tree = without_boot(tree);
        let kept = ["usr/lib/modules/6/vmlinuz", "usr/vmlinuz", "x", "y"];
        assert_eq!(names(&tree), kept);
        assert_eq!(text(&tree, kept[0]), "k");
        let link = |to: &str| Kind::HardLink(to.into());
        assert_eq!(tree[kept[1].as_bytes()].kind, link(kept[0]));
        assert_eq!(tree[kept[3].as_bytes()].kind, link("x"));
    }

    #[test]
    fn the_directory_stays() {
        let tree = tree(&[
            ("boot", Entry::Dir(0o755)),
            ("boot/kernel", Entry::File("k")),
            ("bootx", Entry::File("")),
            ("lib/boot/x", Entry::File("")),
        ]);
        assert_eq!(names(&without_boot(tree)), ["boot", "bootx", "lib/boot/x"]);
    }
}
