//! `nodeimage build`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, anyhow};
use nodeimage_builder::quantity::bytes;
use nodeimage_builder::{Builder, Machine, diff};
use nodeimage_disk::Sha256;
use nodeimage_disk::canonical::Canonical;
use nodeimage_formats::{Canonical as Source, FORMATS, Settings, Target};
use nodeimage_images::Progress;
use nodeimage_outputs::{Written, kernel_initrd, tar};
use nodeimage_spec::locked::{Codec, Firmware};
use nodeimage_spec::{DiskOptions, LockedSpec};
use serde_json::{Value, json};
use sha2::Digest;

use super::disk_files;
use super::pin::pin;
use crate::args::{self, Global};
use crate::error::Failure;
use crate::input::{Input, settings};
use crate::output::Output;
use crate::progress::Show;
use crate::seen::Seen;

/// What can be made.
#[derive(Clone, Copy, Debug)]
enum Format {
    Disk(&'static nodeimage_formats::Format, Settings),
    Tar,
    KernelInitrd,
}

/// What is no disk.
const OUTPUTS: [(&str, Format); 2] = [
    ("tar", Format::Tar),
    ("kernel+initrd", Format::KernelInitrd),
];

impl Format {
    fn parse(text: &str) -> Result<Self, String> {
        if let Some((_, format)) = OUTPUTS.iter().find(|(known, _)| *known == text) {
            return Ok(*format);
        }
        match nodeimage_formats::Format::parse(text) {
            Ok((format, settings)) => Ok(Self::Disk(format, settings)),
            Err(nodeimage_formats::FormatError::Unknown(name)) => {
                let (raw, disks) = FORMATS.split_at(1);
                let names = raw.iter().map(|format| format.name);
                let names = names.chain(OUTPUTS.iter().map(|(known, _)| *known));
                let names: Vec<_> = names.chain(disks.iter().map(|it| it.name)).collect();
                Err(format!(
                    "unknown format `{name}`; there are {}",
                    names.join(", ")
                ))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Disk(format, _) => format.name,
            Self::Tar => "tar",
            Self::KernelInitrd => "kernel+initrd",
        }
    }

    /// What its only file's name ends in.
    fn ending(self) -> Option<&'static str> {
        match self {
            Self::Disk(format, _) => Some(format.ending),
            Self::Tar => Some(".tar"),
            Self::KernelInitrd => None,
        }
    }
}

struct Made {
    format: &'static str,
    file: Written,
}

pub(crate) fn run(
    global: &Global,
    args: &args::Build,
    output: Output,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    let input = Input::read(&args.spec)?;
    let formats = formats(args, &input)?;
    let options = disk_options(args)?;
    let name = args.name.clone().unwrap_or_else(|| input.name.clone());
    if name.is_empty() || name.contains('/') {
        return Err(anyhow!("--name {name:?} is no file name; --dir says where files go").into());
    }
    let show = Arc::new(Show::new(output, Arc::clone(stop)));
    let progress: Arc<dyn Progress> = Arc::clone(&show) as _;
    let builder = settings(global, Some(&input.dir))?.builder(Some(progress), stop)?;
    let locked = pin(&builder, &input, args.arch, &options, output)?;
    diff::remember(builder.images().store(), &locked)?;
    std::fs::create_dir_all(&args.dir)
        .with_context(|| format!("cannot make the directory {}", args.dir.display()))?;

    let mut job = Job {
        builder: &builder,
        locked: &locked,
        show: &show,
        sha256: args.sha256,
        machine: None,
    };
    let targets: Vec<Target> = formats
        .iter()
        .filter_map(|format| match format {
            Format::Disk(format, settings) => Some(Target {
                format,
                settings: *settings,
                path: args.dir.join(format!("{name}{}", format.ending)),
            }),
            Format::Tar | Format::KernelInitrd => None,
        })
        .collect();
    let mut made = Vec::new();
    let mut disk = None;
    let mut files = Vec::new();
    if !targets.is_empty() {
        let (canonical, written) = job.of_machine(|job, machine| job.disks(machine, &targets))?;
        (disk, files) = (Some(canonical), written);
    }
    let mut files = files.into_iter();
    for format in formats {
        let mut add = |file: Written| {
            made.push(Made {
                format: format.name(),
                file,
            });
        };
        match format {
            Format::Tar => {
                let path = args.dir.join(format!("{name}.tar"));
                add(tar::write(&builder, &locked, &path, args.sha256)?);
            }
            Format::Disk(..) => files.next().into_iter().for_each(add),
            Format::KernelInitrd => {
                let write = |job: &Job<'_>, machine: &Machine| {
                    Ok(kernel_initrd::write(machine, &args.dir, &name, job.sha256)?)
                };
                job.of_machine(write)?.into_iter().for_each(add);
            }
        }
    }
    show.clear();
    tell(&locked, disk.as_ref(), &made, output)
}

