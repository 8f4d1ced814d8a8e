//! The CA certificates as one file, which Debian makes at installation.

use anyhow::{Result, bail};

use super::recipe::Making;
use super::tree::{Content, Node};

const FOLDER: &str = "usr/share/ca-certificates/";

pub(super) fn make(making: &mut Making<'_>) -> Result<()> {
    let mut bundle = Vec::new();
    for (path, node, package) in making.union.under(FOLDER) {
        if let (Content::File(bytes), true) = (&node.content, path.ends_with(".crt")) {
            bundle.extend_from_slice(bytes);
            if !bundle.ends_with(b"\n") {
                bundle.push(b'\n');
            }
            making.used.insert(package);
        }
    }
    if bundle.is_empty() {
        bail!("the package holds no certificate");
    }
    making.tree.add(
        "etc/ssl/certs/ca-certificates.crt",
        Node::file(0o644, bundle),
    )
}
