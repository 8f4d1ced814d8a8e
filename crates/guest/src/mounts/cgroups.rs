//! The cgroup hierarchy: version 2, or the old one when the command line asks for it.

use std::fs;

use rustix::mount::{MountFlags, mount};

use crate::error::{Doing, Result};

const ROOT: &str = "/sys/fs/cgroup";
const FLAGS: MountFlags = super::NO_DEVICES;

/// Mounts the hierarchy once.
pub(super) fn mount_all(unified: bool) -> Result<()> {
    if super::table::kind_at(ROOT.as_ref()).is_some_and(|kind| kind != "sysfs") {
        return Ok(());
    }
    if unified { version_2() } else { version_1() }
}

fn version_2() -> Result<()> {
    mount(
        "cgroup2",
        ROOT,
        "cgroup2",
        FLAGS | MountFlags::RELATIME,
        None,
    )
    .doing(|| format!("mount cgroup2 on {ROOT}"))
}

fn version_1() -> Result<()> {
    mount("cgroup_root", ROOT, "tmpfs", FLAGS, c"mode=755,size=10m")
        .doing(|| format!("mount tmpfs on {ROOT}"))?;
    let text = fs::read_to_string("/proc/cgroups").doing(|| "read /proc/cgroups".to_owned())?;
    for name in enabled(&text) {
        hierarchy(&name, &name)?;
    }
    let accounting = format!("{ROOT}/memory/memory.use_hierarchy");
    // Always on in newer kernels.
    let _ = fs::write(accounting, "1");
    hierarchy("systemd", "none,name=systemd")
}

fn hierarchy(folder: &str, options: &str) -> Result<()> {
    let path = format!("{ROOT}/{folder}");
    let what = || format!("mount cgroup {folder} on {path}");
    fs::create_dir(&path).doing(what)?;
    let data = std::ffi::CString::new(options).map_err(std::io::Error::from);
    let data = data.doing(what)?;
    mount(folder, path.as_str(), "cgroup", FLAGS, data.as_c_str()).doing(what)
}

/// Controllers of /proc/cgroups (`name hierarchy cgroups enabled`) that are enabled.
fn enabled(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let name = fields.next()?;
            (fields.nth(2) == Some("1")).then(|| name.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn disabled_controllers_are_left_out() {
        let text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n\
                    cpuset\t0\t1\t1\nmemory\t0\t1\t0\npids\t0\t1\t1\n\nodd\n";
        assert_eq!(super::enabled(text), ["cpuset", "pids"]);
    }
}
