//! Where references are found, and which image of an index is meant.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::layout::{CONFIG, INDEX, LAYER, MANIFEST, archive, compress, platform};
use common::{Codec, Layout, Tar, config, images, show, store};
use nodeimage_images::config::Source;
use nodeimage_images::source::{Remote, SourceError, SourceErrorKind};
use nodeimage_images::{Config, Digest, ErrorKind, Images};
use serde_json::json;

const NGINX: &str = "docker.io/library/nginx:1.22";

fn layer(text: &str) -> Vec<u8> {
    Tar::new().file("file", text).finish()
}

fn read(images: &Images, reference: &str, digest: &Digest) -> Vec<String> {
    let image = images.open(reference, digest, "amd64").unwrap();
    show(&images.tree(&image).unwrap())
}

#[test]
fn every_codec_gives_the_same_tree() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(dir.path().join("layout"));
    let images = images(dir.path());
    for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
        let text = format!("{codec:?}");
        let name = format!("docker.io/library/{}:1", text.to_lowercase());
        let digest = layout.image(&name, "amd64", vec![layer(&text)], codec);
        assert_eq!(images.resolve(&name, &["amd64"]).unwrap().digest, digest);
        assert_eq!(read(&images, &name, &digest), [format!("file file {text}")]);
    }
}

#[test]
fn several_gzip_members_and_zstd_frames_are_one_layer() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path().join("layout"));
    let tar = Tar::new().file("a", "1").file("b", "2").finish();
    for codec in [Codec::Gzip, Codec::Zstd] {
        let (front, back) = tar.split_at(700);
        let mut blob = [compress(front, codec), compress(back, codec)].concat();
        if codec == Codec::Zstd {
            // A skippable frame, as zstd:chunked has.
            blob.splice(0..0, *b"\x5a\x2a\x4d\x18\x03\0\0\0abc");
        }
        let digest = layout.manifest_of("amd64", &[Digest::of(&tar)], &[blob], "+gzip");
        // A store of its own: the diff_id is the same both times.
        let images = Images::new(
            store(&dir.path().join(format!("{codec:?}"))),
            &config("docker.io", Source::Oci(layout.dir.clone())),
            None,
        );
        assert_eq!(read(&images, NGINX, &digest), ["a file 1", "b file 2"]);
    }
}

#[test]
fn names_are_found_from_full_to_bare() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(dir.path().join("layout"));
    let full = layout.image(NGINX, "amd64", vec![layer("full")], Codec::Plain);
    let rest = layout.image("nginx:1.22", "amd64", vec![layer("rest")], Codec::Plain);
    let tag = layout.image("1.22", "amd64", vec![layer("tag")], Codec::Plain);
    let other = layout.manifest("amd64", vec![layer("other")], Codec::Plain);
    layout.annotate(
        "io.containerd.image.name",
        "docker.io/library/c:1",
        MANIFEST,
        &other,
    );
    let at = |prefix: &str| {
        let config = config(prefix, Source::Oci(layout.dir.clone()));
        Images::new(store(dir.path()), &config, None)
    };
    let resolve = |prefix: &str, reference: &str| {
        at(prefix)
            .resolve(reference, &["amd64"])
            .map(|resolved| resolved.digest)
    };
    assert_eq!(resolve("docker.io/library", NGINX).unwrap(), full);
    assert_eq!(resolve("ghcr.io/a", "ghcr.io/a/nginx:1.22").unwrap(), rest);
    assert_eq!(resolve("ghcr.io/a", "ghcr.io/a:1.22").unwrap(), tag);
    assert_eq!(
        resolve("docker.io", "docker.io/library/c:1").unwrap(),
        other
    );
    // A bare tag belongs to no image when the prefix holds many.
    let error = resolve("ghcr.io", "ghcr.io/alpine:1.22")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("ghcr.io/alpine:1.22 is not there") && error.contains("oci:"),
        "{error}"
    );
    // By digest whatever stands there.
    let pinned = format!("ghcr.io/whatever:9@{tag}");
    assert_eq!(resolve("ghcr.io", &pinned).unwrap(), tag);
    assert!(
        resolve("ghcr.io", "ghcr.io/x@sha256:12")
            .unwrap_err()
            .to_string()
            .contains("digest")
    );
}