struct Job<'a> {
    builder: &'a Builder,
    locked: &'a LockedSpec,
    show: &'a Show,
    sha256: bool,
    /// Made for the first format that needs it.
    machine: Option<Machine>,
}

impl Job<'_> {
    /// Makes something of the machine. Parts that turn out to be damaged in the store are made
    /// anew, once.
    fn of_machine<T>(
        &mut self,
        make: impl Fn(&Self, &Machine) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut machine = match self.machine.take() {
            Some(machine) => machine,
            None => self.builder.machine(self.locked)?,
        };
        let mut made = make(self, &machine);
        if let Err(failure) = &made
            && failure.may_be_damage()
            && self.builder.remove_damaged(&machine)?
        {
            machine = self.builder.machine(self.locked)?;
            made = make(self, &machine);
        }
        self.machine = Some(machine);
        made
    }

    /// Writes the disk's files, but for those that stand already.
    fn disks(
        &self,
        machine: &Machine,
        targets: &[Target],
    ) -> Result<(Canonical, Vec<Written>), Failure> {
        let disk = self.builder.disk(self.locked, machine)?;
        let store = self.builder.images().store();
        let mut missing = Vec::new();
        let mut files = Vec::new();
        for target in targets {
            let stands = Seen::of(&target.path, &identity(&disk, target)).ok();
            let stands = match stands.filter(|_| !self.sha256) {
                Some(stands) => stands.is_known(store)?,
                None => false,
            };
            if !stands {
                missing.push(target.clone());
            }
            files.push((target.path.clone(), stands));
        }
        let mut written = Vec::new();
        if !missing.is_empty() {
            let source = Source::new(&disk.disk, &disk.map)?;
            let (seed, threads) = (*disk.map.image_id(), self.builder.threads().get());
            written = disk_files::write(&source, seed, &missing, threads, self.sha256, self.show)?;
        }
        for target in &missing {
            // The file is complete; the next build is slower without.
            let seen = Seen::of(&target.path, &identity(&disk, target));
            let _ = seen.map(|seen| seen.remember(store));
        }
        let mut written = written.into_iter();
        let mut made = Vec::new();
        for (path, stands) in files {
            let new = if stands { None } else { written.next() };
            let len = match &new {
                Some(new) => new.len,
                None => std::fs::metadata(&path)?.len(),
            };
            made.push(Written {
                path,
                len,
                sha256: new.and_then(|new| new.sha256),
            });
        }
        Ok((disk, made))
    }
}

/// What a file's bytes follow from. Code of formats may change with a version of the program.
fn identity(disk: &Canonical, target: &Target) -> Sha256 {
    let digest = disk.map.digest();
    if target.format.kind == "raw" {
        return digest;
    }
    let Settings { codec, level } = target.settings;
    let settings = format!(
        "{} {} {level} {}",
        target.format.name,
        codec.name(),
        env!("CARGO_PKG_VERSION")
    );
    sha2::Sha256::digest([&digest[..], settings.as_bytes()].concat()).into()
}

