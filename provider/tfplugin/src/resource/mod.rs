//! Managed resources.
//!
//! A [`Resource`] writes what is special about it; the framework does the rest,
//! in this order:
//!
//! - **validate**: required values are not null (Terraform doesn't check), write-only
//!   values only from a Terraform that knows them, conditions, deprecations; then
//!   [`Resource::validate`].
//! - **plan**: defaults; write-only values become null; if anything differs from
//!   the prior state, computed values that the configuration doesn't set become
//!   unknown, but the kept ones; then [`Resource::plan`]; replacement; last, what
//!   Terraform demands of a plan is checked, so that a bug is named as one.
//! - **apply**: [`Resource::create`], [`Resource::update`] or [`Resource::delete`];
//!   the new state must keep every planned value and know every one.
//! - **read**, **import**, **upgrade**: write-only values are always null.
//!
//! Values that a resource doesn't touch are given back exactly as they came.

mod adapter;
pub(crate) mod apply;
pub(crate) mod attributes;
pub(crate) mod merge;
pub(crate) mod plan;
mod rules;
pub(crate) mod state;
pub(crate) mod validate;

use std::collections::BTreeMap;

pub(crate) use adapter::{AnyResource, Erased, guard, model, panic_message};
use serde_json::value::RawValue;

use crate::cx::Cx;
use crate::diag::{Diagnostic, Diagnostics};
use crate::schema::Model;

/// The attributes of a state written by an older version, each as JSON text.
pub type OldState = BTreeMap<String, Box<RawValue>>;

/// A plan in the making.
#[derive(Clone, Debug)]
pub struct Plan<M> {
    /// What the user wrote; write-only values are here alone.
    pub config: M,
    /// The state before; none if the resource is to be created, or created anew.
    pub prior: Option<M>,
    /// The state after, as far as the framework could tell.
    pub planned: M,
}

/// A managed resource. All methods may block; a panic becomes an error.
///
/// An error that is returned ends the call; one given to [`Cx::error`] lets it
/// go on.
pub trait Resource: Send + Sync + 'static {
    /// Its attributes.
    type Model: Model;

    /// Its name without the provider's: `image` for `nodeimage_image`.
    const NAME: &'static str;

    /// Raise it when [`Resource::upgrade`] has something to do.
    const VERSION: i64 = 0;

    /// Checks the configuration, any part of which may be unknown; it is called
    /// several times, without a configured provider.
    ///
    /// # Errors
    /// What is wrong with it.
    fn validate(&self, cx: &mut Cx, config: &Self::Model) -> Result<(), Diagnostics> {
        let _ = (cx, config);
        Ok(())
    }

    /// Says more about the planned state. It runs again when the plan is
    /// applied, in another process: what it made known must come out the same,
    /// so it asks neither network nor clock nor disk.
    ///
    /// A value that the configuration sets stays as it is, or becomes the prior
    /// state's (where that means the same). If all that differed means the same,
    /// nothing is planned. Making a computed value unknown where nothing differed
    /// plans an update.
    ///
    /// # Errors
    /// If there can be no plan.
    fn plan(&self, cx: &mut Cx, plan: &mut Plan<Self::Model>) -> Result<(), Diagnostics> {
        let _ = (cx, plan);
        Ok(())
    }

    /// The resource is to be deleted: a chance to warn or to refuse.
    ///
    /// # Errors
    /// If it must not be.
    fn plan_destroy(&self, cx: &mut Cx, prior: &Self::Model) -> Result<(), Diagnostics> {
        let _ = (cx, prior);
        Ok(())
    }

    /// Makes it. `state` is the planned state; unknown values must be set.
    ///
    /// # Errors
    /// Nothing is saved then, unless [`Cx::save_on_error`] was called: `state` is,
    /// and the resource tainted.
    fn create(
        &self,
        cx: &mut Cx,
        config: &Self::Model,
        state: &mut Self::Model,
    ) -> Result<(), Diagnostics>;

    /// Reads what is there now; `None` if it is gone. Write-only values are
    /// null. Values that mean the same are left as they are.
    ///
    /// # Errors
    /// If that can't be told.
    fn read(&self, cx: &mut Cx, state: Self::Model) -> Result<Option<Self::Model>, Diagnostics>;

    /// Changes it in place. `state` is the planned state; unknown values must
    /// be set.
    ///
    /// # Errors
    /// The prior state is kept then, unless [`Cx::save_on_error`] was called.
    fn update(
        &self,
        cx: &mut Cx,
        config: &Self::Model,
        prior: &Self::Model,
        state: &mut Self::Model,
    ) -> Result<(), Diagnostics> {
        let _ = (cx, config, prior, state);
        Err(Diagnostic::error(
            "Bug in the provider",
            "A resource that can't be updated was planned to be: all of its attributes should \
             ask for replacement.",
        )
        .into())
    }

    /// Deletes it. What is gone already is no error.
    ///
    /// # Errors
    /// The prior state is kept then; `state` if [`Cx::save_on_error`] was called.
    fn delete(&self, cx: &mut Cx, state: &mut Self::Model) -> Result<(), Diagnostics>;

    /// Finds it by the id that `terraform import` was given. Only what
    /// [`Resource::read`] needs has to be set: it runs right after.
    ///
    /// # Errors
    /// If the id makes no sense, or there is no import.
    fn import(&self, cx: &mut Cx, id: &str) -> Result<Self::Model, Diagnostics> {
        let _ = (cx, id);
        Err(Diagnostic::error(
            "Resource can't be imported",
            format!(
                "A resource of type {:?} has nothing to import from.",
                Self::NAME
            ),
        )
        .into())
    }

    /// Brings a state of an older [`Resource::VERSION`] up to date. Attributes
    /// that are no more are dropped and new ones null without any help.
    ///
    /// # Errors
    /// If it can't be.
    fn upgrade(&self, version: i64, state: &mut OldState) -> Result<(), Diagnostics> {
        let _ = (version, state);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