#[test]
fn builtin_references_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(dir.path().join("layout"));
    let init = layout.image("builtin:init", "amd64", vec![layer("i")], Codec::Plain);
    let boot = layout.image("boot", "amd64", vec![layer("b")], Codec::Plain);
    let config = Config::default().with_builtin(&layout.dir);
    let images = Images::new(store(dir.path()), &config, None);
    assert_eq!(
        images.resolve("builtin:init", &["amd64"]).unwrap().digest,
        init
    );
    assert_eq!(
        images.resolve("builtin:boot", &["amd64"]).unwrap().digest,
        boot
    );
}

#[test]
fn one_name_for_two_images_is_ambiguous() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(dir.path().join("layout"));
    let first = layout.image(NGINX, "amd64", vec![layer("1")], Codec::Plain);
    layout.name(NGINX, MANIFEST, &first);
    let images = images(dir.path());
    assert_eq!(images.resolve(NGINX, &["amd64"]).unwrap().digest, first);
    layout.image(NGINX, "amd64", vec![layer("2")], Codec::Plain);
    assert!(
        images
            .resolve(NGINX, &["amd64"])
            .unwrap_err()
            .to_string()
            .contains("several")
    );
}

#[test]
fn the_index_chooses_by_architecture() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(dir.path().join("layout"));
    let make = |arch: &str, text: &str| layout.manifest(arch, vec![layer(text)], Codec::Plain);
    let digests: Vec<Digest> = ["a", "b", "c", "d", "e", "f"]
        .into_iter()
        .map(|text| make("amd64", text))
        .collect();
    let at = |n: usize| layout.descriptor(MANIFEST, &digests[n]);
    let mut attestation = platform(at(0), "unknown", "unknown", "");
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let mut chart = at(0);
    chart["mediaType"] = json!("application/vnd.cncf.helm.chart.v1+json");
    let index = layout.index(&[
        attestation,
        chart,
        platform(at(0), "windows", "amd64", ""),
        platform(at(1), "linux", "amd64", "v3"),
        platform(at(2), "linux", "amd64", "v2"),
        platform(at(3), "linux", "arm64", "v8"),
        platform(at(4), "linux", "arm", "v6"),
        platform(at(5), "linux", "arm", "v7"),
    ]);
    layout.name(NGINX, INDEX, &index);
    let images = images(dir.path());
    let resolved = images.resolve(NGINX, &[]).unwrap();
    assert_eq!(resolved.digest, index);
    let expected = BTreeMap::from([
        ("linux/amd64".to_owned(), digests[2]),
        ("linux/arm64".to_owned(), digests[3]),
        ("linux/arm".to_owned(), digests[5]),
    ]);
    assert_eq!(resolved.platforms, expected);
    let two = images
        .resolve(NGINX, &["arm64", "amd64"])
        .unwrap()
        .platforms;
    assert_eq!(
        two.keys().collect::<Vec<_>>(),
        ["linux/amd64", "linux/arm64"]
    );
    assert_eq!(
        images.open(NGINX, &index, "arm64").unwrap().manifest_digest,
        digests[3]
    );
    let error = images.resolve(NGINX, &["riscv64"]).unwrap_err();
    assert!(matches!(*error.kind, ErrorKind::Platform { .. }));
    let text = error.to_string();
    assert!(
        text.contains("linux/riscv64") && text.contains("linux/arm/v7"),
        "{text}"
    );
    assert!(text.starts_with(NGINX), "{text}");
}

#[test]
fn indexes_nest_once() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path().join("layout"));
    // Without a platform the configuration tells it.
    let image = layout.manifest("arm64", vec![layer("x")], Codec::Plain);
    let inner = layout.index(&[layout.descriptor(MANIFEST, &image)]);
    let outer = layout.index(&[layout.descriptor(INDEX, &inner)]);
    let deep = layout.index(&[layout.descriptor(INDEX, &outer)]);
    let images = images(dir.path());
    assert_eq!(
        images.open(NGINX, &outer, "arm64").unwrap().manifest_digest,
        image
    );
    assert!(
        images
            .open(NGINX, &deep, "arm64")
            .unwrap_err()
            .to_string()
            .contains("nested")
    );
}

