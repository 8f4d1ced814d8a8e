//! Which images to make: the demo needs few of them, soon; tests need all.

use std::fmt;
use std::str::FromStr;

use super::architecture::Architecture;
use super::recipe::Recipe;
use super::recipes::RECIPES;

/// Who needs an image. Each needs those of the ones before it, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Whoever builds anything: a release has it beside the program.
    Release,
    /// The examples.
    #[default]
    Examples,
    /// The acceptance tests alone. Made for amd64 only.
    Tests,
}

const GROUPS: [(Group, &str); 3] = [
    (Group::Release, "release"),
    (Group::Examples, "examples"),
    (Group::Tests, "tests"),
];

/// Some of the images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Whose images.
    pub group: Group,
    /// For arm64 as well as for amd64.
    pub arm64: bool,
}

impl Selection {
    /// Every image there is.
    pub const ALL: Self = Self {
        group: Group::Tests,
        arm64: true,
    };

    pub(super) fn recipes(self) -> impl Iterator<Item = &'static Recipe> {
        RECIPES
            .iter()
            .filter(move |recipe| recipe.group <= self.group)
    }

    /// What to make an image for.
    pub(super) fn architectures(self, recipe: &Recipe) -> &'static [Architecture] {
        let both = recipe.neutral || (self.arm64 && recipe.group < Group::Tests);
        if both {
            &Architecture::ALL
        } else {
            &[Architecture::Amd64]
        }
    }

    pub(super) fn has(self, architecture: Architecture) -> bool {
        self.arm64 || architecture == Architecture::Amd64
    }

    /// Whether all of `other` is in it.
    pub(super) fn covers(self, other: Self) -> bool {
        self.group >= other.group && self.arm64 >= other.arm64
    }
}

/// One word, for the stamp.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = GROUPS.iter().find(|(group, _)| *group == self.group);
        f.write_str(name.map_or("", |(_, name)| name))?;
        f.write_str(if self.arm64 { "+arm64" } else { "" })
    }
}

impl FromStr for Selection {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let (name, arm64) = match word.strip_suffix("+arm64") {
            Some(name) => (name, true),
            None => (word, false),
        };
        let (group, _) = GROUPS.iter().find(|(_, known)| *known == name).ok_or(())?;
        Ok(Self {
            group: *group,
            arm64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_a_word() {
        for (group, _) in GROUPS {
            for arm64 in [false, true] {
                let one = Selection { group, arm64 };
                assert_eq!(one.to_string().parse(), Ok(one));
                assert!(Selection::ALL.covers(one) && one.covers(one));
            }
        }
        assert!("".parse::<Selection>().is_err());
        assert!(!Selection::default().covers(Selection::ALL));
    }

    #[test]
    fn a_release_has_few_images_and_the_demo_none_for_arm64_alone() {
        let release = Selection {
            group: Group::Release,
            arm64: true,
        };
        let names: Vec<&str> = release.recipes().map(|recipe| recipe.name).collect();
        assert_eq!(names, ["boot", "init"]);
        for recipe in Selection::default().recipes() {
            let made = Selection::default().architectures(recipe);
            assert_eq!(made.len() == 2, recipe.neutral, "{}", recipe.name);
        }
    }
}
