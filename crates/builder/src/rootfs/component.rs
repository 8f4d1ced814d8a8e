//! One component: what it is, what decides its bytes and how it is made.

use nodeimage_images::Tree;
use nodeimage_spec::Reference;
use nodeimage_spec::model::Kernel;

use super::{
    Error, ImageFacts, ImageInfo, Inputs, Links, Resolver, Trees, apk, kernel, links, oci_layout,
    place, volume,
};

/// One component of the root file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Where it comes from in the spec: `kernel`, `init[0]`, `services[1]`, `services configs` ….
    pub label: String,
    /// The image's reference, or `linuxkit.files`, `linuxkit.bundles`, `LINUXKIT.apkinit`, `empty`.
    pub source: String,
    /// What decides its bytes.
    pub inputs: Inputs,
    /// How it is made.
    pub build: Build,
}

/// How a component is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Build {
    /// The kernel image's parts.
    Kernel {
        /// The image.
        reference: String,
        /// Its section.
        kernel: Kernel,
        /// The init images' top-level links.
        links: Links,
    },
    /// An image's files.
    Image {
        /// The image.
        reference: String,
        /// The directory, relative to the root; empty for the root.
        place: String,
        /// What its resolv.conf becomes.
        resolver: Resolver,
        /// Empty directories that belong to it.
        beside: Vec<String>,
        /// The other init images' top-level links that concern it.
        links: Links,
    },
    /// The package databases of several init images as one.
    ApkDatabases {
        /// The images.
        references: Vec<String>,
        /// The init images' top-level links.
        links: Links,
    },
    /// A whole image, as an image layout.
    Layout {
        /// The image.
        reference: String,
        /// Which platforms; none for all.
        platforms: Vec<String>,
        /// The directory, relative to the root.
        place: String,
        /// Empty directories that belong to it.
        beside: Vec<String>,
    },
    /// Already there: generated files.
    Tree(Tree),
}

impl Component {
    /// Generated files.
    pub(super) fn of_tree(label: impl Into<String>, source: &str, tree: Tree) -> Self {
        Self {
            label: label.into(),
            source: source.to_owned(),
            inputs: Inputs::of_tree(&tree),
            build: Build::Tree(tree),
        }
    }

    /// What its place on a disk follows from: its name rather than its version or its number, so
    /// that neither an update nor a neighbour that comes or goes moves it.
    pub fn identity(&self) -> String {
        match &self.build {
            Build::Image {
                place, reference, ..
            } if place.is_empty() => {
                let parsed = Reference::parse(reference);
                let name = parsed
                    .as_ref()
                    .map_or(reference.as_str(), |it| it.repository());
                format!("init {name}")
            }
            Build::Image { place, .. } | Build::Layout { place, .. } => {
                let parts = place.split('/').map(|part| match part.split_once('-') {
                    Some((number, name)) if number.bytes().all(|it| it.is_ascii_digit()) => name,
                    _ => part,
                });
                parts.collect::<Vec<_>>().join("/")
            }
            Build::Kernel { .. } | Build::ApkDatabases { .. } | Build::Tree(_) => {
                self.label.clone()
            }
        }
    }

    /// How many entries the images it is made from have.
    pub fn entries(&self, trees: &dyn Trees) -> Result<u64, Error> {
        let references = match &self.build {
            Build::Kernel { reference, .. } | Build::Image { reference, .. } => {
                std::slice::from_ref(reference)
            }
            Build::ApkDatabases { references, .. } => references,
            Build::Layout { .. } | Build::Tree(_) => &[],
        };
        let mut entries = 0;
        for reference in references {
            entries += trees.entries(reference).map_err(|source| Error::Image {
                reference: reference.clone(),
                source,
            })?;
        }
        Ok(entries)
    }

    /// Makes the tree: paths are relative to the root. Directories above may be an earlier
    /// component's alone.
    pub fn tree(&self, trees: &dyn Trees) -> Result<Tree, Error> {
        let read = |reference: &str, result: Result<_, _>| {
            result.map_err(|source| Error::Image {
                reference: reference.to_owned(),
                source,
            })
        };
        match &self.build {
            Build::Kernel {
                reference,
                kernel,
                links,
            } => kernel::tree(kernel, reference, links, trees),
            Build::Image {
                reference,
                place,
                resolver,
                beside,
                links,
            } => {
                let image = read(reference, trees.tree(reference))?;
                let mut tree = place::place(image, place, *resolver);
                volume::add_beside(&mut tree, beside);
                links
                    .place(tree, links::Above::Make)
                    .map_err(|(name, reason)| Error::Link {
                        component: self.label.clone(),
                        name,
                        reason,
                    })
            }
            Build::ApkDatabases { references, links } => apk::union(references, links, trees),
            Build::Layout {
                reference,
                platforms,
                place,
                beside,
            } => {
                let layout = trees
                    .layout(reference, platforms)
                    .map_err(|source| Error::Image {
                        reference: reference.clone(),
                        source,
                    })?;
                let mut tree = oci_layout::tree(&layout, reference, place)?;
                volume::add_beside(&mut tree, beside);
                Ok(tree)
            }
            Build::Tree(tree) => Ok(tree.clone()),
        }
    }
}

/// What is known of an image; an error if nothing is.
pub(super) fn info<'a>(
    images: &'a dyn ImageFacts,
    reference: &str,
) -> Result<&'a ImageInfo, Error> {
    images.info(reference).ok_or_else(|| Error::UnknownImage {
        reference: reference.to_owned(),
    })
}
