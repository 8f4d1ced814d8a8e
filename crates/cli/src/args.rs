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
    /// Look for mistakes that are valid YAML
    Lint(Lint),
    /// Say what a disk is
    Inspect(Inspect),
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
    /// What to make; repeat it, or separate by commas [default: the YAML's `outputs`, else raw]
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
    /// How the initrd is compressed
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
    None,
}

/// `nodeimage lock`
#[derive(Debug, Args)]
pub(crate) struct Lock {
    #[command(flatten)]
    pub(crate) spec: Spec,
    /// Machines the lock must serve; repeat it, or separate by commas
    #[arg(
        long,
        value_name = "ARCH",
        value_delimiter = ',',
        default_value = "amd64"
    )]
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
    /// Write nothing; fail when the lock is not complete
    #[arg(long, conflicts_with = "update")]
    pub(crate) check: bool,
}

/// `nodeimage lint`
#[derive(Debug, Args)]
pub(crate) struct Lint {
    #[command(flatten)]
    pub(crate) spec: Spec,
    /// Fail on warnings too
    #[arg(long)]
    pub(crate) deny: bool,
}

/// `nodeimage inspect`
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A raw disk
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Read every block and compare it with the block map
    #[arg(long)]
    pub(crate) verify: bool,
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
