//! Runs the `nodeimage` executable the way a user does.
//!
//! Every [`Sandbox`] has its own home, store and working directory, and the executable sees none
//! of the test's environment, so tests do not meet each other.

mod call;
mod machine;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

pub use call::{Call, Done, Running};

/// The registry that the base images are named after.
pub const BASE: &str = "ghcr.io/nodeimage";

/// The `nodeimage` executable: `NODEIMAGE_BIN`, or the one this test was built beside.
///
/// # Errors
/// When there is none.
pub fn executable() -> Result<PathBuf> {
    let path = match std::env::var_os("NODEIMAGE_BIN") {
        Some(path) => PathBuf::from(path),
        None => target_dir(2)?.join("nodeimage"),
    };
    if !path.is_file() {
        bail!(
            "there is no nodeimage executable at {}: run `cargo xtask test`, or \
             `cargo build -p nodeimage` first",
            path.display()
        );
    }
    Ok(path)
}

/// The OCI layout of the base images: `NODEIMAGE_BASE_IMAGES`, or the one in the target directory.
///
/// # Errors
/// When there is none.
pub fn base_images() -> Result<PathBuf> {
    let path = match std::env::var_os("NODEIMAGE_BASE_IMAGES") {
        Some(path) => PathBuf::from(path),
        None => target_dir(3)?.join("base-images"),
    };
    if !path.join("index.json").is_file() {
        bail!(
            "there are no base images at {}: run `cargo xtask base-images`",
            path.display()
        );
    }
    Ok(path)
}

/// `TARGET/debug/deps/test` has three parents; the executables lie in the second.
fn target_dir(above: usize) -> Result<PathBuf> {
    let test = std::env::current_exe().context("cannot find the test's own executable")?;
    test.ancestors()
        .nth(above)
        .map(Path::to_owned)
        .context("the test lies in no target directory")
}

/// The repository's `examples/local/node.yml`.
///
/// # Errors
/// When it cannot be read.
pub fn example() -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/local/node.yml");
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// A `nodeimage.toml` that reads the base images from `source`.
#[must_use]
pub fn sources(source: &str) -> String {
    format!("[sources]\n\"builtin\" = \"{source}\"\n\"{BASE}\" = \"{source}\"\n")
}

/// A directory of its own, with a home in it, gone when dropped.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    /// An empty one.
    ///
    /// # Errors
    /// When no directory can be made.
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("nodeimage-test-")
            .tempdir()
            .context("cannot make a temporary directory")?;
        std::fs::create_dir(folder.path().join("home"))?;
        Ok(Self { folder })
    }

    /// One with the example and the base images.
    ///
    /// # Errors
    /// When there are no base images.
    pub fn with_example() -> Result<Self> {
        let sandbox = Self::new()?;
        sandbox.write("node.yml", example()?)?;
        let images = format!("oci:{}", base_images()?.display());
        sandbox.write("nodeimage.toml", sources(&images))?;
        Ok(sandbox)
    }

    /// Its directory, where the executable runs.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The store of this sandbox's user.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.path("home/.cache/nodeimage")
    }

    /// Writes a file, with its directories.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.path(name);
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(&path, content)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// A call of `nodeimage`, its arguments separated by spaces.
    ///
    /// # Errors
    /// When there is no executable.
    pub fn nodeimage(&self, arguments: &str) -> Result<Call> {
        Ok(Call::new(&executable()?, self.dir(), &self.path("home")).args(arguments))
    }

    /// Builds the raw disk of `node.yml` into `out` and returns its `built` event.
    ///
    /// # Errors
    /// When the build fails.
    pub fn build(&self, out: &str) -> Result<serde_json::Value> {
        self.nodeimage("build --json --sha256 node.yml --dir")?
            .arg(out)
            .success()?
            .event("built")
    }

    /// Reads the whole store and fails when an entry is damaged or something is left of writers.
    ///
    /// # Errors
    /// What is wrong with the store.
    pub fn check_store(&self) -> Result<()> {
        let verified = self
            .nodeimage("cache verify --json")?
            .success()?
            .event("cache-verified")?;
        if verified["removed"] != serde_json::json!([]) {
            bail!("the store was damaged: {}", verified["removed"]);
        }
        for name in ["tmp", "locks", "leases"] {
            let left = names(&self.store().join(name))?;
            if !left.is_empty() {
                bail!("left in the store's {name}: {left:?}");
            }
        }
        Ok(())
    }
}

/// The names in a directory, sorted.
///
/// # Errors
/// When it cannot be listed.
pub fn names(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let entries =
        std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
