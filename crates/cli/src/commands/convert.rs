//! `nodeimage convert`

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use anyhow::{Context, anyhow};
use nodeimage_builder::quantity::bytes;
use nodeimage_formats::{
    Format, FormatError, Input, OpenOptions, Opened, Settings, Target, WriteOptions, Written,
    open_input, seed_of, write_stream,
};
use serde_json::{Value, json};

use super::disk_files::{following, write};
use crate::args::{self, Global};
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Show;

/// Standard input or output.
const STANDARD: &str = "-";

pub(crate) fn run(
    global: &Global,
    args: &args::Convert,
    output: Output,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    let targets = targets(args)?;
    let is_stream = args.outputs.iter().any(|path| path == Path::new(STANDARD));
    if is_stream {
        check_stream(&targets, output)?;
    }
    let threads = global.threads.map_or_else(
        || available_parallelism().map_or(1, std::num::NonZero::get),
        std::num::NonZero::get,
    );
    let show = Show::new(output, Arc::clone(stop));
    let source = read(args, stop)?;
    let disk = source.disk.as_ref();
    let seed = seed_of(disk)?;
    let written = if is_stream {
        let written = stream(disk, seed, &targets[0], threads, args.sha256, &show)?;
        vec![written]
    } else {
        write(disk, seed, &targets, threads, args.sha256, &show)?
    };
    show.clear();
    tell(&source, &targets, &written, is_stream, output)
}

/// The files and their formats, by `--to` or by their names.
fn targets(args: &args::Convert) -> Result<Vec<Target>, Failure> {
    let (names, count) = (&args.to, args.outputs.len());
    if names.len() > 1 && names.len() != count {
        let text = format!(
            "--to names {} formats for {count} files; name one for each, or one for all",
            names.len()
        );
        return Err(anyhow!(text).into());
    }
    let target = |(at, path): (usize, &PathBuf)| {
        let (format, settings) = match names.get(at).or(names.first()) {
            Some(name) => Format::parse(name).context("--to")?,
            None => by_name(path)?,
        };
        Ok(Target {
            format,
            settings,
            path: path.clone(),
        })
    };
    args.outputs.iter().enumerate().map(target).collect()
}

fn by_name(path: &Path) -> anyhow::Result<(&'static Format, Settings)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let format = Format::of_file_name(&name).with_context(|| {
        format!(
            "{}: no format has such a name; say it with --to",
            path.display()
        )
    })?;
    Ok((format, format.defaults()))
}

fn check_stream(targets: &[Target], output: Output) -> Result<(), Failure> {
    let text = if targets.len() > 1 {
        "standard output takes one file, and no other beside it"
    } else if output.json {
        "--json prints to standard output too; write to a file"
    } else if io::stdout().is_terminal() {
        "standard output is a terminal; write to a file or a pipe"
    } else {
        return Ok(());
    };
    Err(anyhow!(text).into())
}

fn read(args: &args::Convert, stop: &AtomicBool) -> Result<Opened, Failure> {
    let options = OpenOptions {
        format: args.from.clone(),
        backing: args.backing.clone(),
        ..OpenOptions::default()
    };
    if args.input != Path::new(STANDARD) {
        return Ok(nodeimage_formats::open(&args.input, &options)?);
    }
    // A file is read in place. A pipe is kept in a file without a name first: most formats are
    // told by their end, and all but raw need what comes later.
    let name = PathBuf::from("standard input");
    let stdin = stdin().context("cannot read standard input")?;
    let is_file = stdin.metadata().is_ok_and(|it| it.is_file());
    let input = if is_file {
        Input::of(stdin, name)?
    } else {
        let folder = folder(&args.outputs);
        let go_on = || !stop.load(Ordering::Relaxed);
        Input::spool(stdin, name, &folder, &go_on)?
    };
    Ok(open_input(input, &options)?)
}

#[cfg(unix)]
fn stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn stdin() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
}

/// Where there is room for the disk: beside the first file that is written.
fn folder(outputs: &[PathBuf]) -> PathBuf {
    let file = outputs.iter().find(|path| *path != Path::new(STANDARD));
    match file.map(|file| file.parent().map(Path::to_owned).unwrap_or_default()) {
        None => std::env::temp_dir(),
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder,
    }
}

fn stream(
    disk: &dyn nodeimage_formats::Disk,
    seed: [u8; 32],
    target: &Target,
    threads: usize,
    sha256: bool,
    show: &Show,
) -> Result<Written, Failure> {
    let written = following(show, "standard output", |progress| {
        let options = WriteOptions {
            threads,
            on_bytes: Some(progress),
            sha256,
        };
        let mut out = io::stdout().lock();
        write_stream(
            disk,
            seed,
            target.format,
            &target.settings,
            &mut out,
            &options,
        )
    });
    match written {
        Err(FormatError::Stream(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Err(Failure::Closed)
        }
        written => Ok(written?),
    }
}

fn tell(
    source: &Opened,
    targets: &[Target],
    written: &[Written],
    is_stream: bool,
    output: Output,
) -> Result<(), Failure> {
    let mut lines = Vec::new();
    let mut files = Vec::new();
    for (target, written) in targets.iter().zip(written) {
        let mut line = format!("{:<11}  {}", bytes(written.len), target.path.display());
        let sha256 = written.sha256.map(hex::encode);
        if let Some(sha256) = &sha256 {
            line.push_str(&format!("  sha256:{sha256}"));
        }
        lines.push(line);
        files.push(json!({
            "format": target.format.name, "path": target.path, "size": written.len,
            "allocated": written.allocated, "sha256": sha256,
        }));
    }
    let fields = json!({
        "from": source.kind, "disk_size": source.disk.size(), "files": Value::Array(files),
    });
    let text = lines.join("\n");
    if is_stream {
        Ok(output.note("converted", &text, fields)?)
    } else {
        Ok(output.result("converted", &text, fields)?)
    }
}
