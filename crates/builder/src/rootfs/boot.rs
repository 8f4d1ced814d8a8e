//! What belongs to the boot loader and not into an initrd.

use nodeimage_images::Tree;

/// The tree as it goes into an initrd: without everything below `boot`. The directory itself stays,
/// as in LinuxKit.
pub fn without_boot(mut tree: Tree) -> Tree {
    tree.retain(|path, _| !path.starts_with(b"boot/"));
    tree
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Entry, names, tree};
    use super::*;

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