fn formats(args: &args::Build, input: &Input) -> Result<Vec<Format>, Failure> {
    let (names, from): (Vec<String>, &str) = if !args.formats.is_empty() {
        (args.formats.clone(), "--format")
    } else if !input.parsed.outputs.is_empty() {
        (input.parsed.outputs.clone(), "`outputs` of the YAML")
    } else {
        (vec!["raw".to_owned()], "")
    };
    let mut formats = Vec::new();
    let mut known = BTreeMap::new();
    let mut wrong = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            continue;
        }
        match Format::parse(name) {
            Err(why) => wrong.push(why),
            Ok(format) => {
                // Before anything is built.
                let first = format.ending().and_then(|it| known.insert(it, name));
                if let Some(first) = first {
                    wrong.push(format!("`{first}` and `{name}` are files of the same name"));
                }
                formats.push(format);
            }
        }
    }
    if wrong.is_empty() {
        Ok(formats)
    } else {
        Err(anyhow!("{from}: {}; name others with --format", wrong.join("; ")).into())
    }
}

fn disk_options(args: &args::Build) -> Result<DiskOptions, Failure> {
    let size = args.size.as_deref().map(parse_size).transpose()?;
    Ok(DiskOptions {
        size,
        firmware: args.firmware.map(|firmware| match firmware {
            args::Firmware::Hybrid => Firmware::Hybrid,
            args::Firmware::Uefi => Firmware::Uefi,
            args::Firmware::Bios => Firmware::Bios,
        }),
        codec: match args.codec {
            args::Codec::Auto => Codec::Auto,
            args::Codec::Zstd => Codec::Zstd,
            args::Codec::Gzip => Codec::Gzip,
            args::Codec::Lz4 => Codec::Lz4,
            args::Codec::Xz => Codec::Xz,
            args::Codec::None => Codec::None,
        },
        min_memory: args.min_memory,
        cmdline: args.cmdline.clone(),
    })
}

/// MiB; `linuxkit build` writes them as `1024M`, and people write `2G`.
fn parse_size(text: &str) -> Result<u64, Failure> {
    let (number, unit) = match text.strip_suffix(['M', 'm']) {
        Some(number) => (number, 1),
        None => text
            .strip_suffix(['G', 'g'])
            .map_or((text, 1), |number| (number, 1024)),
    };
    let size: Option<u64> = number
        .parse()
        .ok()
        .and_then(|number: u64| number.checked_mul(unit));
    size.ok_or_else(|| anyhow!("--size {text:?}: give MiB, such as 4096, 4096M or 4G").into())
}

fn tell(
    locked: &LockedSpec,
    disk: Option<&Canonical>,
    made: &[Made],
    output: Output,
) -> Result<(), Failure> {
    let id = locked.id();
    let digest = disk.map(|disk| format!("sha256:{}", hex::encode(disk.map.digest())));
    let mut text = format!("image        {id}");
    if let Some(digest) = &digest {
        text.push_str(&format!("\ndisk_digest  {digest}"));
    }
    for Made { file, .. } in made {
        text.push_str(&format!(
            "\n{:<11}  {}",
            bytes(file.len),
            file.path.display()
        ));
        if let Some(sha256) = &file.sha256 {
            text.push_str(&format!("  sha256:{}", hex::encode(sha256)));
        }
    }
    let files: Vec<Value> = made
        .iter()
        .map(|Made { format, file }| {
            let sha256 = file.sha256.map(hex::encode);
            json!({ "format": format, "path": file.path, "size": file.len, "sha256": sha256 })
        })
        .collect();
    let fields = json!({
        "id": id,
        "architecture": locked.architecture.name(),
        "disk_digest": digest,
        "disk_size": disk.map(|disk| disk.disk.size()),
        "images": locked.images,
        "files": files,
    });
    Ok(output.result("built", &text, fields)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, mib) in [("1024", 1024), ("1024M", 1024), ("2G", 2048), ("0", 0)] {
            assert_eq!(parse_size(text).unwrap(), mib);
        }
        for text in ["", "M", "1.5G", "-1", "1T", "99999999999999999999G"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
