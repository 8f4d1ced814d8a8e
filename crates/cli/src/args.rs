//! The command line's shape; no logic.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use nodeimage_spec::Architecture;

/// One LinuxKit YAML, identical nodes on every platform.
#[derive(Debug, Parser)]
#[command(name = "nodeimage", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The store's directory [default: $XDG_CACHE_HOME/nodeimage]
    #[arg(long, global = true, value_name = "DIR", env = "NODEIMAGE_CACHE")]
    pub(crate) cache: Option<PathBuf>,
    /// Where images are read [default: nodeimage.toml beside the first YAML]
    #[arg(long, global = true, value_name = "FILE", env = "NODEIMAGE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Never ask a registry; local sources and the store only
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Most threads at once; no effect on the bytes [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Print JSON lines (schema 1, docs/json.md) instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results and errors only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build an image
    Build(Build),
    /// Write down which digest each reference stands for
    Lock(Lock),
    /// Say what differs between two images
    Diff(Diff),
    /// Look for mistakes that are valid YAML
    Lint(Lint),
    /// Say what a disk is
    Inspect(Inspect),
    /// Write a disk in other formats
    Convert(Convert),
    /// Look after the store
    #[command(subcommand)]
    Cache(Cache),
}

/// Where the spec comes from.
#[derive(Debug, Args)]
pub(crate) struct Spec {
    /// LinuxKit YAML, merged left to right; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The lock [default: NAME.lock beside the last YAML, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
}

/// `nodeimage build`
#[derive(Debug, Args)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) spec: Spec,
    /// What to make, such as raw, qcow2:zstd or qcow2:zlib:9; repeat it, or separate by commas
    /// [default: the YAML's `outputs`, else raw]
    #[arg(long = "format", short, value_name = "F", value_delimiter = ',')]
    pub(crate) formats: Vec<String>,
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// What their names begin with [default: the last YAML's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The machine it is for
    #[arg(long, value_name = "ARCH", default_value = "amd64")]
    pub(crate) arch: Architecture,
    /// The disk's size [default: as few GiB as fit]
    #[arg(long, value_name = "MIB")]
    pub(crate) size: Option<String>,
    /// What boots the disk [default: hybrid; arm64: uefi]
    #[arg(long, value_enum)]
    pub(crate) firmware: Option<Firmware>,
    /// How the initrd is compressed [auto: zstd from Linux 5.9 on, else gzip]
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) codec: Codec,
    /// MiB of the smallest machine that must start it
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub(crate) min_memory: u64,
    /// Added behind the YAML's kernel command line
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub(crate) cmdline: String,
    /// Compute the sha256 of each file as well
    #[arg(long)]
    pub(crate) sha256: bool,
}

/// `--firmware`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Firmware {
    Hybrid,
    Uefi,
    Bios,
}

/// `--codec`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Codec {
    Auto,
    Zstd,
    Gzip,
    Lz4,
    Xz,
    None,
}

/// `nodeimage lock`
#[derive(Debug, Args)]
pub(crate) struct Lock {
    #[command(flatten)]
    pub(crate) spec: Spec,
    /// Machines the lock serves; repeat it, or separate by commas [default: as it stands, else
    /// amd64]
    #[arg(long, value_name = "ARCH", value_delimiter = ',')]
    pub(crate) arch: Vec<Architecture>,
    /// Ask anew for REF, or for all without one; repeat it
    #[arg(
        long,
        value_name = "REF",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    pub(crate) update: Option<Vec<String>>,
    /// Write nothing; fail when the lock is not what the YAML needs (offline, for CI)
    #[arg(long, conflicts_with = "update")]
    pub(crate) check: bool,
}

