//! A control group that bounds memory, of either version of cgroups.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A group. Dropping it removes it.
#[derive(Debug)]
pub struct MemoryGroup {
    dir: PathBuf,
    peak: &'static str,
}

impl MemoryGroup {
    /// A group whose processes, page cache and tmpfs files together get this many bytes.
    ///
    /// # Errors
    /// When this process may make no groups.
    pub fn new(bytes: u64) -> Result<Self> {
        let v2 = Path::new("/sys/fs/cgroup");
        let v1 = v2.join("memory");
        let controllers = std::fs::read_to_string(v2.join("cgroup.subtree_control"));
        let (root, limit, peak) = if controllers
            .is_ok_and(|all| all.split_whitespace().any(|it| it == "memory"))
        {
            (v2.to_owned(), "memory.max", "memory.peak")
        } else if v1.join("memory.limit_in_bytes").is_file() {
            (v1, "memory.limit_in_bytes", "memory.max_usage_in_bytes")
        } else {
            bail!(
                "no cgroup here bounds memory: run this test where /sys/fs/cgroup has the memory controller"
            );
        };
        let dir = root.join(format!("nodeimage-test-{}", std::process::id()));
        std::fs::create_dir(&dir).with_context(|| {
            format!(
                "cannot make the control group {}: run as root",
                dir.display()
            )
        })?;
        let group = Self { dir, peak };
        let limit = group.dir.join(limit);
        std::fs::write(&limit, bytes.to_string())
            .with_context(|| format!("cannot write {}", limit.display()))?;
        Ok(group)
    }

    /// A shell's line that moves its process into the group.
    #[must_use]
    pub fn enter(&self) -> String {
        format!(
            "echo $$ > '{}' || exit 125",
            self.dir.join("cgroup.procs").display()
        )
    }

    /// The most memory the group has held, in bytes.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn peak(&self) -> Result<u64> {
        let path = self.dir.join(self.peak);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        text.trim()
            .parse()
            .context("an odd peak of a control group")
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Its processes have ended; what page cache is charged to it moves to its parent.
        let _ = std::fs::remove_dir(&self.dir);
    }
}
