//! `nodeimage build`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, anyhow};
use nodeimage_builder::{Builder, Machine};
use nodeimage_disk::canonical::Canonical;
use nodeimage_formats::raw::{self, RawOptions};
use nodeimage_formats::{FormatError, Progress as FormatProgress};
use nodeimage_images::{Event, Progress};
use nodeimage_outputs::{Written, kernel_initrd, tar};
use nodeimage_spec::locked::{Codec, Firmware};
use nodeimage_spec::{DiskOptions, LockedSpec};
use serde_json::{Value, json};

use super::pin::pin;
use crate::args::{self, Global};
use crate::error::Failure;
use crate::input::{Input, settings};
use crate::output::{Output, bytes};
use crate::progress::Show;
use crate::seen::Seen;

/// What can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Raw,
    Tar,
    KernelInitrd,
}

const FORMATS: [(&str, Format); 3] = [
    ("raw", Format::Raw),
    ("tar", Format::Tar),
    ("kernel+initrd", Format::KernelInitrd),
];

impl Format {
    fn parse(name: &str) -> Result<Self, String> {
        FORMATS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, format)| *format)
            .ok_or_else(|| {
                let known: Vec<_> = FORMATS.iter().map(|(known, _)| *known).collect();
                format!("unknown format `{name}`; there are {}", known.join(", "))
            })
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
    std::fs::create_dir_all(&args.dir)
        .with_context(|| format!("cannot make the directory {}", args.dir.display()))?;

    let mut job = Job {
        builder: &builder,
        locked: &locked,
        show: &show,
        sha256: args.sha256,
        machine: None,
    };
    let mut made = Vec::new();
    let mut disk = None;
    for (format, kind) in formats {
        let mut add = |file: Written| made.push(Made { format, file });
        match kind {
            Format::Tar => {
                let path = args.dir.join(format!("{name}.tar"));
                add(tar::write(&builder, &locked, &path, args.sha256)?);
            }
            Format::Raw => {
                let path = args.dir.join(format!("{name}.img"));
                let (canonical, file) = job.of_machine(|job, machine| job.raw(machine, &path))?;
                add(file);
                disk = Some(canonical);
            }
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

    fn raw(&self, machine: &Machine, path: &Path) -> Result<(Canonical, Written), Failure> {
        let disk = self.builder.disk(self.locked, machine)?;
        let (store, digest) = (self.builder.images().store(), disk.map.digest());
        let stands = Seen::of(path, &digest).ok();
        if let Some(stands) = stands.filter(|_| !self.sha256)
            && stands.is_known(store)?
        {
            let file = Written {
                path: path.to_owned(),
                len: disk.disk.size(),
                sha256: None,
            };
            return Ok((disk, file));
        }
        let written = self.write(&disk, path)?;
        // The disk is complete; the next build is slower without.
        let _ = Seen::of(path, &digest).map(|seen| seen.remember(store));
        let file = Written {
            path: path.to_owned(),
            len: written.len,
            sha256: written.sha256,
        };
        Ok((disk, file))
    }

    fn write(&self, disk: &Canonical, path: &Path) -> Result<raw::Written, FormatError> {
        let item = path.display().to_string();
        let total = disk.disk.data_len();
        self.show.event(Event::Started {
            item: &item,
            bytes: Some(total),
        });
        let last = std::cell::Cell::new(0);
        let on_bytes = |done: u64, _total: u64| {
            let fetched = done.saturating_sub(last.replace(done));
            self.show.event(Event::Bytes {
                item: &item,
                fetched,
                unpacked: fetched,
            });
            if self.show.cancelled() {
                std::ops::ControlFlow::Break(())
            } else {
                std::ops::ControlFlow::Continue(())
            }
        };
        let written = raw::write(
            &disk.disk,
            &disk.map,
            path,
            &RawOptions {
                threads: self.builder.threads().get(),
                on_bytes: Some(FormatProgress::new(&on_bytes)),
                sha256: self.sha256,
            },
        );
        self.show.event(Event::Finished { item: &item });
        written
    }
}

fn formats(args: &args::Build, input: &Input) -> Result<Vec<(&'static str, Format)>, Failure> {
    let (names, from): (Vec<String>, &str) = if !args.formats.is_empty() {
        (args.formats.clone(), "--format")
    } else if !input.parsed.outputs.is_empty() {
        (input.parsed.outputs.clone(), "`outputs` of the YAML")
    } else {
        (vec!["raw".to_owned()], "")
    };
    let mut formats: Vec<(&'static str, Format)> = Vec::new();
    let mut wrong = Vec::new();
    for name in names {
        match Format::parse(&name) {
            Err(why) => wrong.push(why),
            Ok(format) if formats.iter().any(|(_, known)| *known == format) => {}
            Ok(format) => formats.extend(FORMATS.iter().find(|(_, known)| *known == format)),
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