/// `nodeimage diff`
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// LinuxKit YAML (several that are merged: A.yml,B.yml), a locked spec, an image id or its first
    /// 12 digits, or a raw disk
    #[arg(value_name = "A")]
    pub(crate) from: String,
    /// The same
    #[arg(value_name = "B")]
    pub(crate) to: String,
    /// The lock of A, if it is YAML [default: NAME.lock beside it]
    #[arg(long, value_name = "FILE")]
    pub(crate) from_lock: Option<PathBuf>,
    /// The lock of B, if it is YAML [default: NAME.lock beside it]
    #[arg(long, value_name = "FILE")]
    pub(crate) to_lock: Option<PathBuf>,
    /// The machine that YAML is for [default: that of the other image, else amd64]
    #[arg(long, value_name = "ARCH")]
    pub(crate) arch: Option<Architecture>,
    /// Get and make what the store lacks, to compare files, packages and disks
    #[arg(long)]
    pub(crate) fetch: bool,
    /// Print lists to their ends
    #[arg(long)]
    pub(crate) all: bool,
    /// Exit with 1 if the images differ, with 2 on an error
    #[arg(long)]
    pub(crate) exit_code: bool,
}

/// `nodeimage lint`
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// LinuxKit YAML, merged left to right; `-` is standard input
    #[arg(required_unless_present = "list", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The lock [default: NAME.lock beside the last YAML, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// The machine whose images are looked at
    #[arg(long, value_name = "ARCH", default_value = "amd64")]
    pub(crate) arch: Architecture,
    /// Fail on what this lint or group finds, which it runs for that; on any warning without a name
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        require_equals = true,
        value_delimiter = ',',
        default_missing_value = ""
    )]
    pub(crate) deny: Vec<String>,
    /// Run this lint or group too; repeat it, or separate by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) enable: Vec<String>,
    /// How findings are printed [default: text; json with --json]
    #[arg(long, value_enum)]
    pub(crate) format: Option<LintFormat>,
    /// List all lints (docs/lint.md)
    #[arg(long)]
    pub(crate) list: bool,
}

/// `--format` of `nodeimage lint`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintFormat {
    /// For people
    Text,
    /// One line of JSON (docs/json.md)
    Json,
    /// SARIF 2.1.0, for code hosts
    Sarif,
}

/// `nodeimage inspect`
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A disk in any format
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Read every block and compare it with the block map
    #[arg(long)]
    pub(crate) verify: bool,
    /// The file's format [default: told by its content]
    #[arg(long, value_name = "F")]
    pub(crate) from: Option<String>,
    /// A file that may be read as its backing or parent file; repeat it. No other is
    #[arg(long, value_name = "FILE")]
    pub(crate) backing: Vec<PathBuf>,
}

/// `nodeimage convert`
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// A disk in any format; `-` is standard input
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// The files to write, all in one pass; `-` is standard output
    #[arg(required = true, value_name = "OUT")]
    pub(crate) outputs: Vec<PathBuf>,
    /// The format of IN [default: told by its content]
    #[arg(long, value_name = "F")]
    pub(crate) from: Option<String>,
    /// The format of OUT, such as qcow2 or qcow2:zstd:9; one for all, or one for each, separated by
    /// commas [default: told by the names]
    #[arg(long, value_name = "F", value_delimiter = ',')]
    pub(crate) to: Vec<String>,
    /// A file that may be read as IN's backing or parent file; repeat it. No other is
    #[arg(long, value_name = "FILE")]
    pub(crate) backing: Vec<PathBuf>,
    /// Compute the sha256 of each file as well
    #[arg(long)]
    pub(crate) sha256: bool,
}

/// `nodeimage cache`
#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// What lies in the store
    Show,
    /// Read everything and remove what is damaged
    Verify,
    /// Remove the least recently used until the store has this size
    Prune {
        /// `0`, `500M`, `10G`
        #[arg(long, value_name = "SIZE", default_value = "0")]
        to: String,
    },
    /// Where the store lies
    Dir,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_shape_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn update_does_not_swallow_files() {
        let lock = |words: &[&str]| {
            let words = ["nodeimage", "lock"].iter().chain(words);
            match Cli::try_parse_from(words).unwrap().command {
                Command::Lock(lock) => (lock.update, lock.spec.files),
                other => panic!("{other:?}"),
            }
        };
        let files = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let update = |names: &[&str]| Some(names.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(lock(&["a.yml"]), (None, files(&["a.yml"])));
        assert_eq!(
            lock(&["--update", "a.yml"]),
            (update(&[""]), files(&["a.yml"]))
        );
        assert_eq!(
            lock(&["--update=nginx:1", "a.yml", "--update=alpine", "b.yml"]),
            (update(&["nginx:1", "alpine"]), files(&["a.yml", "b.yml"]))
        );
    }
}
