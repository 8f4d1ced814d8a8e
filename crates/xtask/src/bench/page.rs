//! `docs/performance.md`.

const HEAD: &str = "\
# Performance

<!-- Written by `cargo xtask bench --write`. -->

`cargo xtask bench` measures on your machine what is below, and `--write` puts its result here. It
needs a minute or two and nothing else running; terraform on PATH for the last line.

";

const TAIL: &str = "
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
  are those that the disk before it does not have. A segment's slot is its size rounded up to an
  eighth of its power of two, 512 KiB at least; a segment that needs another slot moves all behind it.
- **blocks**: for cold, the 512 KiB blocks of the disk that are not zero; else those that differ from
  the cold disk, the block map's own and those that became zero included: what an upload sends.
- **terraform plan**: nothing has changed, and the provider plans the image and refreshes its file.
  Compared with a configuration of the provider alone.

The made-up tree is ten images of 12.8 MB of files, from 512 bytes to 2 MiB, that compress as those of
`/usr` do; beside them it has the kernel, init and runc of `examples/local`.
";

/// The page with this result, measured here.
pub(super) fn render(table: &str, layout: &str) -> String {
    format!(
        "{HEAD}## Result\n\n{}; made-up layout {layout}.\n\n{table}{TAIL}",
        machine()
    )
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
