//! An image from Debian's docker-registry on loopback, through the registry client.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::layout::{INDEX, MANIFEST, platform};
use common::{Codec, Layout, Tar, show, store};
use nodeimage_images::config::Source;
use nodeimage_images::{Config, Digest, Images};
use nodeimage_registry::Client;

struct Registry {
    process: Child,
    address: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves what lies in `root`.
fn serve(root: &Path) -> Registry {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let config = root.join("config.yml");
    let text = format!(
        "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
         http:\n  addr: {address}\n",
        root.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("docker-registry");
    command
        .arg("serve")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let process = command.spawn().expect("docker-registry must be installed");
    for _ in 0..200 {
        if TcpStream::connect(&address).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Registry { process, address }
}

/// Puts a layout's blobs into a registry's directory, as the repository `name`.
fn push(root: &Path, layout: &Layout, name: &str, tag: &str, index: &Digest, manifests: &[Digest]) {
    let base = root.join("docker/registry/v2");
    let write = |path: String, bytes: &[u8]| {
        let path = base.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    for file in std::fs::read_dir(layout.dir.join("blobs/sha256")).unwrap() {
        let blob = std::fs::read(file.unwrap().path()).unwrap();
        let digest = Digest::of(&blob);
        let hex = digest.hex();
        write(format!("blobs/sha256/{}/{hex}/data", &hex[..2]), &blob);
        let link = digest.to_string();
        let link = link.as_bytes();
        write(
            format!("repositories/{name}/_layers/sha256/{hex}/link"),
            link,
        );
        if digest == *index || manifests.contains(&digest) {
            write(
                format!("repositories/{name}/_manifests/revisions/sha256/{hex}/link"),
                link,
            );
        }
    }
    let link = index.to_string();
    write(
        format!("repositories/{name}/_manifests/tags/{tag}/current/link"),
        link.as_bytes(),
    );
}

#[test]
fn an_image_is_pulled_once_and_then_read_from_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path().join("layout"));
    let layers = |text: &str| vec![Tar::new().file("arch", text).finish()];
    let amd64 = layout.manifest("amd64", layers("amd64"), Codec::Gzip);
    let arm64 = layout.manifest("arm64", layers("arm64"), Codec::Zstd);
    let index = layout.index(&[
        platform(layout.descriptor(MANIFEST, &amd64), "linux", "amd64", ""),
        platform(layout.descriptor(MANIFEST, &arm64), "linux", "arm64", "v8"),
    ]);
    assert_eq!(layout.descriptor(INDEX, &index)["mediaType"], INDEX);
    let root = dir.path().join("registry");
    std::fs::create_dir(&root).unwrap();
    push(&root, &layout, "team/app", "1", &index, &[amd64, arm64]);
    let registry = serve(&root);
    let client =
        || Some(Arc::new(Client::new(nodeimage_registry::Config::default()).unwrap()) as _);
    let images = Images::new(store(dir.path()), &Config::default(), client());
    let reference = format!("{}/team/app:1", registry.address);
    let resolved = images.resolve(&reference, &[]).unwrap();
    assert_eq!(resolved.digest, index);
    assert_eq!(resolved.platforms["linux/arm64"], arm64);
    for architecture in ["amd64", "arm64"] {
        let image = images.open(&reference, &index, architecture).unwrap();
        let tree = show(&images.tree(&image).unwrap());
        assert_eq!(tree, [format!("arch file {architecture}")]);
    }
    // The same through a mirror.
    let mirror = Source::Mirror(format!("{}/team", registry.address));
    let config = common::config("ghcr.io/acme", mirror);
    let mirrored = Images::new(store(&dir.path().join("other")), &config, client());
    assert_eq!(
        mirrored
            .resolve("ghcr.io/acme/app:1", &["amd64"])
            .unwrap()
            .digest,
        index
    );
    let error = images.resolve(&reference.replace(":1", ":2"), &[]);
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("team/app:2") && text.contains("not found"),
        "{text}"
    );
    // Pinned and in the store: nobody is asked any more.
    drop(registry);
    let image = images.open(&reference, &index, "amd64").unwrap();
    assert_eq!(show(&images.tree(&image).unwrap()), ["arch file amd64"]);
}
