//! Where each entry of a tar says it comes from: `LINUXKIT.source` and `LINUXKIT.location`, by which
//! `linuxkit build --input-tar` finds what it need not build again.
//!
//! A component says it for all its entries, but for the directories beside a volume, and for the
//! bundles and files, of which one component has many.

use std::collections::BTreeMap;

use nodeimage_spec::model::Spec;

use crate::runtime::Section;

use super::{Build, Component, path};

/// The origins of a spec's generated entries.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// Bundles and the directories above them: location and source.
    bundles: BTreeMap<Vec<u8>, (String, String)>,
    /// Paths of `files` and their parents: the index of the entry that makes them.
    files: BTreeMap<Vec<u8>, usize>,
}

/// What one entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `LINUXKIT.location`: `kernel`, `init[0]`, `files[3]` …
    pub location: String,
    /// `LINUXKIT.source`: an expanded reference, or `linuxkit.files` and the like.
    pub source: String,
}

impl Origins {
    /// Those of this spec.
    pub fn of(spec: &Spec) -> Self {
        let mut origins = Self::default();
        for section in Section::ALL {
            for (index, container) in section.of(spec).iter().enumerate() {
                let Ok(bundle) = section.bundle(index, &container.name) else {
                    continue;
                };
                let location = format!("{}[{index}]", section.name());
                let origin = (location, container.image.clone());
                let above = path::parents(bundle.as_bytes());
                for dir in above.chain([bundle.as_bytes()]) {
                    // Each bundle makes those above it anew.
                    origins.bundles.insert(dir.to_vec(), origin.clone());
                }
            }
        }
        for (index, entry) in spec.files.iter().enumerate() {
            let Ok(path) = path::clean(entry.path.as_bytes()) else {
                continue;
            };
            for parent in path::parents(&path) {
                origins.files.entry(parent.to_vec()).or_insert(index);
            }
            origins.files.insert(path, index);
        }
        origins
    }

    /// What the entry at `path` of a component says.
    pub fn find(&self, component: &Component, path: &[u8]) -> Origin {
        let own = |source: &str| Origin {
            location: component.label.clone(),
            source: source.to_owned(),
        };
        match component.source.as_str() {
            "linuxkit.files" => match self.files.get(path) {
                Some(index) => Origin {
                    location: format!("files[{index}]"),
                    source: component.source.clone(),
                },
                None => own("linuxkit.files"),
            },
            "linuxkit.bundles" => self.bundle(component, path),
            _ if component.is_beside(path) => own("linuxkit.volumes"),
            source => own(source),
        }
    }

    /// The bundle a path lies in; of those above all bundles, the section's last one's.
    fn bundle(&self, component: &Component, path: &[u8]) -> Origin {
        let section = component.label.split(' ').next().unwrap_or_default();
        let mut found = None;
        for dir in path::parents(path).chain([path]) {
            if let Some(origin) = self.bundles.get(dir)
                && origin.0.starts_with(section)
            {
                found = Some(origin);
            }
        }
        // `containers` itself is the last section's in the table.
        let last = || {
            let below = [b"containers/", section.as_bytes()].concat();
            self.bundles.get(&below)
        };
        match found.or_else(last) {
            Some((location, source)) => Origin {
                location: location.clone(),
                source: source.clone(),
            },
            None => Origin {
                location: component.label.clone(),
                source: component.source.clone(),
            },
        }
    }
}

impl Component {
    /// Whether it is one of a volume's directories beside its files.
    fn is_beside(&self, path: &[u8]) -> bool {
        let holds = |beside: &[String]| beside.iter().any(|it| it.as_bytes() == path);
        match &self.build {
            Build::Image { beside, .. } | Build::Layout { beside, .. } => holds(beside),
            Build::Tree(_) if self.source == "empty" => {
                // A volume may itself be called `tmp`.
                path::parents(path).count() == 3
                    && (path.ends_with(b"/merged") || path.ends_with(b"/tmp"))
            }
            Build::Tree(_) | Build::Kernel { .. } | Build::ApkDatabases { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use nodeimage_images::Tree;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_entry_says_what_made_it() {
        let spec: Spec = serde_json::from_value(json!({
            "onboot": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}],
            "services": [{"name": "web", "image": "z"}],
            "files": [
                {"path": "/etc/a/one", "contents": ""},
                {"path": "etc/two", "contents": ""},
                {"path": "etc/a", "directory": true}
            ]
        }))
        .unwrap();
        let origins = Origins::of(&spec);
        let find = |label: &str, source: &str, path: &str| {
            let component = Component::of_tree(label, source, Tree::new());
            let origin = origins.find(&component, path.as_bytes());
            format!("{} {}", origin.location, origin.source)
        };
        let bundle = |section: &str, path: &str| {
            find(&format!("{section} configs"), "linuxkit.bundles", path)
        };
        assert_eq!(bundle("onboot", "containers"), "onboot[1] y");
        assert_eq!(bundle("onboot", "containers/onboot"), "onboot[1] y");
        assert_eq!(bundle("onboot", "containers/onboot/000-a"), "onboot[0] x");
        let config = "containers/services/web/config.json";
        assert_eq!(bundle("services", config), "services[0] z");
        let file = |path: &str| find("files", "linuxkit.files", path);
        assert_eq!(file("etc"), "files[0] linuxkit.files");
        assert_eq!(file("etc/a"), "files[2] linuxkit.files");
        assert_eq!(file("etc/a/one"), "files[0] linuxkit.files");
        assert_eq!(find("init[0]", "i:1", "etc"), "init[0] i:1");
        let blank = |path: &str| find("volume[0]", "empty", path);
        let volume = "containers/volumes/v";
        assert_eq!(blank(&format!("{volume}/lower")), "volume[0] empty");
        assert_eq!(
            blank(&format!("{volume}/tmp")),
            "volume[0] linuxkit.volumes"
        );
    }
}
