//! A volume of format `oci`: an image layout (OCI image specification) in place of files.

use std::collections::BTreeMap;

use nodeimage_disk::Sha256;
use nodeimage_images::{Data, Node, Tree};
use serde::Serialize;

use crate::runtime::to_go_json;

use super::{Error, nodes, path};

/// An image's index and the blobs behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The index, byte for byte.
    pub index: Data,
    /// Its digest.
    pub digest: Sha256,
    /// Manifests, configurations and layers (compressed, as in the registry) by digest.
    pub blobs: BTreeMap<Sha256, Data>,
}

const LAYOUT: &[u8; 36] = b"{\n\t\t\"imageLayoutVersion\": \"1.0.0\"\n\t}";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: [Descriptor<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'static str,
    size: u64,
    digest: String,
    annotations: BTreeMap<&'static str, &'a str>,
}

/// The layout's files below `place`, without time as in LinuxKit.
pub(super) fn tree(layout: &Layout, reference: &str, place: &str) -> Result<Tree, Error> {
    let index = Index {
        schema_version: 2,
        media_type: INDEX,
        manifests: [Descriptor {
            media_type: INDEX,
            size: layout.index.len(),
            digest: format!("sha256:{}", hex::encode(layout.digest)),
            annotations: BTreeMap::from([("org.opencontainers.image.ref.name", reference)]),
        }],
    };
    let mut files = vec![
        ("oci-layout".to_owned(), nodes::file(*LAYOUT)),
        ("blobs".to_owned(), nodes::dir()),
        ("blobs/sha256".to_owned(), nodes::dir()),
        (
            blob(&layout.digest),
            nodes::data(layout.index.clone(), 0o644),
        ),
        (
            "index.json".to_owned(),
            nodes::file(to_go_json(&index, "   ")?),
        ),
    ];
    let blobs = layout.blobs.iter();
    files.extend(blobs.map(|(digest, data)| (blob(digest), nodes::data(data.clone(), 0o644))));
    let mut tree = Tree::new();
    nodes::add_dirs(&mut tree, place.as_bytes());
    let place = |(name, node): (String, Node)| {
        (
            path::join(place.as_bytes(), name.as_bytes()),
            Node { mtime: 0, ..node },
        )
    };
    tree.extend(files.into_iter().map(place));
    Ok(tree)
}

fn blob(digest: &Sha256) -> String {
    format!("blobs/sha256/{}", hex::encode(digest))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{names, text};
    use super::*;

    #[test]
    fn an_index_with_its_blobs() {
        let layout = Layout {
            index: Data::Bytes(Arc::from(*b"{}")),
            digest: [0xab; 32],
            blobs: BTreeMap::from([([1; 32], Data::Bytes(Arc::from(*b"layer")))]),
        };
        let tree = tree(
            &layout,
            "docker.io/library/a:1",
            "containers/volumes/v/lower",
        )
        .unwrap();
        let ab = "ab".repeat(32);
        let one = "01".repeat(32);
        let lower = "containers/volumes/v/lower";
        assert_eq!(
            names(&tree)[3..],
            [
                lower.to_owned(),
                format!("{lower}/blobs"),
                format!("{lower}/blobs/sha256"),
                format!("{lower}/blobs/sha256/{one}"),
                format!("{lower}/blobs/sha256/{ab}"),
                format!("{lower}/index.json"),
                format!("{lower}/oci-layout"),
            ]
        );
        assert_eq!(text(&tree, &format!("{lower}/blobs/sha256/{one}")), "layer");
        assert_eq!(
            text(&tree, &format!("{lower}/index.json")),
            format!(
                r#"{{
   "schemaVersion": 2,
   "mediaType": "application/vnd.oci.image.index.v1+json",
   "manifests": [
      {{
         "mediaType": "application/vnd.oci.image.index.v1+json",
         "size": 2,
         "digest": "sha256:{ab}",
         "annotations": {{
            "org.opencontainers.image.ref.name": "docker.io/library/a:1"
         }}
      }}
   ]
}}"#
            )
        );
        let times: Vec<i64> = tree.values().map(|node| node.mtime).collect();
        assert_eq!(times[..4], [nodes::MTIME; 4]);
        assert!(times[4..].iter().all(|time| *time == 0));
    }
}
