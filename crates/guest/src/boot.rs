//! The boot, step by step.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use crate::console::say;
use crate::machine::{Machine, RUN};
use crate::modules::{self, coldplug};
use crate::onboot::Verdict;
use crate::{host, mounts, onboot, power, scripts, services, volumes, xattrs};

/// The image's id, as the builder wrote it.
const ID: &str = "/etc/nodeimage/id";

/// Where LinuxKit's roles stand among the scripts of /etc/init.d.
const ROLES: [(&str, Role); 3] = [
    ("005-volumes", Role::Volumes),
    ("010-onboot", Role::Onboot),
    ("020-containerd", Role::Services),
];

#[derive(Debug, Clone, Copy)]
enum Role {
    Volumes,
    Onboot,
    Services,
}

/// Boots the machine; returns when the services have been started, or when the boot has stopped.
pub(crate) fn run(machine: &Arc<Machine>) {
    announce();
    xattrs::apply();
    // First: some of the mounts are file systems in modules.
    serve_kernel_requests(machine);
    mounts::all(&machine.cmdline);
    own_folder();
    if let Err(error) = modules::uevent::listen(machine) {
        say!("nodeimage: {error}");
    }
    coldplug(&machine.modules);
    machine.modules.load_configured();
    host::set_up();
    host::set_name();
    power::watch_buttons();
    // Before the services, so that a stuck onboot can be looked into.
    services::control::listen(machine);
    steps(machine);
}

fn announce() {
    let id = fs::read_to_string(ID).unwrap_or_default();
    let id = id.trim();
    let version = env!("CARGO_PKG_VERSION");
    if id.is_empty() {
        say!("nodeimage: init {version}; the image has no id");
    } else {
        say!("nodeimage: image {id}");
    }
}

/// Runs the scripts of /etc/init.d with our roles at their places.
fn steps(machine: &Arc<Machine>) {
    let mut scripts = scripts::list(Path::new("/etc/init.d"))
        .into_iter()
        .peekable();
    for (name, role) in ROLES {
        let before = |script: &std::path::PathBuf| {
            script
                .file_name()
                .is_some_and(|file| file.as_encoded_bytes() < name.as_bytes())
        };
        while let Some(script) = scripts.next_if(before) {
            scripts::run(machine, &script);
        }
        if machine.shutdown.begun() {
            return;
        }
        match role {
            Role::Volumes => volumes::mount_all(),
            Role::Onboot => {
                if let Verdict::Stop(name) = onboot::run(machine) {
                    say!(
                        "nodeimage: the boot stops here because {name} failed: no service is \
                         started; the machine stays on for inspection"
                    );
                    return;
                }
            }
            Role::Services => services::start_all(machine),
        }
    }
    for script in scripts {
        scripts::run(machine, &script);
    }
}

fn own_folder() {
    let result = fs::create_dir_all(RUN)
        .and_then(|()| fs::set_permissions(RUN, fs::Permissions::from_mode(0o755)));
    if let Err(error) = result {
        say!("nodeimage: cannot make {RUN}: {error}");
    }
}

/// The kernel asks user space for modules (file systems, network protocols, netfilter) and, on
/// Azure and Xen, to power off, through programs at fixed paths. Where the image has none, they
/// are us.
fn serve_kernel_requests(machine: &Machine) {
    let own = machine.own_path.display();
    for (program, setting, value) in [
        ("/sbin/modprobe", "modprobe", format!("{own}")),
        ("/sbin/poweroff", "poweroff_cmd", format!("{own} poweroff")),
    ] {
        if Path::new(program).exists() {
            continue;
        }
        let path = format!("/proc/sys/kernel/{setting}");
        if let Err(error) = fs::write(&path, value) {
            say!("nodeimage: cannot write {path}: {error}");
        }
    }
}
