//! Names that stand for user and group numbers.

use std::collections::BTreeMap;

use nodeimage_spec::model::{Id, Spec};

use super::{ErrorKind, Section};

/// Every container's number: 100 and up, over onboot, onshutdown and services in order. Of equal
/// names the last number counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedIds(BTreeMap<String, u32>);

impl NamedIds {
    /// The numbers of this spec's containers.
    pub fn of(spec: &Spec) -> Self {
        let containers = Section::ALL
            .into_iter()
            .flat_map(|section| section.of(spec));
        Self(
            containers
                .map(|container| container.name.clone())
                .zip(100..=u32::MAX)
                .collect(),
        )
    }

    /// The number `id` stands for. `""` and `root` are 0; negative numbers wrap, as in LinuxKit.
    pub fn resolve(&self, id: &Id) -> Result<u32, ErrorKind> {
        match id {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // wraps on purpose
            Id::Number(number) => Ok(*number as u32),
            Id::Name(name) if name.is_empty() || name == "root" => Ok(0),
            Id::Name(name) => self
                .0
                .get(name)
                .copied()
                .ok_or_else(|| ErrorKind::UnknownId { name: name.clone() }),
        }
    }

    /// [`resolve`](Self::resolve), 0 when the key is absent.
    pub(crate) fn resolve_or_root(&self, id: Option<&Id>) -> Result<u32, ErrorKind> {
        id.map_or(Ok(0), |id| self.resolve(id))
    }
}

#[cfg(test)]
mod tests {
    use nodeimage_spec::model::Container;

    use super::*;

    fn named(name: &str) -> Container {
        Container {
            name: name.into(),
            ..Container::default()
        }
    }

    #[test]
    fn from_100_in_section_order_and_the_last_of_equal_names() {
        let spec = Spec {
            services: vec![named("web"), named("a")],
            onboot: vec![named("a"), named("b")],
            onshutdown: vec![named("c")],
            ..Spec::default()
        };
        let ids = NamedIds::of(&spec);
        let number = |name: &str| ids.resolve(&Id::Name(name.into())).unwrap();
        assert_eq!(
            [number("b"), number("c"), number("web"), number("a")],
            [101, 102, 103, 104]
        );
    }

    #[test]
    fn numbers_wrap_and_root_is_zero() {
        let ids = NamedIds::default();
        assert_eq!(ids.resolve(&Id::Number(-1)), Ok(u32::MAX));
        assert_eq!(ids.resolve(&Id::Number(1000)), Ok(1000));
        assert_eq!(ids.resolve(&Id::Name(String::new())), Ok(0));
        assert_eq!(ids.resolve(&Id::Name("root".into())), Ok(0));
        assert_eq!(ids.resolve_or_root(None), Ok(0));
        for bad in ["nobody", "0", "1000"] {
            let error = ids.resolve(&Id::Name(bad.into())).unwrap_err();
            assert_eq!(error, ErrorKind::UnknownId { name: bad.into() });
        }
    }
}
