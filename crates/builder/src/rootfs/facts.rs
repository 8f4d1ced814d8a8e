//! What is asked of whoever holds the images.

use std::collections::BTreeSet;

use nodeimage_images::{Data, ImageConfig, Kind, Tree};
use nodeimage_spec::model::Options;
use serde::{Deserialize, Serialize};

use super::{BoxError, Layout, Links, apk, place};

/// What is known of an image without reading a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageInfo {
    /// Digest of its manifest for the architecture, `sha256:…`: decides its files.
    pub manifest: String,
    /// Digest of its index, when it has one.
    pub index: Option<String>,
    /// Its configuration.
    pub config: ImageConfig,
    /// Its parsed `org.mobyproject.config` label.
    pub label: Option<Options>,
}

/// Facts of the images a spec names.
pub trait ImageFacts {
    /// What is known of the image; `None` if it was never resolved.
    fn info(&self, reference: &str) -> Option<&ImageInfo>;

    /// The top level of an `init` image: [`RootFacts::of`] its tree, kept under its manifest digest.
    fn root(&self, reference: &str) -> Result<RootFacts, BoxError>;
}

/// The trees of the images, asked for only when a component must be made.
pub trait Trees {
    /// The flattened tree of the image.
    fn tree(&self, reference: &str) -> Result<Tree, BoxError>;

    /// How many entries the image's layers have: what its tree costs.
    fn entries(&self, reference: &str) -> Result<u64, BoxError>;

    /// The tree of a plain tar that is itself a file of an image; `name` is for messages.
    fn tar_tree(&self, tar: &Data, name: &str) -> Result<Tree, BoxError>;

    /// The image's blobs, for a volume of format `oci`: of the platforms (`os/arch[/variant]`), or
    /// of all when there are none.
    fn layout(&self, reference: &str, platforms: &[String]) -> Result<Layout, BoxError>;
}

/// What the plan must know of an `init` image's files; small, and kept in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFacts {
    /// Its symbolic links at the top level.
    pub links: Links,
    /// Its directories at the top level.
    pub dirs: BTreeSet<Vec<u8>>,
    /// Whether it has an apk package database.
    pub apk: bool,
}

impl RootFacts {
    /// The facts of an image's tree.
    pub fn of(image: &Tree) -> Self {
        let mut facts = Self {
            apk: apk::has_database(image),
            ..Self::default()
        };
        for (path, node) in image {
            let top = path.split(|byte| *byte == b'/').next().unwrap_or_default();
            if top.is_empty() || place::replaces(top) {
                continue;
            }
            if top.len() < path.len() || node.kind == Kind::Dir {
                if !facts.dirs.contains(top) {
                    facts.dirs.insert(top.to_vec());
                }
            } else if let Kind::Symlink(target) = &node.kind {
                facts.links.insert(top.to_vec(), target.clone());
            }
        }
        facts.dirs.extend(place::directories().map(<[u8]>::to_vec));
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Entry, tree};
    use super::*;

    #[test]
    fn top_level_only_and_not_what_is_replaced() {
        let image = tree(&[
            ("lib", Entry::Link("usr/lib")),
            ("etc", Entry::Link("usr/etc")),
            ("usr/lib/x", Entry::File("1")),
            ("usr/lib64", Entry::Link("lib")),
            ("bin", Entry::Dir(0o755)),
            ("init", Entry::File("i")),
        ]);
        let facts = RootFacts::of(&image);
        assert_eq!(
            facts.links.iter().collect::<Vec<_>>(),
            [(&b"lib"[..], &b"usr/lib"[..])]
        );
        let dirs: Vec<_> = facts.dirs.iter().map(Vec::as_slice).collect();
        assert_eq!(dirs, [&b"bin"[..], b"dev", b"etc", b"proc", b"sys", b"usr"]);
        assert!(!facts.apk);
        let json = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<RootFacts>(&json).unwrap(), facts);
    }
}
