//! Containers as LinuxKit's builder lays them out: a bundle is a folder with `config.json` for
//! the runtime and `runtime.json` for us.

pub(crate) mod attach;
pub(crate) mod bundle;
pub(crate) mod config;
pub(crate) mod inside;
pub(crate) mod launch;
pub(crate) mod output;
pub(crate) mod prepare;
pub(crate) mod runtime;

mod cgroup;
mod version;
