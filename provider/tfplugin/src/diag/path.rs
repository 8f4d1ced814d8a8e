//! Places in a value: `image.spec`, `config[1]`, `tags["a"]`.

use std::fmt;

use crate::protocol::message::{AttributePath, PathStep, Selector};

/// One step down into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// An attribute of an object.
    Attribute(String),
    /// An element of a list or a tuple, from 0.
    Index(i64),
    /// An element of a map.
    Key(String),
}

/// The way from a resource's root to a value in it; see [`path!`](crate::path!).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

impl Path {
    /// The resource itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// True for the resource itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The steps from the root on.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// This path and one step more.
    #[must_use]
    pub fn with(&self, step: Step) -> Self {
        let mut path = self.clone();
        path.0.push(step);
        path
    }

    /// This path and an attribute's name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Self {
        self.with(Step::Attribute(name.to_owned()))
    }

    /// This path and a list's index.
    #[must_use]
    pub fn index(&self, i: usize) -> Self {
        self.with(Step::Index(i64::try_from(i).unwrap_or(i64::MAX)))
    }

    /// This path and a map's key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// This path and then `rest`.
    #[must_use]
    pub fn join(&self, rest: &Self) -> Self {
        Self([&self.0[..], &rest.0[..]].concat())
    }

    pub(crate) fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    /// For a diagnostic. Terraform finds the source line of an attribute, and of one index or key in
    /// it; of anything deeper it shows the resource's first line. It looks into an object literal by
    /// key alone, so an attribute below the first is sent as a key, and the rest is left out.
    pub(crate) fn to_shown(&self) -> AttributePath {
        let mut shown = Self(self.0.iter().take(2).cloned().collect());
        if let [_, second @ Step::Attribute(_)] = shown.0.as_mut_slice()
            && let Step::Attribute(name) = second
        {
            *second = Step::Key(std::mem::take(name));
        }
        shown.to_wire()
    }

    pub(crate) fn to_wire(&self) -> AttributePath {
        let steps = self.0.iter().map(|step| PathStep {
            selector: Some(match step {
                Step::Attribute(name) => Selector::AttributeName(name.clone()),
                Step::Index(i) => Selector::ElementKeyInt(*i),
                Step::Key(key) => Selector::ElementKeyString(key.clone()),
            }),
        });
        AttributePath {
            steps: steps.collect(),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if i == 0 => f.write_str(name)?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Index(i) => write!(f, "[{i}]")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

impl From<&str> for Step {
    fn from(name: &str) -> Self {
        Self::Attribute(name.to_owned())
    }
}

impl From<String> for Step {
    fn from(name: String) -> Self {
        Self::Attribute(name)
    }
}

impl From<[&str; 1]> for Step {
    fn from([key]: [&str; 1]) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<i32> for Step {
    fn from(i: i32) -> Self {
        Self::Index(i64::from(i))
    }
}

impl From<usize> for Step {
    fn from(i: usize) -> Self {
        Self::Index(i64::try_from(i).unwrap_or(i64::MAX))
    }
}

impl<S: Into<Step>> FromIterator<S> for Path {
    fn from_iter<I: IntoIterator<Item = S>>(iter: I) -> Self {
        Self(iter.into_iter().map(Into::into).collect())
    }
}

/// A [`Path`](crate::diag::Path): a string is an attribute's name, an integer
/// an index, a string in brackets a map's key.
///
/// ```
/// # use tfplugin::path;
/// assert_eq!(path!("disks", 0, "tags", ["env"]).to_string(), r#"disks[0].tags["env"]"#);
/// ```
#[macro_export]
macro_rules! path {
    ($($step:expr),* $(,)?) => {
        [$($crate::diag::Step::from($step)),*]
            .into_iter()
            .collect::<$crate::diag::Path>()
    };
}
