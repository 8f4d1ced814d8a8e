//! The last segment, with our init only: the image id, and the attributes that init restores.

use std::collections::BTreeMap;
use std::sync::Arc;

use nodeimage_disk::Sha256;
use nodeimage_images::{Data, Kind, Node, Tree};

use crate::BuildError;
use crate::overrides::Overrides;
use crate::rootfs::MTIME;
use crate::segment::{Codec, MAX_XATTRS, SegmentError, encode_xattrs, make};
use crate::stored_segment::StoredSegment;

/// Makes it. `segments` are those of the components that `overrides` was found for.
pub(crate) fn own_segment(
    id: &Sha256,
    segments: &[StoredSegment],
    overrides: &Overrides,
    codec: Codec,
) -> Result<Arc<[u8]>, BuildError> {
    let failed = |source| BuildError::Segment {
        component: "etc/nodeimage".to_owned(),
        source,
    };
    let all = segments.iter().enumerate().flat_map(|(at, segment)| {
        let held = move |path: &str| overrides.keeps(at, &hex::decode(path).unwrap_or_default());
        let facts = segment.facts.xattrs.iter();
        facts.filter(move |(path, _)| held(path))
    });
    let hexed = all.clone().map(|(path, attributes)| {
        let lens = attributes
            .iter()
            .map(|(name, value)| name.len() + value.len());
        path.len() + lens.sum::<usize>()
    });
    if hexed.sum::<usize>() / 2 > MAX_XATTRS {
        return Err(failed(SegmentError::Xattrs));
    }
    let xattrs = encode_xattrs(all.map(|(path, attributes)| (path.as_str(), attributes)));
    let id = format!("sha256:{}\n", hex::encode(id)).into_bytes();
    let node = |kind, mode| Node {
        kind,
        mode,
        uid: 0,
        gid: 0,
        mtime: MTIME,
        xattrs: BTreeMap::new(),
    };
    let file = |bytes: Vec<u8>| node(Kind::File(Data::Bytes(bytes.into())), 0o644);
    let tree = Tree::from([
        (b"etc/nodeimage".to_vec(), node(Kind::Dir, 0o755)),
        (b"etc/nodeimage/id".to_vec(), file(id)),
        (b"etc/nodeimage/xattrs".to_vec(), file(xattrs)),
    ]);
    let mut bytes = Vec::new();
    make(&tree, codec, &mut bytes).map_err(failed)?;
    Ok(bytes.into())
}
