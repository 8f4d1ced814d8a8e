//! Making, moving and starting network devices.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::netlink::Request;
use crate::error::{Doing, Error, Result};

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;

const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

const AF_INET: u8 = 2;
const IFF_UP: u32 = 1;
/// RT_SCOPE_HOST.
const SCOPE_HOST: u8 = 254;

/// Longest name of a device, bytes.
const NAME_LIMIT: usize = 15;

/// Starts `lo` with 127.0.0.1/8.
pub(crate) fn loopback() -> Result<()> {
    let index = index_of("lo")?;
    let address = [127, 0, 0, 1];
    let mut fixed = vec![AF_INET, 8, 0, SCOPE_HOST];
    fixed.extend(index.to_ne_bytes());
    let added = Request::new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &fixed)
        .attribute(IFA_LOCAL, &address)
        .attribute(IFA_ADDRESS, &address)
        .send();
    match added {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        result => result.doing(|| "give lo its address".to_owned())?,
    }
    Request::new(RTM_NEWLINK, 0, &info(index, IFF_UP, IFF_UP))
        .send()
        .doing(|| "start lo".to_owned())
}

/// Makes a device of `kind` in our namespace, or in that of `namespace`.
pub(crate) fn add(name: &str, kind: &str, namespace: Option<BorrowedFd<'_>>) -> Result<()> {
    check(name)?;
    let request = creation(name, namespace);
    request
        .nested(IFLA_LINKINFO, |info| info.text(IFLA_INFO_KIND, kind))
        .send()
        .doing(|| format!("make the network device {name} of type {kind}"))
}

/// Makes a pair of connected devices in our namespace.
pub(crate) fn add_veth(name: &str, peer: &str) -> Result<()> {
    check(name)?;
    check(peer)?;
    creation(name, None)
        .nested(IFLA_LINKINFO, |request| {
            request
                .text(IFLA_INFO_KIND, "veth")
                .nested(IFLA_INFO_DATA, |data| {
                    data.nested(VETH_INFO_PEER, |end| {
                        end.raw(&info(0, 0, 0)).text(IFLA_IFNAME, peer)
                    })
                })
        })
        .send()
        .doing(|| format!("make the network devices {name} and {peer}"))
}

/// Moves a device of our namespace to `namespace`.
pub(crate) fn hand_over(name: &str, namespace: BorrowedFd<'_>) -> Result<()> {
    let index = index_of(name)?;
    Request::new(RTM_NEWLINK, 0, &info(index, 0, 0))
        .attribute(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes())
        .send()
        .doing(|| format!("move the network device {name} into the container"))
}

fn creation(name: &str, namespace: Option<BorrowedFd<'_>>) -> Request {
    let request = Request::new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info(0, 0, 0))
        .text(IFLA_IFNAME, name);
    match namespace {
        Some(fd) => request.attribute(IFLA_NET_NS_FD, &fd.as_raw_fd().to_ne_bytes()),
        None => request,
    }
}

/// `struct ifinfomsg`.
fn info(index: i32, flags: u32, change: u32) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(index.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(change.to_ne_bytes());
    bytes
}

fn index_of(name: &str) -> Result<i32> {
    check(name)?;
    let what = || format!("find the network device {name}");
    let text = fs::read_to_string(format!("/sys/class/net/{name}/ifindex")).doing(what)?;
    text.trim()
        .parse()
        .map_err(|_| Error::invalid(format!("network device {name}"), "it has no index"))
}

/// Checks a device's name by the kernel's rules.
fn check(name: &str) -> Result<()> {
    let plain = (1..=NAME_LIMIT).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.contains(|c: char| c == '/' || c == ':' || c == '\0' || c.is_whitespace());
    if plain {
        Ok(())
    } else {
        Err(Error::invalid(
            format!("network device name {name:?}"),
            "use 1 to 15 characters without blank, slash and colon",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_the_kernels_rules() {
        for good in ["lo", "eth0", "abcdefghijklmno"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "a:b",
            "abcdefghijklmnop",
            "a\0",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
