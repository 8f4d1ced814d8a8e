//! Drivers for the devices that are there when we come.

use std::fs;
use std::path::{Path, PathBuf};

use super::Modules;

/// Rounds at most: each loads drivers that may bring devices of their own (a bus on a bus).
const ROUNDS: usize = 32;

/// Loads what every present device asks for, until no driver brings new devices.
pub(crate) fn coldplug(modules: &Modules) {
    for _ in 0..ROUNDS {
        let mut any = false;
        for alias in aliases(Path::new("/sys")) {
            any |= modules.load_device(&alias);
        }
        if !any {
            return;
        }
    }
}

/// The aliases of all devices on buses, and of input devices, which are on none.
fn aliases(sys: &Path) -> Vec<String> {
    let mut folders: Vec<PathBuf> = fs::read_dir(sys.join("bus"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|bus| bus.path().join("devices"))
        .collect();
    folders.push(sys.join("class/input"));
    folders.sort();
    let mut aliases = Vec::new();
    for folder in folders {
        let devices = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut devices: Vec<_> = devices.map(|device| device.path()).collect();
        devices.sort();
        for device in devices {
            let text = fs::read_to_string(device.join("modalias")).unwrap_or_default();
            let alias = text.trim();
            if !alias.is_empty() {
                aliases.push(alias.to_owned());
            }
        }
    }
    aliases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buses_and_input() {
        let dir = tempfile::tempdir().unwrap();
        for (device, alias) in [
            ("bus/pci/devices/0000:00:01.0", "pci:v1\n"),
            ("bus/acpi/devices/LNXPWRBN:00", "acpi:LNXPWRBN:\n"),
            ("bus/usb/devices/none", ""),
            ("class/input/input0", "input:b0019\n"),
        ] {
            let path = dir.path().join(device);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("modalias"), alias).unwrap();
        }
        assert_eq!(
            aliases(dir.path()),
            ["acpi:LNXPWRBN:", "pci:v1", "input:b0019"]
        );
    }
}
