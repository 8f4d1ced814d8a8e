//! A resource without its type: values in and out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::merge::merge;
use super::{OldState, Plan, Resource};
use crate::cx::Cx;
use crate::diag::{Diagnostic, Diagnostics};
use crate::schema::{Misfit, Model, Role, Schema, SchemaError, Typed};
use crate::value::Value;

/// What `create`, `update` or `delete` left, and whether it went well.
pub(crate) struct Outcome {
    pub(crate) state: Value,
    pub(crate) result: Result<(), Diagnostics>,
}

pub(crate) trait AnyResource: Send + Sync {
    fn schema(&self) -> &Schema;
    fn validate(&self, cx: &mut Cx, config: &Value) -> Result<(), Diagnostics>;
    /// Returns the planned state.
    fn plan(
        &self,
        cx: &mut Cx,
        config: &Value,
        prior: &Value,
        planned: &Value,
    ) -> Result<Value, Diagnostics>;
    fn plan_destroy(&self, cx: &mut Cx, prior: &Value) -> Result<(), Diagnostics>;
    fn create(&self, cx: &mut Cx, config: &Value, planned: &Value) -> Outcome;
    fn read(&self, cx: &mut Cx, state: &Value) -> Result<Value, Diagnostics>;
    fn update(&self, cx: &mut Cx, config: &Value, prior: &Value, planned: &Value) -> Outcome;
    fn delete(&self, cx: &mut Cx, prior: &Value) -> Outcome;
    fn import(&self, cx: &mut Cx, id: &str) -> Result<Value, Diagnostics>;
    fn upgrade(&self, version: i64, state: &mut OldState) -> Result<(), Diagnostics>;
}

pub(crate) struct Erased<R> {
    resource: R,
    schema: Schema,
}

impl<R: Resource> Erased<R> {
    pub(crate) fn new(resource: R) -> Result<Self, SchemaError> {
        Ok(Self {
            resource,
            schema: Schema::of::<R::Model>(Role::Resource, R::VERSION)?,
        })
    }

    /// Runs `f` on a model that starts as `planned`.
    fn change(
        planned: &Value,
        f: impl FnOnce(&mut R::Model) -> Result<(), Diagnostics>,
    ) -> Outcome {
        let mut state = match model::<R::Model>(planned) {
            Ok(state) => state,
            Err(diagnostics) => {
                return Outcome {
                    state: planned.clone(),
                    result: Err(diagnostics),
                };
            }
        };
        let before = state.to_value();
        let result = guard(|| f(&mut state));
        Outcome {
            state: merge(planned, &before, &state.to_value()),
            result,
        }
    }
}

impl<R: Resource> AnyResource for Erased<R> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, cx: &mut Cx, config: &Value) -> Result<(), Diagnostics> {
        let config = model(config)?;
        guard(|| self.resource.validate(cx, &config))
    }

    fn plan(
        &self,
        cx: &mut Cx,
        config: &Value,
        prior: &Value,
        planned: &Value,
    ) -> Result<Value, Diagnostics> {
        let mut plan = Plan::<R::Model> {
            config: model(config)?,
            prior: if prior.is_null() {
                None
            } else {
                Some(model(prior)?)
            },
            planned: model(planned)?,
        };
        let before = plan.planned.to_value();
        guard(|| self.resource.plan(cx, &mut plan))?;
        Ok(merge(planned, &before, &plan.planned.to_value()))
    }

    fn plan_destroy(&self, cx: &mut Cx, prior: &Value) -> Result<(), Diagnostics> {
        let prior = model(prior)?;
        guard(|| self.resource.plan_destroy(cx, &prior))
    }

    fn create(&self, cx: &mut Cx, config: &Value, planned: &Value) -> Outcome {
        Self::change(planned, |state| {
            self.resource.create(cx, &model(config)?, state)
        })
    }

    fn read(&self, cx: &mut Cx, state: &Value) -> Result<Value, Diagnostics> {
        let before: R::Model = model(state)?;
        let after = guard(|| self.resource.read(cx, before.clone()))?;
        Ok(match after {
            Some(after) => merge(state, &before.to_value(), &after.to_value()),
            None => Value::Null,
        })
    }

    fn update(&self, cx: &mut Cx, config: &Value, prior: &Value, planned: &Value) -> Outcome {
        Self::change(planned, |state| {
            self.resource
                .update(cx, &model(config)?, &model(prior)?, state)
        })
    }

    fn delete(&self, cx: &mut Cx, prior: &Value) -> Outcome {
        Self::change(prior, |state| self.resource.delete(cx, state))
    }

    fn import(&self, cx: &mut Cx, id: &str) -> Result<Value, Diagnostics> {
        guard(|| self.resource.import(cx, id)).map(|state| state.to_value())
    }

    fn upgrade(&self, version: i64, state: &mut OldState) -> Result<(), Diagnostics> {
        guard(|| self.resource.upgrade(version, state))
    }
}

/// A model of an object; what doesn't fit is an error at its place.
pub(crate) fn model<M: Model>(value: &Value) -> Result<M, Diagnostics> {
    M::from_value(value).map_err(|misfit| match misfit {
        Misfit::Wrong(all) => all
            .into_iter()
            .map(|(path, message)| {
                Diagnostic::error("Invalid value", format!("The value {message}.")).at(path)
            })
            .collect(),
        Misfit::Unknown => {
            Diagnostic::error("Invalid value", "The whole object is not known yet.").into()
        }
    })
}

/// Runs a provider's code; a panic is an error and not the end of the process.
pub(crate) fn guard<T>(f: impl FnOnce() -> Result<T, Diagnostics>) -> Result<T, Diagnostics> {
    // Whatever a panic left half-done is only seen by later calls through the
    // provider's own locks, which are poisoned then.
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        Err(Diagnostic::error(
            "Crash in the provider",
            format!(
                "The provider panicked: {}. Please report this as a bug in the provider; \
                 its log (TF_LOG_PROVIDER=debug) tells where.",
                panic_message(payload.as_ref())
            ),
        )
        .into())
    })
}

pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
