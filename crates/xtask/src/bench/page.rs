//! `docs/performance.md`.

use std::path::Path;

use anyhow::{Context, Result};

const RESULT: &str = "## Result\n";
const GROWTH: &str = "## Growth\n";
const MEASURED: &str = "## What is measured\n";

const HEAD: &str = "\
# Performance

<!-- Written by `cargo xtask bench --write`. -->

`cargo xtask bench` measures on your machine what is below, and `--write` puts its result here. It
needs some minutes and nothing else running; terraform on PATH for the last line of the result.
`--only growth` or `--only builds` measures one of the tables.

";

const TAIL: &str = "\
## What is measured

The real program runs as a child; processor time and peak memory are the kernel's (`wait4`), and
include every program that it starts. Times are the best of three builds (six when warm, five plans);
peak memory is the most of them. Aims for times are in CPU seconds: they hold on a busy machine too.
The images lie in OCI layouts on the same disk, in the page cache. The program is built as in tests
and releases.

- **cold**: an empty store. Every layer is unpacked and checked, every segment compressed, and the
  disk written. Compared with what no program can leave out that makes a compressed image of gzip
  layers: `gzip -dc LAYERS | zstd -3`, which writes nothing.
- **warm, unchanged**: the same build again; the disk that stands is left. Compared with a copy of the disk.
- **a line of `files:`**: one line of a file in the YAML is changed, and the store has the build
  before it.
- **a service's newer version**, **another service instead**: its image is replaced. Its own segments
  are those that the disk before it does not have. The name stays, and with it the segment's home on
  the disk, unless it outgrows its room (its size rounded up to a power of two, 512 KiB at least).
- **blocks**: for cold, the 512 KiB blocks of the disk that are not zero; else those that differ from
  the cold disk, the block map's own and those that became zero included: what an upload sends.
- **growth**: one service whose image has one layer, doubled twice: once in size, of files of 1 MB,
  and once in the number of files, of 2 kB. Kernel and init are in every row, and in what it is
  compared with. What a size costs is the difference to the size before it: linear is when the second doubling costs twice the first. Memory may grow with
  the number of files (a node each), and not with their size.
- **terraform plan**: nothing has changed, and the provider plans the image and refreshes its file.
  Compared with a configuration of the provider alone.

The made-up tree is ten images of 12.8 MB of files, from 512 bytes to 2 MiB, that compress as those of
`/usr` do; beside them it has the kernel, init and runc of `examples/local`.
";

/// The tables that were measured; the page keeps the others.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// With the fingerprint of the made-up layout.
    pub(super) result: Option<(String, String)>,
    pub(super) growth: Option<String>,
}

impl Tables {
    /// Writes the page.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let old = std::fs::read_to_string(path).unwrap_or_default();
        std::fs::write(path, self.page(&old, &machine()))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn page(&self, old: &str, machine: &str) -> String {
        let result = self
            .result
            .as_ref()
            .map(|(table, layout)| format!("{machine}; made-up layout {layout}.\n\n{table}"));
        let growth = self
            .growth
            .as_ref()
            .map(|table| format!("{machine}.\n\n{table}"));
        let kept = |new: Option<String>, heading| match new {
            Some(text) => format!("\n{text}\n"),
            None => section(old, heading)
                .unwrap_or("\nNot measured.\n\n")
                .to_owned(),
        };
        let result = kept(result, RESULT);
        let growth = kept(growth, GROWTH);
        format!("{HEAD}{RESULT}{result}{GROWTH}{growth}{TAIL}")
    }
}

/// What stands between a heading and the next.
fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(heading)?;
    let end = [RESULT, GROWTH, MEASURED]
        .iter()
        .filter_map(|next| rest.find(next))
        .min()?;
    Some(&rest[..end])
}

/// The processor, as the kernel names it.
fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {model}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_stays() {
        let result = Tables {
            result: Some(("| r |\n".to_owned(), "01".to_owned())),
            growth: None,
        };
        let growth = Tables {
            result: None,
            growth: Some("| g |\n".to_owned()),
        };
        let first = result.page("", "here");
        assert!(
            first.contains("## Growth\n\nNot measured.\n\n## What"),
            "{first}"
        );
        let both = growth.page(&first, "there");
        assert!(
            both.contains(
                "here; made-up layout 01.\n\n| r |\n\n## Growth\n\nthere.\n\n| g |\n\n## What"
            ),
            "{both}"
        );
        assert_eq!(growth.page(&both, "there"), both);
        assert_eq!(result.page(&both, "here"), both);
    }
}
