//! `nodeimage inspect`

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use nodeimage_builder::quantity::bytes;
use nodeimage_disk::block_map::{self, BlockMap};
use nodeimage_disk::fat32::{self, FatReadError};
use nodeimage_disk::gpt::{self, Table};
use nodeimage_disk::{BLOCK, Extents, SECTOR, StoredFile, ZERO_BLOCK_HASH, pe};
use nodeimage_formats::{Disk, FormatError, OpenOptions, Opened};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::args;
use crate::error::Failure;
use crate::output::Output;

/// No command line is longer; the file may be hostile.
const MAX_CMDLINE: u64 = 64 << 10;

/// What has structure lies in front of this on our disks, and in the last blocks.
const FRONT: u64 = 32 << 20;

pub(crate) fn run(args: &args::Inspect, output: Output) -> Result<(), Failure> {
    let name = args.file.display().to_string();
    let options = OpenOptions {
        format: args.from.clone(),
        backing: args.backing.clone(),
        ..OpenOptions::default()
    };
    let opened = nodeimage_formats::open(&args.file, &options).map_err(|error| {
        let what = match error {
            FormatError::NotSeekable(_) => format!("{name} is no disk of nodeimage"),
            _ => format!("cannot read {name}"),
        };
        anyhow::Error::new(error).context(what)
    })?;
    let disk = opened.disk.as_ref();
    let map = match read_map(disk) {
        // Any file is a raw disk: without a block map it is none that we know of.
        Err(error) if opened.kind == "raw" => {
            return Err(error
                .context(format!("{name} is no disk of nodeimage"))
                .into());
        }
        Err(error) => {
            return foreign(args, &opened, &error, output);
        }
        Ok(map) => map,
    };
    let view = view(&args.file, &opened)?;
    let len = view.size();
    if map.disk_size() != len {
        let text = format!(
            "{name} has {len} bytes, and its block map is for {}: it was cut short or made longer",
            map.disk_size()
        );
        return Err(anyhow!(text).into());
    }
    let table = gpt::parse(&view).with_context(|| format!("{name}: partition table"))?;
    let uki = uki(&view, &table).with_context(|| format!("{name}: unified kernel image"))?;
    let verified = args.verify.then(|| verify(disk, &map)).transpose()?;
    let facts = Facts {
        opened: &opened,
        map: &map,
        table: &table,
        uki: &uki,
        verified,
    };
    tell(&args.file, &facts, output)?;
    match verified {
        Some(wrong) if wrong > 0 => Err(Failure::Check(format!(
            "{wrong} blocks are not what the block map says: the disk was changed or damaged"
        ))),
        _ => Ok(()),
    }
}

fn read_map(disk: &dyn Disk) -> anyhow::Result<BlockMap> {
    let mut bytes = vec![0; block_map::CAPACITY as usize];
    if disk.size() < block_map::OFFSET + block_map::CAPACITY {
        return Err(anyhow!("it is smaller than 4 MiB"));
    }
    disk.read_at(block_map::OFFSET, &mut bytes)?;
    Ok(BlockMap::parse(&bytes)?)
}

/// The disk as a map of extents: the file itself if it is raw, else its front and its end.
fn view(path: &Path, opened: &Opened) -> anyhow::Result<Extents> {
    let disk = opened.disk.as_ref();
    if opened.kind == "raw" {
        // A block device has none.
        let len = match std::fs::metadata(path)?.len() {
            0 => disk.size(),
            len => len,
        };
        let file = StoredFile {
            path: path.to_owned(),
            len,
            block_hashes: Vec::new(),
        };
        return Ok(Extents::from_file(Arc::new(file)));
    }
    let size = disk.size();
    let mut view = Extents::new(size);
    for block in nodeimage_formats::data_blocks(disk) {
        let offset = block? * BLOCK;
        if offset >= FRONT && offset + 2 * BLOCK < size {
            continue;
        }
        let mut bytes = vec![0; (size - offset).min(BLOCK) as usize];
        disk.read_at(offset, &mut bytes)?;
        view.push_bytes(offset, bytes)?;
    }
    Ok(view)
}

/// Where the UKI is on the disks that nodeimage makes.
const UKI_PATHS: [&str; 3] = [
    "EFI/BOOT/BOOTX64.EFI",
    "EFI/BOOT/BOOTAA64.EFI",
    "NODEIMAGE.EFI",
];

/// What the UKI says: its sections and the command line.
struct UkiFacts {
    cmdline: String,
    sections: Vec<(String, u64)>,
}

