//! Entries of `volumes`.

use std::collections::BTreeMap;

use super::Check;
use crate::fault::{Fault, Faults, quoted};
use crate::model::Volume;

impl Check<'_> {
    pub(super) fn volumes(&mut self, volumes: &[Volume]) {
        for (index, volume) in volumes.iter().enumerate() {
            let path = format!("volumes[{index}]");
            if self.broken.contains(&path) {
                continue;
            }
            self.volume_name(&path, volume);
            if let Some(image) = &volume.image {
                self.reference(&format!("{path}.image"), image);
            }
            if let Some(format) = &volume.format
                && !matches!(format.as_str(), "filesystem" | "oci")
            {
                let message = format!("unknown format {} of a volume", quoted(format));
                self.fault(
                    Fault::new(format!("{path}.format"), message)
                        .help("it is `filesystem` or `oci`"),
                );
            }
            // LinuxKit reads them nowhere else.
            if volume.format.as_deref() == Some("oci") && volume.image.is_some() {
                self.platforms(&path, volume.platforms.as_deref().unwrap_or_default());
            }
        }
    }

    fn platforms(&mut self, path: &str, platforms: &[String]) {
        for (index, platform) in platforms.iter().enumerate() {
            let path = format!("{path}.platforms[{index}]");
            let parts = platform.trim().split(':').next().unwrap_or_default();
            if parts.split('/').count() > 3 && !self.broken(&path) {
                let message = format!("{} is no platform", quoted(platform));
                let fault = Fault::new(path, message);
                self.fault(fault.help("write it like `linux/amd64` or `linux/arm64/v8`"));
            }
        }
    }

    fn volume_name(&mut self, path: &str, volume: &Volume) {
        let at = format!("{path}.name");
        let name = &volume.name;
        let valid = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
        };
        if name.is_empty() {
            if !self.broken(path) {
                self.fault(Fault::new(at, "a volume needs a name"));
            }
        } else if !name.bytes().all(valid) && !self.broken(&at) {
            let message = format!("invalid volume name {}", quoted(name));
            self.fault(
                Fault::new(at, message).help("it holds lower-case letters, digits, `_` and `-`"),
            );
        }
    }
}

/// Two volumes of one name in one document. LinuxKit lets a later document declare one anew.
/// `document` tells where a path stands.
pub(crate) fn duplicates(volumes: &[Volume], document: impl Fn(&str) -> Option<usize>) -> Faults {
    let mut faults = Faults::default();
    let mut seen = BTreeMap::new();
    for (index, volume) in volumes.iter().enumerate() {
        let key = (volume.name.as_str(), document(&format!("volumes[{index}]")));
        if volume.name.is_empty() {
            continue;
        }
        if let Some(first) = seen.insert(key, index) {
            let message = format!(
                "duplicate volume name {}, the same as volumes[{first}]",
                quoted(&volume.name)
            );
            let fault = Fault::new(format!("volumes[{index}].name"), message);
            faults.push(fault.help("give each volume a name of its own"));
        }
    }
    faults
}
