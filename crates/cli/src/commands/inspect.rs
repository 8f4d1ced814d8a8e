//! `nodeimage inspect`

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use nodeimage_disk::block_map::{self, BlockMap};
use nodeimage_disk::gpt::{self, Table};
use nodeimage_disk::{Extents, SECTOR, StoredFile, fat32, pe};
use serde_json::{Value, json};

use crate::args;
use crate::error::Failure;
use crate::output::{Output, bytes};

/// No command line is longer; the file may be hostile.
const MAX_CMDLINE: u64 = 64 << 10;

pub(crate) fn run(args: &args::Inspect, output: Output) -> Result<(), Failure> {
    let name = args.file.display().to_string();
    let len = std::fs::metadata(&args.file)
        .with_context(|| format!("cannot read {name}"))?
        .len();
    let file = StoredFile {
        path: args.file.clone(),
        len,
        block_hashes: Vec::new(),
    };
    let disk = Extents::from_file(Arc::new(file));
    let map = read_map(&disk).with_context(|| format!("{name} is no disk of nodeimage"))?;
    if map.disk_size() != len {
        let text = format!(
            "{name} has {len} bytes, and its block map is for {}: it was cut short or made longer",
            map.disk_size()
        );
        return Err(anyhow!(text).into());
    }
    let table = gpt::parse(&disk).with_context(|| format!("{name}: partition table"))?;
    let uki = uki(&disk, &table).with_context(|| format!("{name}: unified kernel image"))?;
    let verified = args.verify.then(|| verify(&disk, &map)).transpose()?;
    tell(&args.file, &disk, &map, &table, &uki, verified, output)?;
    match verified {
        Some(wrong) if wrong > 0 => Err(Failure::Check(format!(
            "{wrong} blocks are not what the block map says: the disk was changed or damaged"
        ))),
        _ => Ok(()),
    }
}

fn read_map(disk: &Extents) -> anyhow::Result<BlockMap> {
    let mut bytes = vec![0; block_map::CAPACITY as usize];
    if disk.size() < block_map::OFFSET + block_map::CAPACITY {
        return Err(anyhow!("it is smaller than 4 MiB"));
    }
    disk.read_at(block_map::OFFSET, &mut bytes)?;
    Ok(BlockMap::parse(&bytes)?)
}

/// What the UKI says: its sections and the command line.
struct UkiFacts {
    cmdline: String,
    sections: Vec<(String, u64)>,
}

fn uki(disk: &Extents, table: &Table) -> anyhow::Result<UkiFacts> {
    // It is the first file of the second partition, at a place that is the same on every disk.
    let esp = table
        .partitions
        .iter()
        .find(|partition| partition.first_lba * SECTOR == nodeimage_disk::canonical::ESP_OFFSET);
    let esp = esp.ok_or_else(|| anyhow!("there is no partition at 8 MiB"))?;
    let start = esp.first_lba * SECTOR + fat32::DATA_OFFSET + nodeimage_disk::BLOCK;
    let end = ((esp.last_lba + 1) * SECTOR).min(disk.size());
    let file = disk.slice(start..end)?;
    let pe = pe::parse(&file)?;
    let mut cmdline = String::new();
    if let Some(section) = pe.section(".cmdline") {
        let range = section.content();
        let len = (range.end - range.start).min(MAX_CMDLINE);
        let mut bytes = vec![0; len as usize];
        file.read_at(range.start, &mut bytes)?;
        cmdline = String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\0', ' '])
            .to_owned();
    }
    let sections = pe.sections.iter().map(|section| {
        let range = section.content();
        (section.name.to_string(), range.end - range.start)
    });
    Ok(UkiFacts {
        cmdline,
        sections: sections.collect(),
    })
}

/// How many blocks differ from the map, those that should be zero included.
fn verify(disk: &Extents, map: &BlockMap) -> Result<u64, Failure> {
    if map.is_overflowed() {
        return Err(anyhow!("the disk has more data than its block map can list").into());
    }
    let own = block_map::OWN_BLOCKS;
    let mut wrong = 0;
    let mut scratch = Vec::new();
    for block in disk.blocks() {
        if own.contains(&block.index()) {
            continue;
        }
        let hash = block.hash(&mut scratch).context("cannot read the disk")?;
        let expected = map
            .hash_of(block.index())
            .unwrap_or(&nodeimage_disk::ZERO_BLOCK_HASH);
        wrong += u64::from(hash != *expected);
    }
    Ok(wrong)
}

fn tell(
    path: &Path,
    disk: &Extents,
    map: &BlockMap,
    table: &Table,
    uki: &UkiFacts,
    verified: Option<u64>,
    output: Output,
) -> Result<(), Failure> {
    let id = format!("sha256:{}", hex::encode(map.image_id()));
    let digest = format!("sha256:{}", hex::encode(map.digest()));
    let used = map.blocks().len();
    let mut text = format!("image        {id}\ndisk_digest  {digest}");
    text.push_str(&format!("\nformat       raw, {}", bytes(disk.size())));
    text.push_str(&format!("\nblocks       {used} of 512 KiB hold data"));
    if let Some(wrong) = verified {
        let verdict = if wrong == 0 {
            "as in the block map".to_owned()
        } else {
            format!("{wrong} differ")
        };
        text.push_str(&format!("\nverified     {verdict}"));
    }
    text.push_str(&format!("\ncmdline      {}", uki.cmdline));
    for (at, partition) in table.partitions.iter().enumerate() {
        let (first, last) = (
            partition.first_lba * SECTOR,
            (partition.last_lba + 1) * SECTOR,
        );
        let (number, name) = (at + 1, &partition.name);
        text.push_str(&format!(
            "\npartition {number}  {name}: {} from {}",
            bytes(last - first),
            bytes(first)
        ));
    }
    for (name, len) in &uki.sections {
        text.push_str(&format!("\nuki          {name:<9} {}", bytes(*len)));
    }
    for segment in map.segments() {
        let key = hex::encode(&segment.key[..6]);
        text.push_str(&format!(
            "\nsegment      {key} {} at {}",
            bytes(segment.len),
            bytes(segment.offset)
        ));
    }
    let partitions: Vec<Value> = table
        .partitions
        .iter()
        .map(|p| json!({ "name": p.name, "first_lba": p.first_lba, "last_lba": p.last_lba }))
        .collect();
    let segments: Vec<Value> = map
        .segments()
        .iter()
        .map(|s| json!({ "key": hex::encode(s.key), "offset": s.offset, "size": s.len }))
        .collect();
    let sections: Vec<Value> = uki
        .sections
        .iter()
        .map(|(name, len)| json!({ "name": name, "size": len }))
        .collect();
    let fields = json!({
        "path": path, "format": "raw", "id": id, "disk_digest": digest, "disk_size": disk.size(),
        "blocks": used, "overflowed": map.is_overflowed(), "wrong_blocks": verified,
        "cmdline": uki.cmdline, "partitions": partitions, "uki": sections, "segments": segments,
    });
    Ok(output.result("inspected", &text, fields)?)
}
