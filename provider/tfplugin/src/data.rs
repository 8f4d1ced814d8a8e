//! Data sources.

use crate::cx::Cx;
use crate::diag::{Diagnostic, Diagnostics, Path};
use crate::resource::attributes::null_unknown;
use crate::resource::merge::merge;
use crate::schema::{Model, Role, Schema, SchemaError, Typed};
use crate::value::Value;

/// A data source. All methods may block; a panic becomes an error.
///
/// Terraform reads it while it plans if the configuration is known, else in
/// apply; it doesn't read it again when it applies a saved plan.
pub trait DataSource: Send + Sync + 'static {
    /// Its attributes.
    type Model: Model;

    /// Its name without the provider's.
    const NAME: &'static str;

    /// Checks the configuration, any part of which may be unknown.
    ///
    /// # Errors
    /// What is wrong with it.
    fn validate(&self, cx: &mut Cx, config: &Self::Model) -> Result<(), Diagnostics> {
        let _ = (cx, config);
        Ok(())
    }

    /// Reads it: `state` is the configuration with its defaults; computed values
    /// are to be set.
    ///
    /// # Errors
    /// If it can't be read.
    fn read(&self, cx: &mut Cx, state: &mut Self::Model) -> Result<(), Diagnostics>;
}

pub(crate) trait AnyDataSource: Send + Sync {
    fn schema(&self) -> &Schema;
    fn validate(&self, cx: &mut Cx, config: &Value) -> Result<(), Diagnostics>;
    fn read(&self, cx: &mut Cx, config: &Value) -> Result<Value, Diagnostics>;
}

pub(crate) struct Erased<D> {
    source: D,
    schema: Schema,
}

impl<D: DataSource> Erased<D> {
    pub(crate) fn new(source: D) -> Result<Self, SchemaError> {
        Ok(Self {
            source,
            schema: Schema::of::<D::Model>(Role::DataSource, 0)?,
        })
    }
}

impl<D: DataSource> AnyDataSource for Erased<D> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, cx: &mut Cx, config: &Value) -> Result<(), Diagnostics> {
        let config = crate::resource::model(config)?;
        crate::resource::guard(|| self.source.validate(cx, &config))
    }

    fn read(&self, cx: &mut Cx, config: &Value) -> Result<Value, Diagnostics> {
        let mut given = config.clone();
        crate::resource::plan::set_defaults(&self.schema.attributes, config, &mut given);
        let mut state: D::Model = crate::resource::model(&given)?;
        let before = state.to_value();
        crate::resource::guard(|| self.source.read(cx, &mut state))?;
        let mut state = merge(&given, &before, &state.to_value());
        match null_unknown(&Path::root(), &mut state).first() {
            None => Ok(state),
            Some(path) => {
                let text = format!(
                    "The provider read {path} as unknown. Please report this as a bug in the \
                     provider."
                );
                Err(Diagnostic::error("Bug in the provider", text).into())
            }
        }
    }
}
