//! A provider: its configuration and what it offers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cx::{Cx, Data};
use crate::data::{self, AnyDataSource, DataSource};
use crate::diag::Diagnostics;
use crate::function::{self, AnyFunction, Function};
use crate::resource::{self, AnyResource, Resource};
use crate::schema::{Model, Role, Schema, SchemaError};
use crate::value::Value;

/// A provider.
pub trait Provider: Send + Sync + 'static {
    /// The provider block; `()` if there is nothing to configure.
    type Config: Model;

    /// What resources and data sources find in
    /// [`Cx::provider`](crate::Cx::provider).
    type Data: Send + Sync + 'static;

    /// Its name, which begins the names of its resources.
    const NAME: &'static str;

    /// What the front page of the documentation says, in Markdown.
    const DESCRIPTION: &'static str = "";

    /// Checks the provider block, any part of which may be unknown.
    ///
    /// # Errors
    /// What is wrong with it.
    fn validate(&self, cx: &mut Cx, config: &Self::Config) -> Result<(), Diagnostics> {
        let _ = (cx, config);
        Ok(())
    }

    /// Takes the configuration, parts of which may be unknown. It runs for every
    /// plan: nothing here asks the network.
    ///
    /// # Errors
    /// If nothing can work with it.
    fn configure(&self, cx: &mut Cx, config: &Self::Config) -> Result<Self::Data, Diagnostics>;

    /// What it offers.
    fn registry(&self) -> Registry;
}

/// The resources, data sources and functions of a provider.
#[derive(Default)]
pub struct Registry {
    pub(crate) resources: BTreeMap<&'static str, Box<dyn AnyResource>>,
    pub(crate) data_sources: BTreeMap<&'static str, Box<dyn AnyDataSource>>,
    pub(crate) functions: BTreeMap<&'static str, Box<dyn AnyFunction>>,
    faults: Vec<String>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("resources", &self.resources.keys())
            .field("data_sources", &self.data_sources.keys())
            .field("functions", &self.functions.keys())
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a managed resource.
    #[must_use]
    pub fn resource<R: Resource>(mut self, resource: R) -> Self {
        match resource::Erased::new(resource) {
            Ok(erased) => {
                if self.resources.insert(R::NAME, Box::new(erased)).is_some() {
                    self.faults
                        .push(format!("resource {}: there are two", R::NAME));
                }
            }
            Err(error) => self.fault("resource", R::NAME, error),
        }
        self
    }

    /// Adds a data source.
    #[must_use]
    pub fn data_source<D: DataSource>(mut self, source: D) -> Self {
        match data::Erased::new(source) {
            Ok(erased) => {
                if self
                    .data_sources
                    .insert(D::NAME, Box::new(erased))
                    .is_some()
                {
                    self.faults
                        .push(format!("data source {}: there are two", D::NAME));
                }
            }
            Err(error) => self.fault("data source", D::NAME, error),
        }
        self
    }

    /// Adds a function.
    #[must_use]
    pub fn function<F: Function>(mut self, function: F) -> Self {
        match function::Erased::new(function) {
            Ok(erased) => {
                if self.functions.insert(F::NAME, Box::new(erased)).is_some() {
                    self.faults
                        .push(format!("function {}: there are two", F::NAME));
                }
            }
            Err(fault) => self.faults.push(format!("function {}: {fault}", F::NAME)),
        }
        self
    }

    fn fault(&mut self, what: &str, name: &str, error: SchemaError) {
        let told = error
            .0
            .into_iter()
            .map(|fault| format!("{what} {name}: {fault}"));
        self.faults.extend(told);
    }
}

/// A provider without its type.
pub(crate) struct AnyProvider {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) schema: Schema,
    pub(crate) registry: Registry,
    provider: Box<dyn Calls>,
}

impl std::fmt::Debug for AnyProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnyProvider")
            .field("name", &self.name)
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

impl AnyProvider {
    /// `Err` if a schema has faults.
    pub(crate) fn new<P: Provider>(provider: P) -> Result<Self, SchemaError> {
        let mut registry = provider.registry();
        let mut faults = std::mem::take(&mut registry.faults);
        match Schema::of::<P::Config>(Role::Provider, 0) {
            Ok(schema) if faults.is_empty() => Ok(Self {
                name: P::NAME,
                description: P::DESCRIPTION,
                schema,
                registry,
                provider: Box::new(Erased(provider)),
            }),
            Ok(_) => Err(SchemaError(faults)),
            Err(error) => {
                let told = error
                    .0
                    .into_iter()
                    .map(|fault| format!("provider: {fault}"));
                faults.extend(told);
                Err(SchemaError(faults))
            }
        }
    }

    pub(crate) fn validate(&self, cx: &mut Cx, config: &Value) -> Result<(), Diagnostics> {
        self.provider.validate(cx, config)
    }

    pub(crate) fn configure(&self, cx: &mut Cx, config: &Value) -> Result<Data, Diagnostics> {
        let mut given = config.clone();
        resource::plan::set_defaults(&self.schema.attributes, config, &mut given);
        self.provider.configure(cx, &given)
    }

    pub(crate) fn full_name(&self, name: &str) -> String {
        format!("{}_{name}", self.name)
    }

    /// The resource of a full name such as `nodeimage_image`.
    pub(crate) fn resource(&self, full: &str) -> Option<&dyn AnyResource> {
        let name = self.short_name(full)?;
        self.registry.resources.get(name).map(Box::as_ref)
    }

    /// The data source of a full name.
    pub(crate) fn data_source(&self, full: &str) -> Option<&dyn AnyDataSource> {
        let name = self.short_name(full)?;
        self.registry.data_sources.get(name).map(Box::as_ref)
    }

    fn short_name<'a>(&self, full: &'a str) -> Option<&'a str> {
        full.strip_prefix(self.name)?.strip_prefix('_')
    }
}

trait Calls: Send + Sync {
    fn validate(&self, cx: &mut Cx, config: &Value) -> Result<(), Diagnostics>;
    fn configure(&self, cx: &mut Cx, config: &Value) -> Result<Data, Diagnostics>;
}

struct Erased<P>(P);

impl<P: Provider> Calls for Erased<P> {
    fn validate(&self, cx: &mut Cx, config: &Value) -> Result<(), Diagnostics> {
        let config = resource::model(config)?;
        resource::guard(|| self.0.validate(cx, &config))
    }

    fn configure(&self, cx: &mut Cx, config: &Value) -> Result<Data, Diagnostics> {
        let config = resource::model(config)?;
        let data = resource::guard(|| self.0.configure(cx, &config))?;
        Ok(Arc::new(data))
    }
}
