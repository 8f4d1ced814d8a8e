//! The entries of a directory.

use super::tree::{Directory, Target, Tree};
use super::{Plan, names};
use crate::bytes::put;

const ENTRY: usize = 32;
const ATTR_VOLUME: u8 = 0x08;
const ATTR_DIRECTORY: u8 = 0x10;
const ATTR_ARCHIVE: u8 = 0x20;

/// 1980-01-01; the time stays 0.
const DATE: u16 = 1 << 5 | 1;

/// Bytes of a directory's entries.
pub(super) fn len(tree: &Tree, index: usize) -> u64 {
    let own = if index == 0 { 1 } else { 2 };
    let entries: usize = tree.directories[index]
        .entries
        .iter()
        .map(|entry| {
            1 + if entry.long {
                names::long_entries(&entry.name)
            } else {
                0
            }
        })
        .sum();
    ((own + entries) * ENTRY) as u64
}

/// The bytes of directory `index` of the plan.
pub(super) fn encode(plan: &Plan, index: usize, label: &[u8; 11]) -> Vec<u8> {
    let Directory { parent, entries } = &plan.tree.directories[index];
    let mut out = Vec::new();
    if index == 0 {
        out.extend(entry(label, ATTR_VOLUME, 0, 0));
    } else {
        // The root is cluster 0 here, wherever it lies.
        let up = if *parent == 0 {
            0
        } else {
            plan.directories[*parent].start()
        };
        out.extend(entry(
            b".          ",
            ATTR_DIRECTORY,
            plan.directories[index].start(),
            0,
        ));
        out.extend(entry(b"..         ", ATTR_DIRECTORY, up, 0));
    }
    for it in entries {
        if it.long {
            out.extend(names::encode_long(&it.name, &it.short));
        }
        out.extend(match it.target {
            Target::Directory(at) => {
                entry(&it.short, ATTR_DIRECTORY, plan.directories[at].start(), 0)
            }
            Target::File(at) => entry(&it.short, ATTR_ARCHIVE, plan.start_of(at), plan.lens[at]),
        });
    }
    out
}

fn entry(name: &[u8; 11], attributes: u8, cluster: u32, len: u32) -> [u8; ENTRY] {
    let mut out = [0; ENTRY];
    put(&mut out, 0, name);
    out[11] = attributes;
    put(&mut out, 16, &DATE.to_le_bytes());
    put(&mut out, 18, &DATE.to_le_bytes());
    put(&mut out, 20, &((cluster >> 16) as u16).to_le_bytes());
    put(&mut out, 24, &DATE.to_le_bytes());
    put(&mut out, 26, &(cluster as u16).to_le_bytes());
    put(&mut out, 28, &len.to_le_bytes());
    out
}
