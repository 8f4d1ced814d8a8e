//! The three sections that hold containers.

use nodeimage_spec::model::{Container, Spec};

use super::ErrorKind;

/// A section of the spec that holds containers, in LinuxKit's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// One after another at boot.
    Onboot,
    /// One after another at shutdown.
    Onshutdown,
    /// Long-running.
    Services,
}

impl Section {
    /// All, in the order of the root file system.
    pub const ALL: [Self; 3] = [Self::Onboot, Self::Onshutdown, Self::Services];

    /// The YAML key, which is the directory under `containers` as well.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onboot => "onboot",
            Self::Onshutdown => "onshutdown",
            Self::Services => "services",
        }
    }

    /// The containers of this section.
    pub fn of(self, spec: &Spec) -> &[Container] {
        match self {
            Self::Onboot => &spec.onboot,
            Self::Onshutdown => &spec.onshutdown,
            Self::Services => &spec.services,
        }
    }

    /// The directory of a container's bundle, relative to the root: the name is joined as LinuxKit
    /// joins it, but cannot leave the section.
    pub(crate) fn bundle(self, index: usize, name: &str) -> Result<String, ErrorKind> {
        let refuse = |reason| ErrorKind::Name {
            name: name.to_owned(),
            reason,
        };
        if name.is_empty() {
            return Err(refuse("it is empty"));
        }
        if name.contains('\0') {
            return Err(refuse("it holds a NUL"));
        }
        if name.split('/').any(|part| part == "..") {
            return Err(refuse("it holds `..`"));
        }
        let joined = match self {
            Self::Services => name.to_owned(),
            Self::Onboot | Self::Onshutdown => format!("{index:03}-{name}"),
        };
        let mut path = format!("containers/{}", self.name());
        let mut parts = 0;
        for part in joined
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
        {
            path.push('/');
            path.push_str(part);
            parts += 1;
        }
        if parts == 0 {
            return Err(refuse("it is the section's own directory"));
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_but_for_services() {
        assert_eq!(
            Section::Onboot.bundle(7, "dhcpcd").unwrap(),
            "containers/onboot/007-dhcpcd"
        );
        assert_eq!(
            Section::Onshutdown.bundle(1234, "x").unwrap(),
            "containers/onshutdown/1234-x"
        );
        assert_eq!(
            Section::Services.bundle(3, "web").unwrap(),
            "containers/services/web"
        );
    }

    #[test]
    fn slashes_are_joined_and_cleaned() {
        assert_eq!(
            Section::Services.bundle(0, "a//b/./c/").unwrap(),
            "containers/services/a/b/c"
        );
        assert_eq!(
            Section::Onboot.bundle(0, "/x").unwrap(),
            "containers/onboot/000-/x"
        );
    }

    #[test]
    fn a_name_never_leaves_its_section() {
        for bad in ["", "a\0b", "..", "../x", "a/../../x", ".", "/", "a/.."] {
            assert!(
                matches!(
                    Section::Services.bundle(0, bad),
                    Err(ErrorKind::Name { .. })
                ),
                "{bad}"
            );
        }
    }
}
