//! The package databases of several init images as one, so that `apk` knows all packages.

use nodeimage_images::{Data, Kind, Tree};

use super::{Error, Links, Trees, links, nodes};

const DATABASE: &[u8] = b"lib/apk/db/installed";

/// Most bytes of all databases together; a full Alpine has 2 MiB.
const LIMIT: u64 = 64 << 20;

/// Whether the image has a package database.
pub(super) fn has_database(image: &Tree) -> bool {
    database(image).is_some()
}

fn database(image: &Tree) -> Option<&Data> {
    let mut node = image.get(DATABASE)?;
    if let Kind::HardLink(target) = &node.kind {
        node = image.get(target)?;
    }
    match &node.kind {
        Kind::File(data) => Some(data),
        _ => None,
    }
}

/// All databases in order, two newlines behind each. The directories above are an earlier
/// component's.
pub(super) fn union(
    references: &[String],
    links: &Links,
    trees: &dyn Trees,
) -> Result<Tree, Error> {
    let mut all = Vec::new();
    for reference in references {
        let image = trees.tree(reference).map_err(|source| Error::Image {
            reference: reference.clone(),
            source,
        })?;
        let Some(data) = database(&image) else {
            continue;
        };
        let left = LIMIT.saturating_sub(all.len() as u64);
        if data.len() > left {
            return Err(Error::ApkTooLarge { limit: LIMIT });
        }
        let bytes = data.read(left).map_err(|source| Error::ApkDatabase {
            reference: reference.clone(),
            source,
        })?;
        all.extend_from_slice(&bytes);
        all.extend_from_slice(b"\n\n");
    }
    let mut node = nodes::file(all);
    // LinuxKit gives this one no time.
    node.mtime = 0;
    // Under its directories, so that a link in the place of `lib` is seen; they are taken off again.
    let mut tree = Tree::new();
    nodes::add_parents(&mut tree, DATABASE);
    tree.insert(DATABASE.to_vec(), node);
    let placed = links
        .place(tree, links::Above::Assume)
        .map_err(|(name, reason)| Error::Link {
            component: "init".to_owned(),
            name,
            reason,
        })?;
    Ok(placed
        .into_iter()
        .filter(|(_, node)| node.kind != Kind::Dir)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Entry, Images, names, text, tree};
    use super::*;

    fn images() -> Images {
        let mut images = Images::default();
        images.add("a", tree(&[("lib/apk/db/installed", Entry::File("P:a\n"))]));
        images.add("b", tree(&[("bin/sh", Entry::File("x"))]));
        images.add(
            "c",
            tree(&[
                ("a", Entry::File("P:c")),
                ("lib/apk/db/installed", Entry::Hard("a")),
            ]),
        );
        images
    }

    #[test]
    fn joined_in_order_with_two_newlines_behind_each() {
        let references = ["a", "b", "c"].map(str::to_owned);
        let union = union(&references, &Links::default(), &images()).unwrap();
        assert_eq!(names(&union), ["lib/apk/db/installed"]);
        assert_eq!(text(&union, "lib/apk/db/installed"), "P:a\n\n\nP:c\n\n");
        let node = &union[DATABASE];
        assert_eq!(
            (node.mode, node.uid, node.gid, node.mtime),
            (0o644, 0, 0, 0)
        );
    }

    #[test]
    fn through_a_link() {
        let mut links = Links::default();
        links.insert(b"lib".to_vec(), b"usr/lib".to_vec());
        let union = union(&["a".to_owned()], &links, &images()).unwrap();
        assert_eq!(names(&union), ["usr/lib/apk/db/installed"]);
    }

    #[test]
    fn only_a_file_is_a_database() {
        let has = |entry| has_database(&tree(&[("lib/apk/db/installed", entry)]));
        assert!(has(Entry::File("")));
        assert!(!has(Entry::Link("x")) && !has(Entry::Dir(0o755)));
    }
}