#[test]
fn a_single_manifest_must_fit_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(dir.path().join("layout"));
    let digest = layout.image(NGINX, "arm64", vec![layer("x")], Codec::Plain);
    let images = images(dir.path());
    let error = images
        .open(NGINX, &digest, "amd64")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no linux/amd64") && error.contains("linux/arm64"),
        "{error}"
    );
    let image = images.open(NGINX, &digest, "arm64").unwrap();
    assert_eq!(image.config.cmd, ["/bin/sh"]);
    assert_eq!(image.config.env, ["A=b"]);
    assert!(image.config.entrypoint.is_empty());
    assert_eq!(image.config.labels["org.mobyproject.config"], "{}");
    assert_eq!(
        (image.config.architecture.as_str(), image.config.os.as_str()),
        ("arm64", "linux")
    );
}

#[test]
fn a_tar_of_a_layout_reads_like_the_layout() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(dir.path().join("layout"));
    let digest = layout.image(NGINX, "amd64", vec![layer("x")], Codec::Zstd);
    let path = dir.path().join("images.tar");
    std::fs::write(&path, archive(&layout.dir)).unwrap();
    std::fs::remove_dir_all(&layout.dir).unwrap();
    let at = |source| Images::new(store(dir.path()), &config("docker.io", source), None);
    let images = at(Source::OciArchive(path.clone()));
    assert_eq!(images.resolve(NGINX, &["amd64"]).unwrap().digest, digest);
    assert_eq!(read(&images, NGINX, &digest), ["file file x"]);
    // Docker's archives have had a layout inside since version 25.
    let images = at(Source::DockerArchive(path.clone()));
    assert_eq!(images.resolve(NGINX, &["amd64"]).unwrap().digest, digest);
    let packed = compress(&std::fs::read(&path).unwrap(), Codec::Gzip);
    std::fs::write(&path, packed).unwrap();
    let error = at(Source::OciArchive(path))
        .resolve(NGINX, &[])
        .unwrap_err()
        .to_string();
    assert!(error.contains("decompress"), "{error}");
    let missing = at(Source::OciArchive("/nowhere.tar".into()))
        .resolve(NGINX, &[])
        .unwrap_err();
    assert!(
        missing.to_string().contains("oci-archive:/nowhere.tar"),
        "{missing}"
    );
}

/// What `docker save` wrote before version 25, a layer being a link to another image's.
fn docker_save(path: &Path, layers: &[Vec<u8>], names: [&str; 2], tags: &[&str]) -> Digest {
    let diff_ids: Vec<Digest> = [Tar::new().file("base", "b").finish(), layer("top")]
        .iter()
        .map(|l| Digest::of(l))
        .collect();
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"diff_ids":["{}","{}"]}}}}"#,
        diff_ids[0], diff_ids[1]
    );
    let id = Digest::of(config.as_bytes());
    let config_name = format!("{}.json", id.hex());
    let manifest = json!([{"Config": config_name, "RepoTags": tags, "Layers": names}]).to_string();
    let raw = |tar: Tar, name: &str, data: &[u8]| {
        let (name, size) = (name.as_bytes(), data.len() as u64);
        tar.raw(
            &common::tar::Header {
                name,
                size,
                ..Default::default()
            },
            data,
        )
    };
    let mut tar = Tar::new().dir("one/");
    tar = raw(tar, "shared/layer.tar", &layers[0]);
    tar = tar.symlink("one/layer.tar", "../shared/layer.tar");
    tar = raw(tar, "two/layer.tar", &layers[1]);
    tar = raw(tar, &config_name, config.as_bytes());
    tar = raw(tar, "manifest.json", manifest.as_bytes());
    std::fs::write(path, tar.finish()).unwrap();
    id
}

