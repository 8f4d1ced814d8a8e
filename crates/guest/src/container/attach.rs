//! What is done to a container between its creation and its start, when its namespaces exist and
//! nothing runs in them: network devices come in, namespaces are bound to paths.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::mount::mount_bind;

use super::config::{Interface, RuntimeConfig};
use crate::error::{Doing, Error, Result};
use crate::net::link;

/// Does it for the container whose first process is `pid`.
pub(crate) fn attach(pid: i32, config: &RuntimeConfig) -> Result<()> {
    if let Some(interfaces) = config.interfaces.as_deref().filter(|all| !all.is_empty()) {
        let path = format!("/proc/{pid}/ns/net");
        let namespace = File::open(&path).doing(|| format!("open {path}"))?;
        for interface in interfaces {
            bring_in(interface, &namespace)?;
        }
    }
    for (kind, path) in config.bind_ns.iter().flat_map(|bind| bind.wanted()) {
        bind(pid, kind, Path::new(path))?;
    }
    Ok(())
}

/// LinuxKit's rules: a peer means a veth, of which the peer moves; `createInRoot` makes outside
/// and moves; without `add` the device is there and moves; else it is made inside.
fn bring_in(interface: &Interface, namespace: &File) -> Result<()> {
    let name = interface.name.as_str();
    if name.is_empty() {
        return Err(Error::invalid(
            "runtime.json",
            "an entry of interfaces has no name",
        ));
    }
    match (interface.add.as_str(), interface.peer.as_str()) {
        ("veth", "") => Err(Error::invalid(
            format!("interface {name} in runtime.json"),
            "a veth needs the name of its peer",
        )),
        ("" | "veth", peer) if !peer.is_empty() => {
            link::add_veth(name, peer)?;
            link::hand_over(peer, namespace.as_fd())
        }
        ("", _) => link::hand_over(name, namespace.as_fd()),
        (kind, _) if interface.create_in_root => {
            link::add(name, kind, None)?;
            link::hand_over(name, namespace.as_fd())
        }
        (kind, _) => link::add(name, kind, Some(namespace.as_fd())),
    }
}

fn bind(pid: i32, kind: &str, path: &Path) -> Result<()> {
    let what = || format!("bind the {kind} namespace to {}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).doing(what)?;
    }
    File::options()
        .append(true)
        .create(true)
        .open(path)
        .doing(what)?;
    mount_bind(format!("/proc/{pid}/ns/{kind}"), path).doing(what)
}
