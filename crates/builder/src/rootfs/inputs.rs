//! What decides a component's bytes, and its digest, which is the key of its segment in the store.

use nodeimage_disk::Sha256;
use nodeimage_images::{Data, Kind, Tree};
use sha2::{Digest, Sha256 as Hasher};

use super::{Links, Resolver};

/// What decides a component's bytes. References and labels are not in it: equal files at an equal
/// place are one segment, whatever the image is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// The kernel image's manifest and what is taken from it.
    Kernel {
        /// Digest of the manifest.
        manifest: String,
        /// Path of the kernel.
        binary: String,
        /// Path of the modules' tar.
        tar: Option<String>,
        /// Path of the microcode.
        ucode: Option<String>,
        /// The command line.
        cmdline: String,
        /// The init images' top-level links.
        links: Links,
    },
    /// An image's manifest and where its files go.
    Image {
        /// Digest of the manifest.
        manifest: String,
        /// The directory, relative to the root; empty for the root.
        place: String,
        /// What its resolv.conf becomes.
        resolver: Resolver,
        /// Empty directories that belong to it.
        beside: Vec<String>,
        /// The other init images' top-level links that concern it.
        links: Links,
    },
    /// Manifests of the init images with package databases.
    ApkDatabases {
        /// Their digests, in order.
        manifests: Vec<String>,
        /// The init images' top-level links.
        links: Links,
    },
    /// A whole image, as an image layout.
    Layout {
        /// Digest of its index.
        index: String,
        /// The reference, which stands in the layout.
        reference: String,
        /// Which platforms; none for all.
        platforms: Vec<String>,
        /// The directory, relative to the root.
        place: String,
        /// Empty directories that belong to it.
        beside: Vec<String>,
    },
    /// The digest of all nodes with their bytes: nothing but the spec decides it.
    Tree(Sha256),
}

impl Inputs {
    /// A digest of all of it.
    pub fn digest(&self) -> Sha256 {
        let mut key = Key::default();
        match self {
            Self::Kernel {
                manifest,
                binary,
                tar,
                ucode,
                cmdline,
                links,
            } => {
                key.text("kernel").text(manifest).text(binary);
                key.list(tar).list(ucode).text(cmdline).links(links);
            }
            Self::Image {
                manifest,
                place,
                resolver,
                beside,
                links,
            } => {
                let resolver = match resolver {
                    Resolver::Symlink => "symlink",
                    Resolver::File => "file",
                };
                key.text("image").text(manifest).text(place).text(resolver);
                key.list(beside).links(links);
            }
            Self::ApkDatabases { manifests, links } => {
                key.text("apk").list(manifests).links(links);
            }
            Self::Layout {
                index,
                reference,
                platforms,
                place,
                beside,
            } => {
                key.text("layout").text(index).text(reference);
                key.list(platforms).text(place).list(beside);
            }
            Self::Tree(digest) => {
                key.text("tree").bytes(digest);
            }
        }
        key.finish()
    }

    /// Of a tree whose files are all in memory; a stored one counts with its path and range.
    pub(super) fn of_tree(tree: &Tree) -> Self {
        let mut key = Key::default();
        key.number(tree.len() as u64);
        for (path, node) in tree {
            key.bytes(path)
                .number(node.mode.into())
                .number(node.uid.into());
            key.number(node.gid.into()).bytes(&node.mtime.to_le_bytes());
            key.number(node.xattrs.len() as u64);
            for (name, value) in &node.xattrs {
                key.bytes(name).bytes(value);
            }
            key.kind(&node.kind);
        }
        Self::Tree(key.finish())
    }
}

/// Hashes fields so that no two lists of fields give the same bytes.
#[derive(Default)]
struct Key(Hasher);

impl Key {
    fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(number.to_le_bytes());
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn list<'a>(&mut self, list: impl IntoIterator<Item = &'a String>) -> &mut Self {
        let list: Vec<&String> = list.into_iter().collect();
        self.number(list.len() as u64);
        for text in list {
            self.text(text);
        }
        self
    }

    fn links(&mut self, links: &Links) -> &mut Self {
        self.number(links.iter().count() as u64);
        for (name, target) in links.iter() {
            self.bytes(name).bytes(target);
        }
        self
    }

    fn kind(&mut self, kind: &Kind) -> &mut Self {
        match kind {
            Kind::Dir => self.text("dir"),
            Kind::File(Data::Bytes(bytes)) => self.text("bytes").bytes(bytes),
            Kind::File(Data::Stored { file, offset, len }) => self
                .text("stored")
                .bytes(file.path.as_os_str().as_encoded_bytes())
                .number(*offset)
                .number(*len),
            Kind::Symlink(target) => self.text("symlink").bytes(target),
            Kind::HardLink(target) => self.text("hard link").bytes(target),
            Kind::Char { major, minor } => self
                .text("char")
                .number((*major).into())
                .number((*minor).into()),
            Kind::Block { major, minor } => self
                .text("block")
                .number((*major).into())
                .number((*minor).into()),
            Kind::Fifo => self.text("fifo"),
        }
    }

    fn finish(self) -> Sha256 {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Entry, tree};
    use super::*;

    #[test]
    fn every_field_counts_and_fields_do_not_run_together() {
        let image = |manifest: &str, place: &str, resolver, beside: &[&str], link: Option<&str>| {
            let mut links = Links::default();
            if let Some(target) = link {
                links.insert(b"lib".to_vec(), target.as_bytes().to_vec());
            }
            let beside = beside.iter().map(|b| (*b).to_owned()).collect();
            Inputs::Image {
                manifest: manifest.into(),
                place: place.into(),
                resolver,
                beside,
                links,
            }
        };
        let kernel = |tar: Option<&str>, ucode: Option<&str>| Inputs::Kernel {
            manifest: "m".into(),
            binary: "kernel".into(),
            tar: tar.map(Into::into),
            ucode: ucode.map(Into::into),
            cmdline: String::new(),
            links: Links::default(),
        };
        let all = [
            image("ab", "c", Resolver::File, &[], None),
            image("a", "bc", Resolver::File, &[], None),
            image("ab", "c", Resolver::Symlink, &[], None),
            image("ab", "c", Resolver::File, &["x", "y"], None),
            image("ab", "c", Resolver::File, &["xy"], None),
            image("ab", "c", Resolver::File, &[], Some("usr/lib")),
            image("ab", "c", Resolver::File, &[], Some("/usr/lib")),
            kernel(None, None),
            kernel(Some("x"), None),
            kernel(None, Some("x")),
            Inputs::of_tree(&tree(&[("a", Entry::File("b"))])),
            Inputs::of_tree(&tree(&[("a", Entry::Link("b"))])),
            Inputs::of_tree(&tree(&[("a", Entry::Dir(0o755))])),
            Inputs::of_tree(&tree(&[("a", Entry::Dir(0o700))])),
            Inputs::of_tree(&tree(&[("a", Entry::Char(1, 2))])),
            Inputs::of_tree(&tree(&[("a", Entry::Char(2, 1))])),
        ];
        let digests: std::collections::BTreeSet<_> = all.iter().map(Inputs::digest).collect();
        assert_eq!(digests.len(), all.len());
    }
}
