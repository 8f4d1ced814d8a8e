//! How an attribute behaves: `optional().default("amd64").replace()`.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::convert::{Misfit, Typed};
use crate::value::Value;

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The configuration must.
    Required,
    /// The configuration may; otherwise it is null.
    Optional,
    /// The configuration may; otherwise the provider does.
    OptionalComputed,
    /// The provider does.
    Computed,
}

/// When a change of an attribute asks for a new resource.
#[derive(Clone, Copy, Debug)]
pub enum Replace {
    /// Never: it is changed in place.
    Never,
    /// On any change.
    Always,
    /// If the function says so, of the prior and the planned value.
    If(fn(&Value, &Value) -> bool),
}

type CheckFn = dyn Fn(&Value) -> Result<(), String> + Send + Sync;

/// A condition on a known value.
#[derive(Clone)]
pub struct Check(Arc<CheckFn>);

impl Check {
    pub(crate) fn run(&self, value: &Value) -> Result<(), String> {
        (self.0)(value)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Check")
    }
}

/// How an attribute behaves.
#[derive(Clone, Debug)]
pub struct Flags {
    /// Who sets it.
    pub mode: Mode,
    /// Hidden in Terraform's output (stored all the same).
    pub sensitive: bool,
    /// Never stored: only in the configuration.
    pub write_only: bool,
    /// Stands in for null in the configuration.
    pub default: Option<Value>,
    /// When a change asks for a new resource.
    pub replace: Replace,
    /// Computed, and unchanged by updates.
    pub keep: bool,
    /// Conditions on its value.
    pub checks: Vec<Check>,
    /// The values it takes, if they are few; for the documentation.
    pub choices: Vec<String>,
    /// What to use instead of it.
    pub deprecated: Option<String>,
}

const fn with(mode: Mode) -> Flags {
    Flags {
        mode,
        sensitive: false,
        write_only: false,
        default: None,
        replace: Replace::Never,
        keep: false,
        checks: Vec::new(),
        choices: Vec::new(),
        deprecated: None,
    }
}

/// The configuration must set it, to something other than null.
pub const fn required() -> Flags {
    with(Mode::Required)
}

/// The configuration may set it.
pub const fn optional() -> Flags {
    with(Mode::Optional)
}

/// The provider sets it.
pub const fn computed() -> Flags {
    with(Mode::Computed)
}

/// The configuration may set it; otherwise the provider does.
pub const fn optional_computed() -> Flags {
    with(Mode::OptionalComputed)
}

impl Flags {
    /// Terraform hides the value in its output. It is stored in state all the
    /// same.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The value is never stored; needs Terraform 1.11. It is sensitive too:
    /// otherwise a sensitive value given to it makes an imported resource look
    /// changed.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self.sensitive = true;
        self
    }

    /// Stands in where the configuration says nothing.
    #[must_use]
    pub fn default<T: Typed>(mut self, value: impl Into<T>) -> Self {
        self.default = Some(value.into().to_value());
        self
    }

    /// Stands in where the configuration says nothing.
    #[must_use]
    pub fn default_str(self, value: &str) -> Self {
        self.default::<String>(value)
    }

    /// A change asks for a new resource.
    #[must_use]
    pub fn replace(mut self) -> Self {
        self.replace = Replace::Always;
        self
    }

    /// A change asks for a new resource if `condition` holds for the prior and
    /// the planned value.
    #[must_use]
    pub fn replace_if(mut self, condition: fn(&Value, &Value) -> bool) -> Self {
        self.replace = Replace::If(condition);
        self
    }

    /// The computed value survives updates: plans show it instead of
    /// `(known after apply)`.
    #[must_use]
    pub fn keep(mut self) -> Self {
        self.keep = true;
        self
    }

    /// The text must be one of `choices`.
    #[must_use]
    pub fn one_of(mut self, choices: &[&str]) -> Self {
        self.choices = choices.iter().map(|c| (*c).to_owned()).collect();
        let allowed = self.choices.clone();
        self.check(move |text: &String| {
            if allowed.contains(text) {
                return Ok(());
            }
            // Not the value: it may be a secret. Terraform shows the line.
            let all: Vec<String> = allowed.iter().map(|c| format!("{c:?}")).collect();
            Err(format!("must be one of {}", all.join(", ")))
        })
    }

    /// The number must lie in `range`.
    #[must_use]
    pub fn range(self, range: RangeInclusive<i64>) -> Self {
        self.check(move |n: &i64| {
            if range.contains(n) {
                return Ok(());
            }
            let (low, high) = (range.start(), range.end());
            Err(format!("must be between {low} and {high}"))
        })
    }

    /// A known value must pass `condition`, which says what is wrong with it.
    /// Don't repeat a sensitive value there.
    #[must_use]
    pub fn check<T: Typed>(
        mut self,
        condition: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push(Check(Arc::new(move |value| {
            match T::from_value(value) {
                Ok(value) => condition(&value),
                // Told elsewhere, or not known yet.
                Err(Misfit::Wrong(_) | Misfit::Unknown) => Ok(()),
            }
        })));
        self
    }

    /// A warning tells those who set it what to use instead.
    #[must_use]
    pub fn deprecated(mut self, instead: &str) -> Self {
        self.deprecated = Some(instead.to_owned());
        self
    }

    /// True if its values must not be shown.
    pub fn is_secret(&self) -> bool {
        self.sensitive || self.write_only
    }

    /// True if the provider may set it where the configuration is null.
    pub fn is_computed(&self) -> bool {
        matches!(self.mode, Mode::Computed | Mode::OptionalComputed) || self.default.is_some()
    }

    /// True if the configuration may set it, but needn't.
    pub fn is_optional(&self) -> bool {
        matches!(self.mode, Mode::Optional | Mode::OptionalComputed)
    }
}
