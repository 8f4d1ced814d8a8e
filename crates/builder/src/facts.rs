//! The images of one locked spec: what the plan of its root file system asks for.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use nodeimage_disk::Sha256;
use nodeimage_images::store::Bucket;
use nodeimage_images::{Data, Digest, Image, Images, Tree, Whole};
use nodeimage_spec::reference::BUILTIN_BOOT;
use nodeimage_spec::{LockedSpec, parse_label, references, whole_images};
use sha2::Digest as _;

use crate::BuildError;
use crate::parallel::parallel;
use crate::rootfs::{BoxError, ImageFacts, ImageInfo, Layout, RootFacts, Trees};

/// The image label with LinuxKit's defaults for a container.
pub(crate) const CONFIG_LABEL: &str = "org.mobyproject.config";
/// The image label of our init.
pub(crate) const INIT_LABEL: &str = "io.nodeimage.init";

/// All images of a locked spec, opened: manifests and configurations, no layers.
#[derive(Debug)]
pub struct OpenImages<'a> {
    images: &'a Images,
    /// Without an image those that only volumes of format `oci` name.
    opened: BTreeMap<String, (Option<Image>, ImageInfo)>,
}

impl<'a> OpenImages<'a> {
    /// Opens every image the spec names, several at once; all failures are reported.
    pub fn open(
        images: &'a Images,
        locked: &LockedSpec,
        threads: NonZeroUsize,
    ) -> Result<Self, BuildError> {
        let names: Vec<String> = references(&locked.spec, locked.architecture)
            .into_iter()
            .filter(|name| name != BUILTIN_BOOT)
            .collect();
        let whole = whole_images(&locked.spec);
        let results = parallel(&names, threads, |name| {
            let opened = match whole.get(name) {
                Some(true) => open_index(images, locked, name)?,
                _ => open(images, locked, name)?,
            };
            if whole.contains_key(name) && opened.1.index.is_some() {
                permit_volumes(images, locked, name)?;
            }
            Ok(opened)
        });
        let mut opened = BTreeMap::new();
        let mut failures = Vec::new();
        for (name, result) in names.into_iter().zip(results) {
            match result {
                Ok(image) => drop(opened.insert(name, image)),
                Err(error) => failures.push(error),
            }
        }
        if failures.is_empty() {
            Ok(Self { images, opened })
        } else {
            Err(BuildError::many(failures))
        }
    }

    /// The image behind a reference of the spec.
    pub fn image(&self, reference: &str) -> Option<&Image> {
        self.opened.get(reference)?.0.as_ref()
    }

    /// Whether the image is our init.
    pub fn is_own_init(&self, reference: &str) -> bool {
        self.image(reference)
            .is_some_and(|image| image.config.labels.contains_key(INIT_LABEL))
    }
}

fn digest<'a>(locked: &'a LockedSpec, name: &str) -> Result<&'a Digest, BuildError> {
    locked.digest(name).ok_or_else(|| BuildError::Unpinned {
        reference: name.to_owned(),
    })
}

/// Asks the trust policies for all that volumes of format `oci` hold of an index.
fn permit_volumes(images: &Images, locked: &LockedSpec, name: &str) -> Result<(), BuildError> {
    let digest = digest(locked, name)?;
    let volumes = locked.spec.volumes.iter().filter(|volume| {
        volume.format.as_deref() == Some("oci") && volume.image.as_deref() == Some(name)
    });
    for volume in volumes {
        let platforms = volume.platforms.as_deref().unwrap_or_default();
        images.permit_whole(name, digest, platforms)?;
    }
    Ok(())
}

/// An image of which a volume holds the index: it need not have the machine's platform.
fn open_index(
    images: &Images,
    locked: &LockedSpec,
    name: &str,
) -> Result<(Option<Image>, ImageInfo), BuildError> {
    let digest = digest(locked, name)?;
    let index = images.is_index(name, digest)?;
    let info = ImageInfo {
        index: index.then(|| digest.to_string()),
        ..ImageInfo::default()
    };
    Ok((None, info))
}

fn open(
    images: &Images,
    locked: &LockedSpec,
    name: &str,
) -> Result<(Option<Image>, ImageInfo), BuildError> {
    let digest = digest(locked, name)?;
    let image = images.open(name, digest, locked.architecture.name())?;
    let label = image
        .config
        .labels
        .get(CONFIG_LABEL)
        .map(|text| parse_label(text))
        .transpose();
    let label = label.map_err(|faults| BuildError::Label {
        reference: name.to_owned(),
        faults,
    })?;
    let info = ImageInfo {
        manifest: image.manifest_digest.to_string(),
        index: (*digest != image.manifest_digest).then(|| digest.to_string()),
        config: image.config.clone(),
        label,
    };
    Ok((Some(image), info))
}

impl ImageFacts for OpenImages<'_> {
    fn info(&self, reference: &str) -> Option<&ImageInfo> {
        self.opened.get(reference).map(|(_, info)| info)
    }

    fn root(&self, reference: &str) -> Result<RootFacts, BoxError> {
        let Some((Some(image), info)) = self.opened.get(reference) else {
            return Err("the image was not opened".into());
        };
        let key: Sha256 = sha2::Sha256::digest(format!("root facts 1 {}", info.manifest)).into();
        let store = self.images.store();
        if let Some(entry) = store.get_sound(Bucket::Images, &key)?
            && let Ok(facts) = serde_json::from_slice(&entry.read()?)
        {
            return Ok(facts);
        }
        let facts = RootFacts::of(&self.images.tree(image)?);
        store.replace(Bucket::Images, &key, &serde_json::to_vec(&facts)?, b"")?;
        Ok(facts)
    }
}

impl Trees for OpenImages<'_> {
    fn tree(&self, reference: &str) -> Result<Tree, BoxError> {
        let image = self.image(reference).ok_or("the image was not opened")?;
        Ok(self.images.tree(image)?)
    }

    fn entries(&self, reference: &str) -> Result<u64, BoxError> {
        let image = self.image(reference).ok_or("the image was not opened")?;
        Ok(self.images.entries(image)?)
    }

    fn tar_tree(&self, data: &Data, name: &str) -> Result<Tree, BoxError> {
        Ok(self.images.tar_tree(data, name)?)
    }

    fn layout(&self, reference: &str, platforms: &[String]) -> Result<Layout, BoxError> {
        let (_, info) = self
            .opened
            .get(reference)
            .ok_or("the image was not opened")?;
        let digest = info.index.as_deref().ok_or("the image has no index")?;
        let digest: Digest = digest.parse()?;
        let Whole { index, blobs } = self.images.whole(reference, &digest, platforms)?;
        let blobs = blobs.into_iter();
        Ok(Layout {
            index,
            digest: *digest.bytes(),
            blobs: blobs
                .map(|(digest, blob)| (*digest.bytes(), blob))
                .collect(),
        })
    }
}
