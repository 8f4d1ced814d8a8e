//! What the parts of init share.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::cmdline::Cmdline;
use crate::container::runtime::Runtime;
use crate::error::Result;
use crate::modules::Modules;
use crate::reaper::Reaper;
use crate::services::Services;
use crate::shutdown::Shutdown;

/// Folder of init's own run-time files.
pub(crate) const RUN: &str = "/run/nodeimage";

/// The machine's state.
pub(crate) struct Machine {
    /// The kernel command line.
    pub(crate) cmdline: Cmdline,
    /// Where this program lies.
    pub(crate) own_path: PathBuf,
    /// Whether / is still rootfs, on which `pivot_root` cannot work.
    pub(crate) on_rootfs: bool,
    /// Who collects processes.
    pub(crate) reaper: Reaper,
    /// The kernel's modules.
    pub(crate) modules: Modules,
    /// The supervised services.
    pub(crate) services: Services,
    /// Whether and how the machine is stopping.
    pub(crate) shutdown: Shutdown,
    runtime: OnceLock<Runtime>,
}

impl Machine {
    /// A machine at the start of its boot.
    pub(crate) fn new(cmdline: Cmdline, own_path: PathBuf, on_rootfs: bool) -> Self {
        Self {
            modules: Modules::of_kernel(&cmdline),
            cmdline,
            own_path,
            on_rootfs,
            reaper: Reaper::default(),
            services: Services::default(),
            shutdown: Shutdown::default(),
            runtime: OnceLock::new(),
        }
    }

    /// The image's container runtime; looked for again until there is one.
    pub(crate) fn runtime(&self) -> Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let found = Runtime::find(&self.cmdline, self.on_rootfs)?;
        Ok(self.runtime.get_or_init(|| found))
    }
}