#[test]
fn old_docker_archives_get_a_manifest_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let layers = [Tar::new().file("base", "b").finish(), layer("top")];
    let names = ["one/layer.tar", "two/layer.tar"];
    let resolved = |path: &Path, reference: &str| {
        let config = config(
            "docker.io/library/nginx",
            Source::DockerArchive(path.into()),
        );
        let store = store(
            &dir.path()
                .join(path.file_name().unwrap())
                .with_extension("d"),
        );
        let images = Images::new(store, &config, None);
        let digest = images
            .resolve(reference, &["amd64"])
            .map_err(|e| e.to_string())?
            .digest;
        let image = images.open(reference, &digest, "amd64").unwrap();
        Ok::<_, String>((
            digest,
            image.config_digest,
            show(&images.tree(&image).unwrap()),
        ))
    };
    let path = dir.path().join("a.tar");
    let id = docker_save(&path, &layers, names, &["nginx:1.22"]);
    let (digest, config, tree) = resolved(&path, NGINX).unwrap();
    assert_eq!(config, id);
    assert_eq!(tree, ["base file b", "file file top"]);
    // The digest is a function of the image, whatever the archive's layout.
    let path = dir.path().join("b.tar");
    docker_save(
        &path,
        &layers,
        ["shared/layer.tar", "./two/layer.tar"],
        &["x:1", "nginx:1.22"],
    );
    assert_eq!(resolved(&path, NGINX).unwrap().0, digest);
    // Pinned for good: a golden value.
    assert_eq!(
        digest.to_string(),
        "sha256:caa02e1c2ad3e6a8050b5681729f3790e50f5952ecf58e7c367b93ea0633d610"
    );
    assert!(
        resolved(&path, "docker.io/library/nginx:2")
            .unwrap_err()
            .contains("not there")
    );
    // The only image, without a tag.
    let path = dir.path().join("c.tar");
    docker_save(&path, &layers, names, &[]);
    assert_eq!(
        resolved(&path, "docker.io/library/nginx:2").unwrap().0,
        digest
    );
    // Compressed layers: other blobs, the same tree.
    let path = dir.path().join("d.tar");
    let packed = layers.map(|layer| compress(&layer, Codec::Gzip));
    docker_save(&path, &packed, names, &["nginx:1.22"]);
    let (other, _, tree) = resolved(&path, NGINX).unwrap();
    assert_ne!(other, digest);
    assert_eq!(tree, ["base file b", "file file top"]);
}

/// A registry that notes what it is asked.
#[derive(Default)]
struct Registry {
    blobs: BTreeMap<Digest, Vec<u8>>,
    tag: Option<Digest>,
    asked: Mutex<Vec<String>>,
}

impl Registry {
    fn note(&self, what: &str, reference: &str) {
        self.asked
            .lock()
            .unwrap()
            .push(format!("{what} {reference}"));
    }

    fn get(&self, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        let missing =
            || SourceError::new("registry", SourceErrorKind::NotFound(digest.to_string()));
        self.blobs.get(digest).cloned().ok_or_else(missing)
    }
}

impl Remote for Registry {
    fn resolve(&self, reference: &str) -> Result<Digest, SourceError> {
        self.note("resolve", reference);
        let missing = || SourceError::new("registry", SourceErrorKind::NotFound(reference.into()));
        self.tag.ok_or_else(missing)
    }

    fn manifest(&self, reference: &str, digest: &Digest) -> Result<(String, Vec<u8>), SourceError> {
        self.note("manifest", reference);
        Ok((MANIFEST.into(), self.get(digest)?))
    }

    fn blob(
        &self,
        reference: &str,
        digest: &Digest,
        _: u64,
    ) -> Result<Box<dyn Read + Send>, SourceError> {
        self.note("blob", reference);
        Ok(Box::new(std::io::Cursor::new(self.get(digest)?)))
    }
}

/// A registry with everything that lies in a layout.
fn registry(layout: &Layout, tag: Digest) -> Arc<Registry> {
    let files = std::fs::read_dir(layout.dir.join("blobs/sha256")).unwrap();
    let blobs = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let blobs = blobs.map(|blob| (Digest::of(&blob), blob)).collect();
    Arc::new(Registry {
        blobs,
        tag: Some(tag),
        asked: Mutex::default(),
    })
}

#[test]
fn mirrors_and_the_registry_itself() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path().join("layout"));
    let digest = layout.manifest("amd64", vec![layer("x")], Codec::Gzip);
    let registry = registry(&layout, digest);
    let asked = || std::mem::take(&mut *registry.asked.lock().unwrap());
    let at = |config: &Config, name: &str| {
        Images::new(
            store(&dir.path().join(name)),
            config,
            Some(registry.clone()),
        )
    };
    let plain = at(&Config::default(), "plain");
    assert_eq!(plain.resolve(NGINX, &["amd64"]).unwrap().digest, digest);
    assert_eq!(read(&plain, NGINX, &digest), ["file file x"]);
    let what = ["resolve", "manifest", "blob", "blob"];
    assert_eq!(asked(), what.map(|what| format!("{what} {NGINX}")));
    // All of it is in the store by now.
    assert_eq!(read(&plain, NGINX, &digest), ["file file x"]);
    assert!(asked().is_empty());
    let mirror = config(
        "docker.io/library",
        Source::Mirror("m.example:5000/hub".into()),
    );
    let mirrored = at(&mirror, "mirrored");
    assert_eq!(read(&mirrored, NGINX, &digest), ["file file x"]);
    assert_eq!(asked()[0], "manifest m.example:5000/hub/nginx:1.22");
    // What lies on this machine is not fetched, wherever it lies.
    let local = config("ghcr.io/other", Source::Oci(layout.dir.clone()));
    assert_eq!(read(&at(&local, "local"), NGINX, &digest), ["file file x"]);
    assert!(asked().is_empty());
    // A prefix that is mapped to a directory is never looked up elsewhere.
    let empty = Layout::create(dir.path().join("empty"));
    let mapped = config("docker.io", Source::Oci(empty.dir.clone()));
    assert!(at(&mapped, "mapped").resolve(NGINX, &[]).is_err());
    assert!(asked().is_empty());
}

