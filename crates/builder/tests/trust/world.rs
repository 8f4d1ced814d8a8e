//! A layout with images and signatures, a registry that it is pushed to, and builds from both.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use acceptance_tests::fixture::{self, Codec, Image, Layer, Layout};
use acceptance_tests::registry::{Access, Registry};
use nodeimage_builder::locking::{self, Wanted};
use nodeimage_builder::{Builder, Settings, explain};
use nodeimage_spec::{
    Architecture, DiskOptions, Document, Lock, LockedSpec, Outcome, Spec, lock_spec, parse,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::signing::{Signer, bundle, payload, statement};

const NAME: &str = "org.opencontainers.image.ref.name";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// How a signature hangs on its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// A simple signing payload behind the tag `sha256-<hex>.sig`.
    Tag,
    /// The same as an artifact that refers to the image.
    Referrer,
    /// A sigstore bundle that refers to the image.
    Bundle,
    /// In a layout only: as `cosign save` writes it.
    Saved,
    /// In a layout only: a bundle among the manifests of its index, which nothing names.
    Listed,
}

impl Held {
    pub(crate) const ALL: [Self; 3] = [Self::Tag, Self::Referrer, Self::Bundle];
}

pub(crate) struct World {
    dir: TempDir,
    layout: Layout,
    /// Registries are not asked.
    pub(crate) offline: bool,
    /// `builtin:` is what stands beside the program.
    pub(crate) builtin_with_program: bool,
    policy: String,
    /// What is listed besides images.
    listed: Vec<Value>,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Signer::first().save(dir.path(), "first");
        Signer::second().save(dir.path(), "second");
        let mut layout = Layout::create(dir.path().join("images")).unwrap();
        fixture::machine(&mut layout, Codec::None).unwrap();
        Self {
            dir,
            layout,
            offline: false,
            builtin_with_program: false,
            policy: String::new(),
            listed: Vec::new(),
        }
    }

    /// Makes `x.example/NAME` with one file; its digest.
    pub(crate) fn image(&mut self, name: &str, content: &[u8]) -> String {
        let mut layer = Layer::new();
        layer.file("bin", 0o755, content).unwrap();
        let layers = vec![self.layout.layer(&layer.finish(), Codec::None).unwrap()];
        let image = Image {
            layers,
            ..Image::default()
        };
        let name = format!("x.example/{name}");
        let digest = self.layout.add(&name, &image).unwrap();
        self.write_index();
        digest
    }

    /// Makes `x.example/NAME` for amd64 and arm64; the digests of index and manifests.
    pub(crate) fn index(&mut self, name: &str) -> (String, [String; 2]) {
        let amd64 = self.image("acme/amd64:1", b"amd64");
        let arm64 = self.image("acme/arm64:1", b"arm64");
        let of = |digest: &String, architecture: &str| {
            let size = std::fs::metadata(self.layout.blob(digest)).unwrap().len();
            json!({"mediaType": MANIFEST, "digest": digest, "size": size,
                "platform": {"os": "linux", "architecture": architecture}})
        };
        let manifests = json!([of(&amd64, "amd64"), of(&arm64, "arm64")]);
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        let digest = self.put(index.to_string().as_bytes());
        self.list(&digest, INDEX, NAME, &format!("x.example/{name}"));
        (digest, [amd64, arm64])
    }

    /// Signs an image.
    pub(crate) fn sign(&mut self, name: &str, digest: &str, held: Held, signer: &Signer) {
        self.hang(name, digest, digest, digest, held, signer);
    }

    /// Hangs a good signature of `signed` on another image.
    pub(crate) fn replay(
        &mut self,
        name: &str,
        signed: &str,
        digest: &str,
        held: Held,
        signer: &Signer,
    ) {
        self.hang(name, signed, signed, digest, held, signer);
    }

    /// The same, and what was signed is altered to name the other image.
    pub(crate) fn alter(
        &mut self,
        name: &str,
        signed: &str,
        digest: &str,
        held: Held,
        signer: &Signer,
    ) {
        self.hang(name, signed, digest, digest, held, signer);
    }

    fn hang(
        &mut self,
        name: &str,
        signed: &str,
        shown: &str,
        digest: &str,
        held: Held,
        signer: &Signer,
    ) {
        let is_bundle = matches!(held, Held::Bundle | Held::Listed);
        let (blob, annotations, kind) = if is_bundle {
            let bundle = bundle(signer, &statement(signed), &statement(shown));
            (bundle.to_string(), json!({}), BUNDLE)
        } else {
            let signature = signer.sign(&payload(signed));
            let annotations = json!({"dev.cosignproject.cosign/signature": signature});
            (payload(shown), annotations, SIMPLE)
        };
        let layer = json!({"mediaType": kind, "digest": self.put(blob.as_bytes()),
            "size": blob.len(), "annotations": annotations});
        let config = match held {
            Held::Tag | Held::Saved => "application/vnd.oci.image.config.v1+json",
            Held::Referrer => "application/vnd.dev.cosign.artifact.sig.v1+json",
            Held::Bundle | Held::Listed => "application/vnd.oci.empty.v1+json",
        };
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": config, "digest": self.put(b"{}"), "size": 2},
            "layers": [layer],
        });
        let repository = name.split(':').next().unwrap();
        let tag = format!("x.example/{repository}:{}", digest.replace(':', "-"));
        if held == Held::Tag {
            let manifest = self.put(manifest.to_string().as_bytes());
            self.list(&manifest, MANIFEST, NAME, &format!("{tag}.sig"));
            return;
        }
        if held == Held::Saved {
            let manifest = self.put(manifest.to_string().as_bytes());
            self.list(&manifest, MANIFEST, "kind", "dev.cosignproject.cosign/sigs");
            return;
        }
        let size = std::fs::metadata(self.layout.blob(digest)).unwrap().len();
        manifest["subject"] = json!({"mediaType": MANIFEST, "digest": digest, "size": size});
        let artifact_type = if is_bundle { BUNDLE } else { config };
        manifest["artifactType"] = artifact_type.into();
        let text = manifest.to_string();
        let digest = self.put(text.as_bytes());
        if held == Held::Listed {
            self.list(&digest, MANIFEST, "made.by", "oras");
            return;
        }
        // The index of a registry without the referrers API.
        let referrers = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": MANIFEST, "digest": digest, "size": text.len(),
                "artifactType": artifact_type}]});
        let index = self.put(referrers.to_string().as_bytes());
        self.list(&index, INDEX, NAME, &tag);
    }

    /// Hangs very many signatures on an image.
    pub(crate) fn many(&mut self, digest: &str, count: usize, payload: &str, signature: &str) {
        let layer = json!({"mediaType": SIMPLE, "digest": self.put(payload.as_bytes()),
            "size": payload.len(),
            "annotations": {"dev.cosignproject.cosign/signature": signature}});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": MANIFEST, "digest": self.put(b"{}"), "size": 2},
            "layers": vec![layer; count],
        });
        let manifest = self.put(manifest.to_string().as_bytes());
        let name = format!("{}.sig", digest.replace(':', "-"));
        self.list(&manifest, MANIFEST, NAME, &name);
    }

    fn put(&self, bytes: &[u8]) -> String {
        let digest = nodeimage_spec::Digest::of(bytes).to_string();
        std::fs::write(self.layout.blob(&digest), bytes).unwrap();
        digest
    }

    /// Adds a descriptor to the layout's index.
    fn list(&mut self, digest: &str, media_type: &str, key: &str, value: &str) {
        let size = std::fs::metadata(self.layout.blob(digest)).unwrap().len();
        self.listed.push(
            json!({"mediaType": media_type, "digest": digest, "size": size,
            "annotations": {key: value}}),
        );
        self.write_index();
    }

    /// Takes the signatures out of the layout: any source is good for a digest's.
    pub(crate) fn unlist(&mut self) {
        let listed = std::mem::take(&mut self.listed);
        let path = self.layout.dir().join("index.json");
        let mut index: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let all = index["manifests"].as_array_mut().unwrap();
        all.retain(|descriptor| !listed.contains(descriptor));
        std::fs::write(&path, index.to_string()).unwrap();
    }

    /// The layout itself knows of its images only.
    fn write_index(&self) {
        let path = self.layout.dir().join("index.json");
        let mut index: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let all = index["manifests"].as_array_mut().unwrap();
        all.retain(|descriptor| !self.listed.contains(descriptor));
        all.extend(self.listed.iter().cloned());
        std::fs::write(&path, index.to_string()).unwrap();
    }

    /// A registry with all that the layout has.
    pub(crate) fn registry(&self) -> Registry {
        let dir = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        let registry = Registry::start(&dir, Access::default()).unwrap();
        registry.push(self.layout.dir()).unwrap();
        registry
    }

    /// What `[trust]` says, from line 4 on, and builtin images are accepted; none at all when it is
    /// empty.
    pub(crate) fn policy(&mut self, text: &str) {
        match text {
            "" => self.policy.clear(),
            text => self.whole_policy(&format!("{text}\nbuiltin = \"accept\"")),
        }
    }

    /// The same with no word about builtin images.
    pub(crate) fn whole_policy(&mut self, text: &str) {
        self.policy = format!("[trust]\n{text}\n");
    }

    /// Empties the store.
    pub(crate) fn forget(&self) {
        std::fs::remove_dir_all(self.dir.path().join("store")).unwrap();
    }

    /// Puts the first signer's signature of something else where the kept ones are; their number.
    pub(crate) fn forge_kept_signatures(&self) -> usize {
        let store = nodeimage_images::Store::open(
            self.dir.path().join("store"),
            nodeimage_images::StoreLimits::default(),
        )
        .unwrap();
        let dir = self.dir.path().join("store/signatures-v1");
        let keys = std::fs::read_dir(dir).unwrap().map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let mut key = [0; 32];
            hex::decode_to_slice(name, &mut key).unwrap();
            key
        });
        let keys: Vec<[u8; 32]> = keys.collect();
        for key in &keys {
            let bucket = nodeimage_images::store::Bucket::Signatures;
            store.replace(bucket, key, b"{}", b"").unwrap();
        }
        keys.len()
    }

    pub(crate) fn builder(&self) -> Result<Builder, String> {
        let at = self.layout.dir().display();
        let mut names = vec!["x.example", "fixture.example"];
        if !self.builtin_with_program {
            names.push("builtin");
        }
        let sources: Vec<String> = names
            .iter()
            .map(|name| format!("{name:?} = \"oci:{at}\""))
            .collect();
        let sources = format!("sources = {{ {} }}", sources.join(", "));
        let path = self.dir.path().join("nodeimage.toml");
        std::fs::write(&path, format!("{sources}\n\n{}", self.policy)).unwrap();
        let mut settings = Settings::with_store(self.dir.path().join("store"));
        settings
            .load_config(&path)
            .map_err(|error| explain(&error))?;
        if self.builtin_with_program {
            settings.config = settings.config.with_builtin(self.layout.dir());
        }
        settings.offline = self.offline;
        settings.threads = NonZeroUsize::new(2).unwrap();
        settings.registry.retry.attempts = 1;
        let stop = Arc::new(AtomicBool::new(false));
        settings
            .builder(None, &stop)
            .map_err(|error| explain(&error))
    }

    pub(crate) fn amd64() -> [Architecture; 1] {
        [Architecture::Amd64]
    }

    pub(crate) fn spec(&self, reference: &str) -> Spec {
        let text = format!("init:\n  - {reference}\n");
        let documents = [Document {
            name: "node.yml",
            text: &text,
        }];
        parse(&documents).unwrap().spec
    }

    pub(crate) fn wanted<'a>(
        spec: &'a Spec,
        architectures: &'a [Architecture],
        keep: Option<&'a Lock>,
    ) -> Wanted<'a> {
        static NOTHING: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
        Wanted {
            spec,
            architectures,
            keep,
            update: &NOTHING,
            threads: NonZeroUsize::MIN,
        }
    }

    pub(crate) fn locked(&self, spec: &Spec, lock: &Lock) -> LockedSpec {
        let mut inline = |_: &str, _: bool| Err("no source".to_owned());
        let options = DiskOptions::default();
        let arch = Architecture::Amd64;
        match lock_spec(spec, arch, Some(lock), None, &options, &mut inline).unwrap() {
            Outcome::Locked(locked) => *locked,
            Outcome::Unpinned(names) => panic!("{names:?}"),
        }
    }

    /// Locks as a build does.
    pub(crate) fn lock(&self, reference: &str) -> Result<LockedSpec, String> {
        self.lock_spec(&self.spec(reference), &Self::amd64())
    }

    /// Looks a reference up as a lock for these architectures does.
    pub(crate) fn resolve(&self, reference: &str, architectures: &[&str]) -> Result<(), String> {
        let found = self.builder()?.images().resolve(reference, architectures);
        found.map(drop).map_err(|error| explain(&error))
    }

    fn lock_spec(&self, spec: &Spec, architectures: &[Architecture]) -> Result<LockedSpec, String> {
        let builder = self.builder()?;
        let wanted = Self::wanted(spec, architectures, None);
        let lock = locking::lock(builder.images(), &wanted).map_err(|error| explain(&error))?;
        Ok(self.locked(spec, &lock))
    }

    /// Makes the machine of a locked spec, as another process would.
    pub(crate) fn machine(&self, locked: &LockedSpec) -> Result<(), String> {
        let machine = self.builder()?.machine(locked);
        machine.map(drop).map_err(|error| explain(&error))
    }

    pub(crate) fn build(&self, reference: &str) -> Result<(), String> {
        self.machine(&self.lock(reference)?)
    }

    /// Locks a whole machine of stand-ins.
    pub(crate) fn lock_disk(&self) -> Result<LockedSpec, String> {
        let documents = [Document {
            name: "node.yml",
            text: fixture::MACHINE,
        }];
        let spec = parse(&documents).unwrap().spec;
        self.lock_spec(&spec, &Self::amd64())
    }

    pub(crate) fn disk(&self, locked: &LockedSpec) -> Result<(), String> {
        let builder = self.builder()?;
        let machine = builder.machine(locked).map_err(|error| explain(&error))?;
        let disk = builder.disk(locked, &machine);
        disk.map(drop).map_err(|error| explain(&error))
    }
}
