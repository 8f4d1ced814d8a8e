//! Names of containers, and what stands for a user, a group or a mode.

use std::collections::BTreeMap;

use super::Check;
use crate::fault::{Fault, quoted};
use crate::model::{Id, Spec};
use crate::suggest::nearest;

/// The first id that a name gets.
const FIRST_ID: u32 = 100;

/// Each container's name with the id it stands for, as user and as group: counted from 100 through
/// onboot, onshutdown and services; of two with one name the last counts.
pub fn ids(spec: &Spec) -> BTreeMap<&str, u32> {
    (FIRST_ID..)
        .zip(containers(spec))
        .map(|(id, name)| (name, id))
        .collect()
}

/// All containers' names in that order.
pub(super) fn containers(spec: &Spec) -> impl Iterator<Item = &str> {
    let all = spec
        .onboot
        .iter()
        .chain(&spec.onshutdown)
        .chain(&spec.services);
    all.map(|container| container.name.as_str())
}

/// The largest mode that a tar header holds.
const MAX_MODE: u32 = 0o7_777_777;

/// Reads an octal mode as LinuxKit does; of it the permissions, the lowest twelve bits, count:
/// `100644` is the `0644` of a regular file.
pub fn parse_mode(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let octal = !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let value = octal
        .then(|| u32::from_str_radix(digits, 8).ok())
        .flatten()?;
    (value <= MAX_MODE).then_some(value & 0o7777)
}

impl Check<'_> {
    pub(super) fn id(&mut self, path: &str, id: Option<&Id>) {
        let (Some(Id::Name(name)), Some(names)) = (id, &self.names) else {
            return;
        };
        let known = name.is_empty() || name == "root" || names.containers.contains(name.as_str());
        if known || names.containers_unsure || self.broken(path) {
            return;
        }
        let fault = Fault::new(path, format!("no container is named {}", quoted(name)));
        let fault = if name.bytes().all(|byte| byte.is_ascii_digit()) {
            fault.help("for a number remove the quotes")
        } else if let Some(near) = nearest(name, names.containers.iter().copied()) {
            fault.help(format!("did you mean `{near}`?"))
        } else {
            fault.help("users and groups are numbers, `root`, or names of containers of this spec")
        };
        self.fault(fault);
    }

    pub(super) fn container_name(&mut self, path: &str, name: &str) {
        if self.broken(path) {
            return;
        }
        let fault = if name.is_empty() {
            Fault::new(path, "the name is empty")
        } else if name.contains('\0') {
            Fault::new(path, "the name holds a NUL character")
        } else if name.split('/').any(|part| matches!(part, "." | "..")) {
            Fault::new(
                path,
                format!("the name {} leaves its directory", quoted(name)),
            )
        } else {
            return;
        };
        self.fault(fault.help("it becomes a directory's name"));
    }
}
