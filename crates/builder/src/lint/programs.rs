//! Whether the root has the programs that start it and its containers.

use nodeimage_images::{Kind, Tree};
use nodeimage_spec::Spec;

/// Where programs lie.
const FOLDERS: [&str; 6] = [
    "usr/bin",
    "bin",
    "usr/local/bin",
    "sbin",
    "usr/sbin",
    "usr/local/sbin",
];

/// Whether an image, or `files`, brings the program of this name.
pub(super) fn has_program(spec: &Spec, trees: &[Tree], name: &str) -> bool {
    FOLDERS
        .iter()
        .any(|folder| has_file(spec, trees, &format!("{folder}/{name}")))
}

/// Whether an image, or `files`, brings a file or a link at this path.
pub(super) fn has_file(spec: &Spec, trees: &[Tree], path: &str) -> bool {
    let in_images = trees.iter().any(|tree| {
        tree.get(path.as_bytes()).is_some_and(|node| {
            matches!(
                node.kind,
                Kind::File(_) | Kind::HardLink(_) | Kind::Symlink(_)
            )
        })
    });
    let mut files = spec.files.iter();
    in_images
        || files
            .any(|file| file.directory != Some(true) && file.path.trim_start_matches('/') == path)
}
