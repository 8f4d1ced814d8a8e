//! Terraform in a directory of its own, with the provider, a store and a layout of stand-ins.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use acceptance_tests::cli;
use acceptance_tests::fixture::{self, Codec, Image, Layer, Layout, MACHINE};
use nodeimage_builder::Settings;
use nodeimage_builder::locking::{self, Wanted};
use nodeimage_images::config::Source;
use nodeimage_provider::Nodeimage;
use nodeimage_spec::{Architecture, Document, parse};
use tempfile::TempDir;
use tfplugin::testing::{Reattach, Terraform};

pub(crate) const ADDRESS: &str = "registry.terraform.io/nodeimage/nodeimage";

const REQUIRED: &str = "terraform {\n  required_providers {\n    nodeimage = { source = \"nodeimage/nodeimage\" }\n  }\n}\n";

/// An image that is locked.
pub(crate) const IMAGE: &str = r#"
resource "nodeimage_image" "node" {
  config = file("${path.module}/node.yml")
  lock   = file("${path.module}/node.lock")
}
"#;

/// The same without a lock.
pub(crate) const UNLOCKED: &str = r#"
resource "nodeimage_image" "node" {
  config = file("${path.module}/node.yml")
}
"#;

pub(crate) struct World {
    pub(crate) terraform: Terraform,
    dir: TempDir,
    _server: Option<Reattach>,
}

impl World {
    /// With the provider in this process.
    pub(crate) fn reattached() -> Self {
        let server = Reattach::start(ADDRESS, Nodeimage);
        let mut world = Self::empty();
        world.terraform.reattach(&server);
        world._server = Some(server);
        world
    }

    /// With the executable, started by Terraform as often as it likes.
    pub(crate) fn spawned() -> Self {
        let mut world = Self::empty();
        let plugins = world.path("plugins");
        std::fs::create_dir(&plugins).unwrap();
        let plugin = plugins.join("terraform-provider-nodeimage");
        std::os::unix::fs::symlink(cli::executable().unwrap(), plugin).unwrap();
        world
            .terraform
            .dev_override("nodeimage/nodeimage", &plugins);
        world
    }

    /// With a provider that is still to be installed.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("nodeimage-provider-")
            .tempdir()
            .unwrap();
        let mut layout = Layout::create(dir.path().join("layout")).unwrap();
        fixture::machine(&mut layout, Codec::None).unwrap();
        let mut terraform = Terraform::new();
        // Nothing of the user's: neither credentials nor a store.
        terraform.env("HOME", dir.path().join("home"));
        terraform.env("XDG_CACHE_HOME", dir.path().join("home/cache"));
        terraform.write("node.yml", MACHINE);
        Self {
            terraform,
            dir,
            _server: None,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The store that the provider block names.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// The source of all images.
    pub(crate) fn layout(&self) -> String {
        format!("oci:{}", self.path("layout").display())
    }

    /// A provider block in which all references are read from `source`.
    pub(crate) fn provider(&self, source: &str, more: &str) -> String {
        let store = self.store();
        format!(
            "provider \"nodeimage\" {{\n  cache_dir = {store:?}\n  sources = {{\n    builtin = {source:?}\n    \
             \"fixture.example\" = {source:?}\n  }}\n{more}\n}}\n"
        )
    }

    /// Writes the configuration, the provider reading from the layout.
    pub(crate) fn config(&self, body: &str) {
        self.whole(&(self.provider(&self.layout(), "") + body));
    }

    /// Writes the configuration, provider block and all.
    pub(crate) fn whole(&self, body: &str) {
        self.terraform.write("main.tf", REQUIRED.to_owned() + body);
    }

    /// Writes `node.lock` for `node.yml` as it is.
    pub(crate) fn lock(&self) {
        let yaml = std::fs::read_to_string(self.terraform.dir().join("node.yml")).unwrap();
        self.terraform.write("node.lock", self.lock_of(&yaml));
    }

    /// The lock of a YAML, made in a store of its own.
    pub(crate) fn lock_of(&self, yaml: &str) -> String {
        let parsed = parse(&[Document {
            name: "node.yml",
            text: yaml,
        }])
        .unwrap();
        let mut settings = Settings::with_store(self.path("store-of-locks"));
        for prefix in ["builtin", "fixture.example"] {
            let source = Source::Oci(self.path("layout"));
            settings.config.sources.insert(prefix.to_owned(), source);
        }
        let builder = settings.builder(None, &Arc::default()).unwrap();
        let wanted = Wanted {
            spec: &parsed.spec,
            architectures: &[Architecture::Amd64],
            keep: None,
            update: &BTreeSet::new(),
            threads: NonZeroUsize::MIN,
        };
        locking::lock(builder.images(), &wanted)
            .unwrap()
            .to_string()
    }

    /// Replaces a text of `node.yml` that is there once.
    #[track_caller]
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let path = self.terraform.dir().join("node.yml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Adds an image of one file to the layout, or moves its tag.
    pub(crate) fn add_image(&self, reference: &str, content: &[u8]) {
        let mut layer = Layer::new();
        layer.file("bin", 0o755, content).unwrap();
        // A layout only grows: one of its own, whose blobs and names are put into the other.
        let dir = self.path("addition");
        let mut addition = Layout::create(&dir).unwrap();
        let layer = addition.layer(&layer.finish(), Codec::None).unwrap();
        let image = Image {
            layers: vec![layer],
            command: vec!["/bin".to_owned()],
            ..Image::default()
        };
        addition.add(reference, &image).unwrap();
        for blob in std::fs::read_dir(dir.join("blobs/sha256")).unwrap() {
            let blob = blob.unwrap();
            let to = self.path("layout/blobs/sha256").join(blob.file_name());
            std::fs::copy(blob.path(), to).unwrap();
        }
        let read = |dir: &Path| -> serde_json::Value {
            let text = std::fs::read_to_string(dir.join("index.json")).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let mut index = read(&self.path("layout"));
        let manifests = index["manifests"].as_array_mut().unwrap();
        let name = |entry: &serde_json::Value| {
            entry["annotations"]["org.opencontainers.image.ref.name"] == reference
        };
        manifests.retain(|entry| !name(entry));
        manifests.push(read(&dir)["manifests"][0].clone());
        std::fs::write(self.path("layout/index.json"), index.to_string()).unwrap();
        std::fs::remove_dir_all(dir).unwrap();
    }

    /// The state file as JSON.
    pub(crate) fn state(&self) -> serde_json::Value {
        let path = self.terraform.dir().join("terraform.tfstate");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Changes the stored attributes of the only resource.
    pub(crate) fn edit_state(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let mut state = self.state();
        change(&mut state["resources"][0]["instances"][0]["attributes"]);
        self.terraform.write("terraform.tfstate", state.to_string());
    }

    pub(crate) fn id(&self) -> String {
        let id = self.terraform.resource("nodeimage_image.node")["id"].clone();
        id.as_str().unwrap().to_owned()
    }
}

/// Listens on loopback, answers nobody, counts who comes.
pub(crate) struct Counter {
    port: u16,
    seen: Arc<AtomicUsize>,
}

impl Counter {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        std::thread::spawn(move || {
            // Kept open: whoever asks waits.
            let mut open = Vec::new();
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                open.push(stream);
            }
        });
        Self { port, seen }
    }

    /// As a source.
    pub(crate) fn mirror(&self) -> String {
        format!("127.0.0.1:{}/mirror", self.port)
    }

    pub(crate) fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}
