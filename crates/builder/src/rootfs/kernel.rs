//! The kernel image: the kernel, its command line, microcode and modules. Everything else in it is
//! left out.

use nodeimage_images::{Data, Kind, Tree};
use nodeimage_spec::model::Kernel;

use super::{BoxError, Error, Links, Trees, edit, links, nodes};

/// What is taken from the kernel image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelParts {
    /// The kernel.
    pub kernel: Data,
    /// Permission bits it has in the image.
    pub mode: u32,
    /// The command line, verbatim.
    pub cmdline: String,
    /// The microcode cpio and its permission bits.
    pub ucode: Option<(Data, u32)>,
    /// The tar of the modules, whose entries go to the root.
    pub tar: Option<Data>,
}

/// The path of the modules' tar in the image, if one is wanted.
pub(super) fn tar_path(kernel: &Kernel) -> Option<&str> {
    Some(kernel.tar.as_deref().unwrap_or("kernel.tar")).filter(|path| !matches!(*path, "" | "none"))
}

/// The path of the kernel in the image.
pub(super) fn binary_path(kernel: &Kernel) -> &str {
    kernel
        .binary
        .as_deref()
        .filter(|path| !path.is_empty())
        .unwrap_or("kernel")
}

/// The path of the microcode in the image, if any is wanted.
pub(super) fn ucode_path(kernel: &Kernel) -> Option<&str> {
    kernel.ucode.as_deref().filter(|path| !path.is_empty())
}

/// Finds the parts in the image's tree. Paths are compared exactly: no leading slash.
pub fn kernel_parts(kernel: &Kernel, reference: &str, image: &Tree) -> Result<KernelParts, Error> {
    let missing = |what, path: &str, key| Error::KernelMissing {
        reference: reference.to_owned(),
        what,
        path: path.to_owned(),
        key,
    };
    let find = |path: &str, key: &'static str| match regular(image, path) {
        Found::File(data, mode) => Ok(Some((data, mode))),
        Found::Nothing => Ok(None),
        Found::Other => Err(Error::KernelNotAFile {
            reference: reference.to_owned(),
            path: path.to_owned(),
            key,
        }),
    };
    let binary = binary_path(kernel);
    let (data, mode) =
        find(binary, "binary")?.ok_or_else(|| missing("kernel", binary, "binary"))?;
    let tar = match tar_path(kernel) {
        Some(path) => {
            let (data, _) = find(path, "tar")?.ok_or_else(|| missing("kernel tar", path, "tar"))?;
            Some(data)
        }
        None => None,
    };
    let ucode = match ucode_path(kernel) {
        Some(path) => find(path, "ucode")?,
        None => None,
    };
    let cmdline = kernel.cmdline.clone().unwrap_or_default();
    Ok(KernelParts {
        kernel: data,
        mode,
        cmdline,
        ucode,
        tar,
    })
}

enum Found {
    File(Data, u32),
    Nothing,
    Other,
}

fn regular(image: &Tree, path: &str) -> Found {
    let Some(mut node) = image.get(path.as_bytes()) else {
        return Found::Nothing;
    };
    if let Kind::HardLink(target) = &node.kind {
        let Some(file) = image.get(target) else {
            return Found::Other;
        };
        node = file;
    }
    match &node.kind {
        Kind::File(data) => Found::File(data.clone(), node.mode),
        _ => Found::Other,
    }
}

/// The kernel component: `boot`, then the tar's entries with their own metadata, directories put
/// through the links of the init images.
pub(super) fn tree(
    kernel: &Kernel,
    reference: &str,
    links: &Links,
    trees: &dyn Trees,
) -> Result<Tree, Error> {
    let image = trees.tree(reference).map_err(|source| Error::Image {
        reference: reference.to_owned(),
        source,
    })?;
    let parts = kernel_parts(kernel, reference, &image)?;
    let mut tree = Tree::new();
    tree.insert(b"boot".to_vec(), nodes::dir());
    tree.insert(
        b"boot/cmdline".to_vec(),
        nodes::file(parts.cmdline.into_bytes()),
    );
    tree.insert(
        b"boot/kernel".to_vec(),
        nodes::data(parts.kernel, parts.mode),
    );
    if let Some((data, mode)) = parts.ucode {
        tree.insert(b"boot/ucode.cpio".to_vec(), nodes::data(data, mode));
    }
    if let (Some(tar), Some(path)) = (parts.tar, tar_path(kernel)) {
        let modules = modules(&tar, reference, path, trees)?;
        if tree.keys().any(|path| modules.contains_key(path)) {
            for (path, node) in modules {
                edit::put(&mut tree, &path, node);
            }
        } else {
            tree.extend(modules);
        }
    }
    links
        .place(tree, links::Above::Make)
        .map_err(|(name, reason)| Error::Link {
            component: "kernel".to_owned(),
            name,
            reason,
        })
}

fn modules(tar: &Data, reference: &str, path: &str, trees: &dyn Trees) -> Result<Tree, Error> {
    let unreadable = |source: BoxError| Error::KernelTar {
        reference: reference.to_owned(),
        path: path.to_owned(),
        source,
    };
    if let Some(codec) = compressed(tar).map_err(|error| unreadable(error.into()))? {
        return Err(Error::KernelTarCompressed {
            reference: reference.to_owned(),
            path: path.to_owned(),
            codec,
        });
    }
    trees
        .tar_tree(tar, &format!("{reference}: {path}"))
        .map_err(unreadable)
}

/// What the data is compressed with, judged by its first bytes.
fn compressed(data: &Data) -> std::io::Result<Option<&'static str>> {
    use std::io::Read as _;
    let mut start = Vec::with_capacity(6);
    data.open()?
        .take(data.len().min(6))
        .read_to_end(&mut start)?;
    Ok(match start.as_slice() {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Some("xz"),
        [b'B', b'Z', b'h', ..] => Some("bzip2"),
        _ => None,
    })
}

#[cfg(test)]
#[path = "kernel_tests.rs"]
mod tests;
