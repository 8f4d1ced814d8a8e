//! What counts for a container: the YAML's value when the key is there, else its image's label's.

use super::{Context, ImageFacts};
use crate::fault::quoted;
use crate::model::{Container, Options, Spec};

/// A container with what is known of its image.
#[derive(Clone, Debug)]
pub(super) struct Effective<'a> {
    /// Of its entry: `services[2]`.
    pub(super) path: String,
    pub(super) container: &'a Container,
    /// `None` when nobody has looked.
    pub(super) image: Option<&'a ImageFacts>,
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Yaml,
    Label,
    /// The image's configuration.
    Image,
}

/// All containers.
pub(super) fn containers<'a>(context: &Context<'a>) -> impl Iterator<Item = Effective<'a>> {
    let images = &context.facts.images;
    entries(&context.parsed.spec).map(|(path, container)| Effective {
        path,
        container,
        image: images.get(&container.image),
    })
}

/// All containers with their paths.
pub(super) fn entries(spec: &Spec) -> impl Iterator<Item = (String, &Container)> {
    let sections = [
        ("onboot", &spec.onboot),
        ("onshutdown", &spec.onshutdown),
        ("services", &spec.services),
    ];
    sections.into_iter().flat_map(|(section, list)| {
        list.iter()
            .enumerate()
            .map(move |(index, container)| (format!("{section}[{index}]"), container))
    })
}

impl<'a> Effective<'a> {
    /// Its name for messages.
    pub(super) fn name(&self) -> String {
        quoted(&self.container.name)
    }

    /// The value of a key, and who says so.
    pub(super) fn value<T: ?Sized>(
        &self,
        pick: impl Fn(&'a Options) -> Option<&'a T>,
    ) -> Option<(&'a T, Origin)> {
        let yaml = pick(&self.container.options).map(|value| (value, Origin::Yaml));
        yaml.or_else(|| Some((pick(&self.image?.label)?, Origin::Label)))
    }

    /// The value of a key for which an empty text means unset.
    pub(super) fn text(
        &self,
        pick: impl Fn(&'a Options) -> &'a Option<String>,
    ) -> Option<(&'a str, Origin)> {
        self.value(|options| pick(options).as_deref().filter(|text| !text.is_empty()))
    }

    /// The elements of a list whose `.add` appends to the label's, with who says so and their paths.
    pub(super) fn joined(
        &self,
        key: &str,
        pick: impl Fn(&'a Options) -> &'a Option<Vec<String>>,
        more: impl Fn(&'a Options) -> &'a Option<Vec<String>>,
    ) -> Vec<(&'a str, Origin, String)> {
        let own = &self.container.options;
        let mine = |key: &str, list: &'a [String]| {
            let path = format!("{}.{key}", self.path);
            let numbered = list.iter().enumerate();
            numbered
                .map(|(at, text)| (text.as_str(), Origin::Yaml, format!("{path}[{at}]")))
                .collect::<Vec<_>>()
        };
        if let Some(list) = pick(own) {
            return mine(key, list);
        }
        let label = self.image.and_then(|image| pick(&image.label).as_ref());
        let label = label.into_iter().flatten();
        let mut all: Vec<_> = label
            .map(|text| (text.as_str(), Origin::Label, self.at(key, Origin::Label)))
            .collect();
        if let Some(list) = more(own) {
            all.extend(mine(&format!("{key}.add"), list));
        }
        all
    }

    /// Where a finding about a key belongs.
    pub(super) fn at(&self, key: &str, origin: Origin) -> String {
        match origin {
            Origin::Yaml => format!("{}.{key}", self.path),
            Origin::Label | Origin::Image => format!("{}.image", self.path),
        }
    }

    /// What a message about an absent key adds while the image is not at hand.
    pub(super) fn unless(&self) -> &'static str {
        match self.image {
            Some(_) => "",
            None => ", unless its image's label says otherwise",
        }
    }
}

impl Origin {
    /// What a message adds about who says so.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Yaml => "",
            Self::Label => " (by its image's label)",
            Self::Image => " (by its image)",
        }
    }
}
