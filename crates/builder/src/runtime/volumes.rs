//! Volume names in binds and mounts become the path where init merges the volume.
//!
//! LinuxKit does so in the YAML's `binds` only; names in `mounts` are checked and left, which
//! mounts nothing. Here they are replaced too, and names in an image's label as well.

use std::collections::BTreeMap;

use nodeimage_spec::model::{Mount, Options, Spec};

use super::ErrorKind;

/// The volumes of a spec and whether each is read-only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volumes(BTreeMap<String, bool>);

/// Whether a name that is no volume is a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It is: the user wrote it.
    Refuse,
    /// It is left: a label cannot know the spec's volumes.
    Keep,
}

impl Volumes {
    /// The volumes of this spec.
    pub fn of(spec: &Spec) -> Self {
        let volume = |v: &nodeimage_spec::model::Volume| (v.name.clone(), v.readonly == Some(true));
        Self(spec.volumes.iter().map(volume).collect())
    }

    /// Replaces the names in `binds`, `binds.add` and `mounts`; the key at fault with the fault.
    pub(super) fn replace(
        &self,
        options: &mut Options,
        unknown: Unknown,
    ) -> Result<(), (&'static str, ErrorKind)> {
        for mount in options.mounts.iter_mut().flatten() {
            self.mount(mount, unknown)
                .map_err(|kind| ("mounts", kind))?;
        }
        let lists = [
            ("binds", &mut options.binds),
            ("binds.add", &mut options.binds_add),
        ];
        for (key, list) in lists {
            for bind in list.iter_mut().flatten() {
                self.bind(bind, unknown).map_err(|kind| (key, kind))?;
            }
        }
        Ok(())
    }

    /// Whether it is read-only; `None` for a path or a kept name.
    fn find(&self, source: &str, unknown: Unknown) -> Result<Option<bool>, ErrorKind> {
        if source.starts_with('/') {
            return Ok(None);
        }
        match (self.0.get(source), unknown) {
            (Some(readonly), _) => Ok(Some(*readonly)),
            (None, Unknown::Keep) => Ok(None),
            (None, Unknown::Refuse) => Err(ErrorKind::UnknownVolume {
                name: source.to_owned(),
            }),
        }
    }

    fn bind(&self, bind: &mut String, unknown: Unknown) -> Result<(), ErrorKind> {
        let (source, rest) = bind
            .split_once(':')
            .map_or((bind.as_str(), None), |(s, r)| (s, Some(r)));
        let Some(readonly) = self.find(source, unknown)? else {
            return Ok(());
        };
        // The options must be exactly `ro`: LinuxKit refuses `ro,nosuid` as well.
        if readonly && rest.and_then(|rest| rest.split(':').nth(1)) != Some("ro") {
            return Err(ErrorKind::ReadOnlyVolume {
                name: source.to_owned(),
            });
        }
        *bind = match rest {
            Some(rest) => format!("{}:{rest}", merged(source)),
            None => merged(source),
        };
        Ok(())
    }

    fn mount(&self, mount: &mut Mount, unknown: Unknown) -> Result<(), ErrorKind> {
        if mount.kind.as_deref() != Some("bind") {
            return Ok(());
        }
        let source = mount.source.clone().unwrap_or_default();
        let Some(readonly) = self.find(&source, unknown)? else {
            return Ok(());
        };
        let mut options = mount.options.iter().flatten();
        let first = options.find(|option| matches!(option.as_str(), "ro" | "rw"));
        if readonly && first.map(String::as_str) != Some("ro") {
            return Err(ErrorKind::ReadOnlyVolume { name: source });
        }
        mount.source = Some(merged(&source));
        Ok(())
    }
}

/// Where init mounts a volume.
fn merged(name: &str) -> String {
    format!("/containers/volumes/{name}/merged")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volumes() -> Volumes {
        Volumes(BTreeMap::from([
            ("rw".to_owned(), false),
            ("fixed".to_owned(), true),
        ]))
    }

    fn bind(bind: &str, unknown: Unknown) -> Result<String, ErrorKind> {
        let mut bind = bind.to_owned();
        volumes().bind(&mut bind, unknown).map(|()| bind)
    }

    fn mount(source: &str, options: &[&str]) -> Result<String, ErrorKind> {
        let mut mount = Mount {
            kind: Some("bind".into()),
            source: Some(source.into()),
            options: Some(options.iter().map(|o| (*o).into()).collect()),
            ..Mount::default()
        };
        volumes()
            .mount(&mut mount, Unknown::Refuse)
            .map(|()| mount.source.unwrap())
    }

    #[test]
    fn binds() {
        use Unknown::{Keep, Refuse};
        assert_eq!(bind("/dev:/dev", Refuse).unwrap(), "/dev:/dev");
        assert_eq!(
            bind("rw:/data", Refuse).unwrap(),
            "/containers/volumes/rw/merged:/data"
        );
        assert_eq!(
            bind("rw:/d:ro,x", Refuse).unwrap(),
            "/containers/volumes/rw/merged:/d:ro,x"
        );
        assert_eq!(
            bind("fixed:/d:ro", Keep).unwrap(),
            "/containers/volumes/fixed/merged:/d:ro"
        );
        assert_eq!(bind("nope:/d", Keep).unwrap(), "nope:/d");
        let error = bind("nope:/d", Refuse).unwrap_err();
        assert!(error.to_string().starts_with("volume nope not found"));
        for writing in ["fixed:/d", "fixed:/d:rw", "fixed:/d:ro,nosuid"] {
            let error = bind(writing, Refuse).unwrap_err();
            assert!(
                error.to_string().starts_with("volume fixed is read-only"),
                "{writing}"
            );
        }
    }

    #[test]
    fn mounts() {
        assert_eq!(mount("/x", &[]).unwrap(), "/x");
        assert_eq!(mount("rw", &[]).unwrap(), "/containers/volumes/rw/merged");
        assert_eq!(
            mount("fixed", &["bind", "ro", "rw"]).unwrap(),
            "/containers/volumes/fixed/merged"
        );
        assert!(matches!(
            mount("fixed", &["rw", "ro"]),
            Err(ErrorKind::ReadOnlyVolume { .. })
        ));
        assert!(matches!(
            mount("fixed", &[]),
            Err(ErrorKind::ReadOnlyVolume { .. })
        ));
        assert!(matches!(
            mount("nope", &[]),
            Err(ErrorKind::UnknownVolume { .. })
        ));
        assert!(matches!(
            mount("", &[]),
            Err(ErrorKind::UnknownVolume { .. })
        ));
        let mut other = Mount {
            kind: Some("tmpfs".into()),
            source: Some("nope".into()),
            ..Mount::default()
        };
        volumes().mount(&mut other, Unknown::Refuse).unwrap();
        assert_eq!(other.source.as_deref(), Some("nope"));
    }
}
