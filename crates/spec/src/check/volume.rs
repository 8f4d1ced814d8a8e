//! Entries of `volumes`.

use std::collections::BTreeMap;

use super::Check;
use crate::fault::{Fault, quoted};
use crate::model::Volume;

impl Check<'_> {
    pub(super) fn volumes(&mut self, volumes: &[Volume]) {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, volume) in volumes.iter().enumerate() {
            let path = format!("volumes[{index}]");
            if self.broken.contains(&path) {
                continue;
            }
            self.volume_name(&path, volume);
            if let Some(first) = seen.insert(&volume.name, index)
                && !volume.name.is_empty()
            {
                let message = format!(
                    "duplicate volume name {}, the same as volumes[{first}]",
                    quoted(&volume.name)
                );
                self.fault(Fault::new(format!("{path}.name"), message));
            }
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
            for (number, platform) in volume.platforms.iter().flatten().enumerate() {
                let path = format!("{path}.platforms[{number}]");
                let parts: Vec<&str> = platform.split('/').collect();
                if !self.broken(&path) && (!(2..=3).contains(&parts.len()) || parts.contains(&"")) {
                    let message = format!("{} is no platform", quoted(platform));
                    self.fault(
                        Fault::new(path, message)
                            .help("write it like `linux/amd64` or `linux/arm64/v8`"),
                    );
                }
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
