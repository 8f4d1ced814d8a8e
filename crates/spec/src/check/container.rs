//! Entries of `onboot`, `onshutdown` and `services`.

use std::collections::BTreeMap;

use super::{Check, join, parse_mode};
use crate::fault::{Fault, quoted};
use crate::model::{Container, Device, Options};

impl Check<'_> {
    pub(super) fn containers(&mut self, section: &str, containers: &[Container]) {
        for (index, container) in containers.iter().enumerate() {
            let path = format!("{section}[{index}]");
            // An entry that could not be read at all.
            if self.broken.contains(&path) {
                continue;
            }
            self.container_name(&format!("{path}.name"), &container.name);
            self.reference(&format!("{path}.image"), &container.image);
            self.options(&path, &container.options);
        }
    }

    pub(super) fn unique_services(&mut self, services: &[Container]) {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, service) in services.iter().enumerate() {
            if service.name.is_empty() {
                continue;
            }
            if let Some(first) = seen.insert(&service.name, index) {
                let path = format!("services[{index}].name");
                let message = format!(
                    "duplicate service name {}, the same as services[{first}]",
                    quoted(&service.name)
                );
                self.fault(Fault::new(path, message).help("give each service a name of its own"));
            }
        }
    }

    pub(super) fn options(&mut self, path: &str, options: &Options) {
        self.capabilities(path, "capabilities", options.capabilities.as_deref());
        // Beside `capabilities`, or `binds` below, what would be added is ignored.
        if options.capabilities.is_none() {
            let added = options.capabilities_add.as_deref();
            self.capabilities(path, "capabilities.add", added);
        }
        self.capabilities(path, "ambient", options.ambient.as_deref());
        self.binds(path, "binds", options.binds.as_deref(), true);
        let used = options.binds.is_none();
        self.binds(path, "binds.add", options.binds_add.as_deref(), used);
        self.mounts(path, options.mounts.as_deref());
        self.tmpfs(path, options.tmpfs.as_deref());
        self.rlimits(path, options.rlimits.as_deref());
        self.id(&join(path, "uid"), options.uid.as_ref());
        self.id(&join(path, "gid"), options.gid.as_ref());
        for (index, id) in options.additional_gids.iter().flatten().enumerate() {
            self.id(
                &format!("{}[{index}]", join(path, "additionalGids")),
                Some(id),
            );
        }
        for (index, device) in options.devices.iter().flatten().enumerate() {
            self.device(&format!("{}[{index}]", join(path, "devices")), device);
        }
    }

    fn device(&mut self, path: &str, device: &Device) {
        if device.path == "all" || self.broken(path) {
            return;
        }
        let mode = device.mode.as_deref().unwrap_or_default();
        if parse_mode(mode).is_none() {
            let message = match mode {
                "" => format!("the device {} has no mode", quoted(&device.path)),
                _ => format!("{} is no octal mode", quoted(mode)),
            };
            let path = if device.mode.is_some() {
                join(path, "mode")
            } else {
                path.to_owned()
            };
            self.fault(
                Fault::new(path, message).help("write an octal mode in quotes, such as `\"0660\"`"),
            );
        }
    }
}
