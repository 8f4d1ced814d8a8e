//! The images that are measured: made-up ones of 128 MB in all, and changed
//! ones to swap services for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::content::{Kind, Numbers};
use crate::base_images::layout::{Config, Layout};
use crate::base_images::tree::{self, Node, Tree};
use crate::layout;

/// Made-up images; ten are 128 MB.
pub(super) const COUNT: u64 = 10;
const BYTES: usize = 12_800_000;

/// Raised when the content changes.
const VERSION: u32 = 2;

/// The example's service, a newer version of it, and another service.
pub(super) const NGINX: &str = "ghcr.io/nodeimage/nginx:1.22";
pub(super) const NEWER_NGINX: &str = "bench.example/nginx:2";
pub(super) const SSHD: &str = "ghcr.io/nodeimage/sshd:2022.83";

/// A made-up image. Version 2 has a fifth of its files anew. Image
/// [`COUNT`] + 1 is in no spec but to replace another.
pub(super) fn name(number: u64, version: u64) -> String {
    format!("bench.example/service-{number}:{version}")
}

/// Makes the layout, unless it is there; returns its folder.
pub(super) fn ensure(bench: &Path, base: &Path) -> Result<PathBuf> {
    let folder = bench.join("layout");
    let stamp_file = bench.join("layout.stamp");
    let index = layout::index(base)?;
    let stamp = format!("{VERSION} {}", layout::find(&index, NGINX)?["digest"]);
    if std::fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
        return Ok(folder);
    }
    let mut made = Layout::create(&folder)?;
    for number in 1..=COUNT + 1 {
        add(&mut made, number, 1)?;
    }
    add(&mut made, COUNT / 2, 2)?;
    let (mut tree, config) = nginx(base)?;
    let addition = Numbers::new(0).file(Kind::Program, 64 << 10);
    tree.add("usr/share/nginx/addition", Node::file(0o644, addition))?;
    made.add(&[NEWER_NGINX.to_owned()], &tree, &config)?;
    made.finish()?;
    std::fs::write(&stamp_file, stamp).context("cannot write the stamp")?;
    Ok(folder)
}

fn add(made: &mut Layout, number: u64, version: u64) -> Result<()> {
    let mut tree = Tree::default();
    let mut sizes = Numbers::new(number);
    let (mut total, mut count) = (0, 0);
    while total < BYTES {
        let size = sizes.size().min(BYTES - total);
        let seed = (number << 32) + count;
        let changed = version > 1 && count % 5 == 0;
        let seed = if changed {
            seed + (version << 48)
        } else {
            seed
        };
        let path = format!("usr/lib/service/{:02}/{count:04}", count % 17);
        let bytes = Numbers::new(seed).file(sizes.kind(), size);
        tree.add(&path, Node::file(0o644, bytes))?;
        total += size;
        count += 1;
    }
    tree.add("usr/bin/service", Node::file(0o755, "#!/bin/sh\n"))?;
    let config = Config {
        command: vec!["/usr/bin/service".to_owned()],
        ..Config::default()
    };
    made.add(&[name(number, version)], &tree, &config)
}

/// The example's nginx, to be changed.
fn nginx(base: &Path) -> Result<(Tree, Config)> {
    let mut tree = Tree::default();
    for path in layers(base, NGINX)? {
        let packed = std::fs::File::open(&path).context("cannot open a layer")?;
        for (path, node) in tree::read_tar(GzDecoder::new(packed))? {
            tree.add(&path, node)?;
        }
    }
    let manifest = layout::manifest(base, NGINX)?;
    let config = layout::json(base, &layout::blob_path(&manifest["config"])?)?;
    let config = &config["config"];
    let strings = |value: &Value| -> Vec<String> {
        let all = value.as_array().into_iter().flatten();
        all.filter_map(|one| one.as_str().map(str::to_owned))
            .collect()
    };
    let labels: BTreeMap<String, String> = config["Labels"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())))
        .collect();
    let config = Config {
        environment: strings(&config["Env"]),
        command: strings(&config["Cmd"]),
        labels,
    };
    Ok((tree, config))
}

/// The layers of an image, compressed with gzip.
pub(super) fn layers(folder: &Path, reference: &str) -> Result<Vec<PathBuf>> {
    let manifest = layout::manifest(folder, reference)?;
    let listed = manifest["layers"].as_array().into_iter().flatten();
    listed
        .map(|layer| Ok(folder.join(layout::blob_path(layer)?)))
        .collect()
}

/// The sha256 of the whole layout, for the record.
pub(super) fn fingerprint(folder: &Path) -> Result<String> {
    let index = std::fs::read(folder.join("index.json")).context("cannot read the index")?;
    Ok(hex::encode(&Sha256::digest(&index)[..6]))
}