#[test]
fn without_a_source_the_error_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let images = Images::new(store(dir.path()), &Config::default(), None);
    let error = images.resolve(NGINX, &[]).unwrap_err().to_string();
    assert!(
        error.starts_with(NGINX) && error.contains("nodeimage.toml"),
        "{error}"
    );
    let error = images
        .open(NGINX, &Digest::of(b""), "amd64")
        .unwrap_err()
        .to_string();
    assert!(error.contains(&Digest::of(b"").to_string()), "{error}");
}

#[test]
fn documents_that_are_no_images() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path().join("layout"));
    let images = images(dir.path());
    let open = |digest: &Digest| images.open(NGINX, digest, "amd64").unwrap_err().to_string();
    let blob = |text: &str| layout.blob(text.as_bytes());
    assert!(open(&blob("{}")).contains("neither"));
    assert!(open(&blob("not json")).contains("does not parse"));
    assert!(open(&blob(r#"{"schemaVersion":1,"fsLayers":[]}"#)).contains("schema 1"));
    assert!(open(&blob(r#"{"manifests":[],"config":{}}"#)).contains("neither"));
    assert!(open(&blob(&"[".repeat(1000))).contains("does not parse"));
    let config = |digest: &str, size: u64| {
        let config = json!({"mediaType": CONFIG, "digest": digest, "size": size});
        blob(&json!({"schemaVersion": 2, "config": config, "layers": []}).to_string())
    };
    assert!(open(&config("sha512:00", 3)).contains("sha256:"));
    assert!(open(&config(&Digest::of(b"{}").to_string(), 9 << 20)).contains("longer than"));
    let diff_ids = json!({"architecture": "amd64", "os": "linux",
        "rootfs": {"diff_ids": [Digest::of(b"")]}});
    assert!(open(&layout.manifest_json(&diff_ids, &[])).contains("0 layers"));
    let layers = vec![json!({"mediaType": LAYER, "digest": Digest::of(b""), "size": 0}); 513];
    let diff_ids = json!({"architecture": "amd64", "os": "linux",
        "rootfs": {"diff_ids": vec![Digest::of(b""); 513]}});
    assert!(open(&layout.manifest_json(&diff_ids, &layers)).contains("512 layers"));
}

#[test]
fn wrong_bytes_under_a_digest_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(dir.path().join("layout"));
    let digest = layout.image(NGINX, "amd64", vec![layer("x")], Codec::Plain);
    let images = images(dir.path());
    let good = std::fs::read(layout.blob_path(&digest)).unwrap();
    std::fs::write(layout.blob_path(&digest), "{}").unwrap();
    let error = images.open(NGINX, &digest, "amd64").unwrap_err();
    assert!(matches!(*error.kind, ErrorKind::Corrupt { .. }), "{error}");
    std::fs::write(layout.blob_path(&digest), vec![b' '; (4 << 20) + 1]).unwrap();
    assert!(
        images
            .open(NGINX, &digest, "amd64")
            .unwrap_err()
            .to_string()
            .contains("longer")
    );
    // A pipe would block whoever opens it.
    std::fs::remove_file(layout.blob_path(&digest)).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        layout.blob_path(&digest),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    assert!(
        images
            .open(NGINX, &digest, "amd64")
            .unwrap_err()
            .to_string()
            .contains("not a file")
    );
    std::fs::remove_file(layout.blob_path(&digest)).unwrap();
    std::fs::write(layout.blob_path(&digest), good).unwrap();
    assert_eq!(read(&images, NGINX, &digest), ["file file x"]);
}