fn uki(disk: &Extents, table: &Table) -> anyhow::Result<UkiFacts> {
    let esp = table
        .partitions
        .iter()
        .find(|partition| partition.first_lba * SECTOR == nodeimage_disk::canonical::ESP_OFFSET);
    let esp = esp.ok_or_else(|| anyhow!("there is no partition at 8 MiB"))?;
    let start = esp.first_lba * SECTOR;
    let end = ((esp.last_lba + 1) * SECTOR).min(disk.size());
    let volume = disk.slice(start..end)?;
    let file = UKI_PATHS
        .iter()
        .map(|path| fat32::open(&volume, path))
        .find(|file| !matches!(file, Err(FatReadError::NotFound(_))))
        .unwrap_or_else(|| Err(FatReadError::NotFound(UKI_PATHS.join(" or "))))?;
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
fn verify(disk: &dyn Disk, map: &BlockMap) -> Result<u64, Failure> {
    if map.is_overflowed() {
        return Err(anyhow!("the disk has more data than its block map can list").into());
    }
    let own = block_map::OWN_BLOCKS;
    let mut missing = map.blocks().iter().peekable();
    let mut wrong = 0;
    let mut scratch = vec![0; BLOCK as usize];
    for block in nodeimage_formats::data_blocks(disk) {
        let block = block?;
        while missing
            .next_if(|(index, _)| u64::from(*index) < block)
            .is_some()
        {
            wrong += 1;
        }
        missing.next_if(|(index, _)| u64::from(*index) == block);
        if own.contains(&block) {
            continue;
        }
        let len = (disk.size() - block * BLOCK).min(BLOCK) as usize;
        let (inside, behind) = scratch.split_at_mut(len);
        behind.fill(0);
        disk.read_at(block * BLOCK, inside)?;
        let hash: [u8; 32] = Sha256::digest(&scratch).into();
        let expected = map.hash_of(block).unwrap_or(&ZERO_BLOCK_HASH);
        wrong += u64::from(hash != *expected);
    }
    Ok(wrong + missing.count() as u64)
}

/// What was found out.
struct Facts<'a> {
    opened: &'a Opened,
    map: &'a BlockMap,
    table: &'a Table,
    uki: &'a UkiFacts,
    verified: Option<u64>,
}

/// What the file says of itself, a line each.
fn of_file(opened: &Opened) -> String {
    let mut text = format!(
        "format       {}, {}",
        opened.kind,
        bytes(opened.disk.size())
    );
    for (name, value) in &opened.facts {
        text.push_str(&format!("\n{:<12} {name}: {value}", opened.kind));
    }
    text
}

fn facts_of(opened: &Opened) -> Value {
    let facts = opened.facts.iter();
    let facts = facts.map(|(name, value)| (name.replace(' ', "_"), json!(value)));
    Value::Object(facts.collect::<Map<_, _>>())
}

fn partitions(table: &Table) -> (String, Vec<Value>) {
    let mut text = String::new();
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
    let values = table
        .partitions
        .iter()
        .map(|p| json!({ "name": p.name, "first_lba": p.first_lba, "last_lba": p.last_lba }));
    (text, values.collect())
}

/// A disk that others made: what its file says, and its partitions.
fn foreign(
    args: &args::Inspect,
    opened: &Opened,
    why: &anyhow::Error,
    output: Output,
) -> Result<(), Failure> {
    if args.verify {
        let text = format!(
            "{} has no block map to compare it with: {why:#}",
            args.file.display()
        );
        return Err(anyhow!(text).into());
    }
    let table = gpt::parse(&view(&args.file, opened)?).ok();
    let (lines, partitions) = table.as_ref().map(partitions).unwrap_or_default();
    let text = format!("{}\nblock map    none: {why:#}{lines}", of_file(opened));
    let fields = json!({
        "path": args.file, "format": opened.kind, "facts": facts_of(opened), "id": null,
        "disk_digest": null, "disk_size": opened.disk.size(), "partitions": partitions,
    });
    Ok(output.result("inspected", &text, fields)?)
}

fn tell(path: &Path, facts: &Facts<'_>, output: Output) -> Result<(), Failure> {
    let Facts {
        opened,
        map,
        table,
        uki,
        verified,
    } = facts;
    let id = format!("sha256:{}", hex::encode(map.image_id()));
    let digest = format!("sha256:{}", hex::encode(map.digest()));
    let used = map.blocks().len();
    let mut text = format!("image        {id}\ndisk_digest  {digest}\n");
    text.push_str(&of_file(opened));
    text.push_str(&format!("\nblocks       {used} of 512 KiB hold data"));
    if let Some(wrong) = verified {
        let verdict = if *wrong == 0 {
            "as in the block map".to_owned()
        } else {
            format!("{wrong} differ")
        };
        text.push_str(&format!("\nverified     {verdict}"));
    }
    text.push_str(&format!("\ncmdline      {}", uki.cmdline));
    let (lines, partitions) = partitions(table);
    text.push_str(&lines);
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
        "path": path, "format": opened.kind, "facts": facts_of(opened), "id": id,
        "disk_digest": digest, "disk_size": opened.disk.size(),
        "blocks": used, "overflowed": map.is_overflowed(), "wrong_blocks": verified,
        "cmdline": uki.cmdline, "partitions": partitions, "uki": sections, "segments": segments,
    });
    Ok(output.result("inspected", &text, fields)?)
}
