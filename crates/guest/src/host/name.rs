//! The machine's name: /etc/hostname, else `linuxkit-` and the address of its first network card.

use std::fs;
use std::path::Path;

use crate::console::say;
use crate::error::Doing;

/// ARPHRD_ETHER.
const ETHERNET: &str = "1";

/// The kernel's limit, bytes.
const LIMIT: usize = 64;

/// Names the machine; failure is told.
pub(crate) fn set() {
    let file = fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = choose(&file, first_address(Path::new("/sys/class/net")).as_deref());
    let result = rustix::system::sethostname(name.as_bytes());
    if let Err(error) = result.doing(|| format!("name the machine {name}")) {
        say!("nodeimage: {error}");
    }
}

fn choose(file: &str, address: Option<&str>) -> String {
    let written = file.split_whitespace().next().unwrap_or_default();
    if !written.is_empty() && written.len() <= LIMIT {
        return written.to_owned();
    }
    match address {
        Some(address) => format!("linuxkit-{}", address.replace(':', "")),
        None => "linuxkit".to_owned(),
    }
}

/// The address of eth0, else of the Ethernet device with the lowest index.
fn first_address(devices: &Path) -> Option<String> {
    let read = |device: &Path, file: &str| {
        let text = fs::read_to_string(device.join(file)).ok()?;
        Some(text.trim().to_owned())
    };
    let mut found: Vec<(bool, u32, String)> = fs::read_dir(devices)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let device = entry.path();
            let ethernet = read(&device, "type")? == ETHERNET;
            let index = read(&device, "ifindex")?.parse().ok()?;
            let address = read(&device, "address")?;
            ethernet.then_some((entry.file_name() != "eth0", index, address))
        })
        .collect();
    found.sort();
    found.into_iter().next().map(|(_, _, address)| address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_comes_first() {
        assert_eq!(choose("node-1\n", Some("52:54:00:12:34:56")), "node-1");
        assert_eq!(
            choose(" \n", Some("52:54:00:12:34:56")),
            "linuxkit-525400123456"
        );
        assert_eq!(choose("", None), "linuxkit");
        assert_eq!(choose(&"x".repeat(65), None), "linuxkit");
    }

    #[test]
    fn the_first_card_is_eth0_or_the_lowest() {
        let dir = tempfile::tempdir().unwrap();
        let device = |name: &str, kind: &str, index: &str, address: &str| {
            let path = dir.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("type"), format!("{kind}\n")).unwrap();
            fs::write(path.join("ifindex"), format!("{index}\n")).unwrap();
            fs::write(path.join("address"), format!("{address}\n")).unwrap();
        };
        assert_eq!(first_address(dir.path()), None);
        device("lo", "772", "1", "00:00:00:00:00:00");
        device("ens5", "1", "3", "00:00:00:00:00:05");
        device("ens10", "1", "2", "00:00:00:00:00:0a");
        assert_eq!(
            first_address(dir.path()).as_deref(),
            Some("00:00:00:00:00:0a")
        );
        device("eth0", "1", "9", "00:00:00:00:00:00");
        assert_eq!(
            first_address(dir.path()).as_deref(),
            Some("00:00:00:00:00:00")
        );
    }
}
