//! A [`Builder`] from settings: store, sources, registries. What the command line and the provider
//! share; the defaults that depend on the machine come from [`Settings::from_env`].

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nodeimage_images::config::{Config, ConfigError};
use nodeimage_images::store::{Store, StoreError, StoreLimits};
use nodeimage_images::{Images, Progress, Silent};
use nodeimage_registry::{Cancel, Login};

use crate::Builder;
use crate::remote::Registries;

/// The name of the file that says where images are read on this machine.
pub const CONFIG_NAME: &str = "nodeimage.toml";

/// Where things are on this machine, and how much of it may be used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The store's directory.
    pub store: PathBuf,
    /// How large it may become.
    pub limits: StoreLimits,
    /// `nodeimage.toml`, if there is one.
    pub config: Config,
    /// Whether registries may be asked at all.
    pub offline: bool,
    /// Credentials that go before those of files.
    pub logins: Vec<Login>,
    /// The base of the registry client's configuration.
    pub registry: nodeimage_registry::Config,
    /// How many threads work at once.
    pub threads: NonZeroUsize,
}

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// There is no place for the store.
    #[error(
        "there is no place for the store: neither XDG_CACHE_HOME nor HOME is set; set one, or name a directory with --cache or `cache_dir`"
    )]
    NoHome,
    /// `nodeimage.toml` is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Settings {
    /// The defaults of this machine: the store in the user's cache, the images beside the
    /// executable as `builtin:`, Docker's and podman's credentials, all cores.
    pub fn from_env() -> Result<Self, SetupError> {
        Ok(Self::with_store(default_store().ok_or(SetupError::NoHome)?))
    }

    /// The same with the store elsewhere.
    pub fn with_store(store: impl Into<PathBuf>) -> Self {
        Self {
            store: store.into(),
            limits: StoreLimits::default(),
            config: with_images_beside_us(Config::default()),
            offline: false,
            logins: Vec::new(),
            registry: nodeimage_registry::Config::from_env(),
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }

    /// Reads `nodeimage.toml` from `path`; the images beside the executable stay the default for
    /// `builtin:`.
    pub fn load_config(&mut self, path: &Path) -> Result<(), SetupError> {
        self.config = with_images_beside_us(Config::load(path)?);
        Ok(())
    }

    /// Reads `nodeimage.toml` from a directory, if it has one.
    pub fn load_config_beside(&mut self, dir: &Path) -> Result<(), SetupError> {
        let path = dir.join(CONFIG_NAME);
        if path.is_file() {
            self.load_config(&path)
        } else {
            Ok(())
        }
    }

    /// Opens the store; registries are reached when one is first needed. `cancel` stops downloads
    /// and packing.
    pub fn builder(
        &self,
        progress: Option<Arc<dyn Progress>>,
        cancel: &Arc<AtomicBool>,
    ) -> Result<Builder, SetupError> {
        let store = Store::open(&self.store, self.limits)?;
        let mut registry = self.registry.clone();
        registry
            .credentials
            .splice(0..0, self.logins.iter().cloned());
        let stop = Arc::clone(cancel);
        let cancel = Cancel::from(Arc::clone(cancel));
        let remote = Registries::new(registry, self.config.clone(), cancel);
        let remote = (!self.offline).then(|| Arc::new(remote) as Arc<dyn nodeimage_images::Remote>);
        let images = Images::new(store, &self.config, remote)
            .with_progress(progress.unwrap_or_else(|| Arc::new(Silent)));
        Ok(Builder::new(images, self.threads).with_stop(stop))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks where the store lies"
)]
fn default_store() -> Option<PathBuf> {
    let var = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")))?;
    Some(cache.join("nodeimage"))
}

/// A release carries the boot and init images beside the binary.
#[expect(
    clippy::disallowed_methods,
    reason = "where the executable lies decides no byte: digests do"
)]
fn with_images_beside_us(config: Config) -> Config {
    let exe = std::env::current_exe().and_then(|exe| exe.canonicalize());
    match exe
        .ok()
        .as_deref()
        .and_then(Path::parent)
        .map(|dir| dir.join("images"))
    {
        Some(images) if images.is_dir() => config.with_builtin(images),
        _ => config,
    }
}
