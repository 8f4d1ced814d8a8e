//! `nodeimage_file`

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tfplugin::resource::Plan;
use tfplugin::{Cx, Diagnose, Diagnostic, Diagnostics, Resource, Val, model, path};

use crate::intact::is_intact;
use crate::reference::ImageReference;
use crate::workshop::Workshop;

model! {
    /// An image as a file on the machine that runs Terraform. A file that is missing or was changed
    /// is written again.
    pub struct FileModel {
        /// The image: `nodeimage_image.NAME`.
        image: ImageReference = required(),
        /// Where it is written. Missing directories are made. It has another name until it is
        /// complete.
        path: String = required().replace(),
        /// Its format: `raw`.
        format: String = optional().default_str("raw").one_of(&["raw"]).replace(),
        /// sha256 of the disk's block map: the identity of its bytes, the same in every format.
        disk_digest: String = computed(),
        /// The file's length in bytes.
        size: i64 = computed(),
    }
}

/// The resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileResource;

/// Kept beside the state: if the file still looks like this, nobody has written to it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    mtime: i64,
    mtime_nsec: i64,
    ctime: i64,
    ctime_nsec: i64,
    inode: u64,
}

impl Seen {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self {
            mtime: metadata.mtime(),
            mtime_nsec: metadata.mtime_nsec(),
            // Unlike the others it can't be set back.
            ctime: metadata.ctime(),
            ctime_nsec: metadata.ctime_nsec(),
            inode: metadata.ino(),
        })
    }
}

impl Resource for FileResource {
    type Model = FileModel;
    const NAME: &'static str = "file";

    fn validate(&self, _: &mut Cx, config: &FileModel) -> Result<(), Diagnostics> {
        if let Val::Known(image) = &config.image {
            image.validate(&path!("image"))?;
        }
        match config.path.known() {
            Some(path) if path.is_empty() || path.ends_with('/') => {
                let text = "The path must end in a file's name.";
                Err(Diagnostic::error("Not a file", text)
                    .at(path!("path"))
                    .into())
            }
            _ => Ok(()),
        }
    }

    fn plan(&self, _: &mut Cx, plan: &mut Plan<FileModel>) -> Result<(), Diagnostics> {
        let id = |model: &FileModel| {
            model
                .image
                .known()
                .and_then(|image| image.id.known().cloned())
        };
        let Some(prior) = &plan.prior else {
            return Ok(());
        };
        // The same image has the same bytes.
        if id(&plan.planned).is_some() && id(&plan.planned) == id(prior) {
            plan.planned.disk_digest = prior.disk_digest.clone();
            plan.planned.size = prior.size.clone();
        }
        Ok(())
    }

    fn create(
        &self,
        cx: &mut Cx,
        config: &FileModel,
        state: &mut FileModel,
    ) -> Result<(), Diagnostics> {
        write(cx, config, state)
    }

    fn read(&self, cx: &mut Cx, state: FileModel) -> Result<Option<FileModel>, Diagnostics> {
        let path = Path::new(state.path.require(path!("path"))?);
        let (Val::Known(digest), Val::Known(size)) = (&state.disk_digest, &state.size) else {
            return Ok(Some(state));
        };
        let metadata = match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.diagnose_at(path!("path"), "Can't read the file")?,
        };
        if !metadata.is_file() || i64::try_from(metadata.len()) != Ok(*size) {
            return Ok(None);
        }
        let known: Option<Seen> = serde_json::from_slice(cx.private()).ok();
        let seen = Seen::of(path).diagnose_at(path!("path"), "Can't read the file")?;
        if known.as_ref() == Some(&seen) {
            return Ok(Some(state));
        }
        // Somebody touched it, or copied it here: its bytes decide.
        let intact = is_intact(path, metadata.len(), digest, cx.cancel())
            .diagnose_at(path!("path"), "Can't read the file")?;
        if intact {
            cx.set_private(serde_json::to_vec(&seen).unwrap_or_default());
        }
        Ok(intact.then_some(state))
    }

    fn update(
        &self,
        cx: &mut Cx,
        config: &FileModel,
        prior: &FileModel,
        state: &mut FileModel,
    ) -> Result<(), Diagnostics> {
        let id = |model: &FileModel| model.image.known().map(|image| image.id.clone());
        if id(prior) == id(state) && prior.disk_digest.is_known() {
            state.disk_digest = prior.disk_digest.clone();
            state.size = prior.size.clone();
            return Ok(());
        }
        write(cx, config, state)
    }

    fn delete(&self, cx: &mut Cx, state: &mut FileModel) -> Result<(), Diagnostics> {
        let path = state.path.require(path!("path"))?;
        let known: Option<Seen> = serde_json::from_slice(cx.private()).ok();
        // With `create_before_destroy` the new file has this name already.
        if let (Some(known), Ok(seen)) = (known, Seen::of(Path::new(path)))
            && known.inode != seen.inode
        {
            return Ok(());
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).diagnose_at(path!("path"), "Can't remove the file")
            }
            _ => Ok(()),
        }
    }
}

fn write(cx: &mut Cx, config: &FileModel, state: &mut FileModel) -> Result<(), Diagnostics> {
    let image = config.image.require(path!("image"))?;
    let locked = image.locked(&path!("image"))?;
    let path = state.path.require(path!("path"))?.clone();
    let path = Path::new(&path);
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).diagnose_at(path!("path"), "Can't make the directory")?;
    }
    let workshop = cx.provider::<Workshop>()?;
    let (disk, written) = workshop.write_raw(&locked, path)?;
    state.disk_digest = format!("sha256:{}", hex::encode(disk.map.digest())).into();
    state.size = i64::try_from(written.len).unwrap_or(i64::MAX).into();
    let seen = Seen::of(path).diagnose_at(path!("path"), "Can't read the file")?;
    cx.set_private(serde_json::to_vec(&seen).unwrap_or_default());
    Ok(())
}
