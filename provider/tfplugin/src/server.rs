//! Terraform's calls, answered from a provider.
//!
//! Nothing here needs the schema to have been asked for in this process:
//! Terraform asks once per command and starts five.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::cx::{Cancel, Client, Cx, Data};
use crate::diag::{Diagnose, Diagnostic, Diagnostics};
use crate::function::FunctionError;
use crate::protocol::message as m;
use crate::provider::AnyProvider;
use crate::resource::{self, AnyResource, apply, panic_message, plan, state, validate};
use crate::schema::wire;
use crate::value::{Type, Value, json, msgpack};

#[derive(Debug)]
pub(crate) struct Server {
    provider: AnyProvider,
    configured: RwLock<Configured>,
    cancel: Mutex<Cancel>,
    /// This process serves one Terraform after another.
    reused: bool,
}

#[derive(Clone, Default)]
struct Configured {
    data: Option<Data>,
    terraform_version: Arc<str>,
}

impl std::fmt::Debug for Configured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Configured")
            .field("terraform_version", &self.terraform_version)
            .finish_non_exhaustive()
    }
}

impl Server {
    pub(crate) fn new(provider: AnyProvider) -> Self {
        Self {
            provider,
            configured: RwLock::default(),
            cancel: Mutex::default(),
            reused: false,
        }
    }

    /// For a process that outlives the Terraform which it serves: a new
    /// Terraform forgets that the last one was interrupted.
    pub(crate) fn reused(mut self) -> Self {
        self.reused = true;
        self
    }

    /// Asks all calls to stop.
    pub(crate) fn cancel(&self) {
        self.current_cancel().cancel();
    }

    fn current_cancel(&self) -> Cancel {
        self.cancel
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn cx(&self, client: Option<m::ClientCapabilities>) -> Cx {
        let configured = self
            .configured
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let client = client.unwrap_or_default();
        Cx::new(
            self.current_cancel(),
            configured.data,
            configured.terraform_version,
        )
        .with_client(Client {
            write_only: client.write_only_attributes_allowed,
            store_planned_private: client.store_planned_private,
        })
    }

    fn resource(&self, type_name: &str) -> Result<&dyn AnyResource, Diagnostics> {
        self.provider.resource(type_name).ok_or_else(|| {
            let text =
                format!("There is no resource {type_name:?} in this version of the provider.");
            Diagnostic::error("Unknown resource type", text).into()
        })
    }

    pub(crate) fn metadata(&self, _: m::Empty) -> m::MetadataResponse {
        let registry = &self.provider.registry;
        let full = |name: &&str| m::TypeName {
            name: self.provider.full_name(name),
        };
        m::MetadataResponse {
            server_capabilities: Some(capabilities()),
            diagnostics: Vec::new(),
            data_sources: registry.data_sources.keys().map(full).collect(),
            resources: registry.resources.keys().map(full).collect(),
            functions: registry
                .functions
                .keys()
                .map(|name| m::TypeName {
                    name: (*name).to_owned(),
                })
                .collect(),
        }
    }

    pub(crate) fn schema(&self, _: m::Empty) -> m::SchemaResponse {
        let registry = &self.provider.registry;
        m::SchemaResponse {
            provider: Some(wire::provider_schema(&self.provider.schema)),
            resource_schemas: registry
                .resources
                .iter()
                .map(|(name, r)| (self.provider.full_name(name), wire::schema(r.schema())))
                .collect(),
            data_source_schemas: registry
                .data_sources
                .iter()
                .map(|(name, d)| (self.provider.full_name(name), wire::schema(d.schema())))
                .collect(),
            diagnostics: Vec::new(),
            server_capabilities: Some(capabilities()),
            functions: self.function_definitions(),
        }
    }

    pub(crate) fn functions(&self, _: m::Empty) -> m::FunctionsResponse {
        m::FunctionsResponse {
            functions: self.function_definitions(),
            diagnostics: Vec::new(),
        }
    }

    fn function_definitions(&self) -> BTreeMap<String, m::Function> {
        let functions = self.provider.registry.functions.iter();
        functions
            .map(|(name, f)| ((*name).to_owned(), f.definition().clone()))
            .collect()
    }

    pub(crate) fn validate_provider(
        &self,
        request: m::ValidateProviderRequest,
    ) -> m::ValidateProviderResponse {
        let mut cx = self.cx(None);
        let schema = &self.provider.schema;
        run(&mut cx, |cx| {
            let config = decode(&schema.ty(), request.config)?;
            validate::validate(&schema.attributes, cx, &config);
            self.provider.validate(cx, &config)
        });
        m::ValidateProviderResponse {
            diagnostics: cx.finish().0.to_wire(),
        }
    }

    pub(crate) fn validate_resource(&self, request: m::ValidateRequest) -> m::Diagnosed {
        let mut cx = self.cx(request.client_capabilities);
        run(&mut cx, |cx| {
            let resource = self.resource(&request.type_name)?;
            let config = decode(&resource.schema().ty(), request.config)?;
            validate::validate(&resource.schema().attributes, cx, &config);
            resource.validate(cx, &config)
        });
        m::Diagnosed {
            diagnostics: cx.finish().0.to_wire(),
        }
    }

    pub(crate) fn validate_data(&self, request: m::ValidateRequest) -> m::Diagnosed {
        let mut cx = self.cx(request.client_capabilities);
        run(&mut cx, |cx| {
            let source = self.data_source(&request.type_name)?;
            let config = decode(&source.schema().ty(), request.config)?;
            validate::validate(&source.schema().attributes, cx, &config);
            source.validate(cx, &config)
        });
        m::Diagnosed {
            diagnostics: cx.finish().0.to_wire(),
        }
    }

    fn data_source(&self, type_name: &str) -> Result<&dyn crate::data::AnyDataSource, Diagnostics> {
        self.provider.data_source(type_name).ok_or_else(|| {
            let text =
                format!("There is no data source {type_name:?} in this version of the provider.");
            Diagnostic::error("Unknown data source", text).into()
        })
    }

    pub(crate) fn configure(&self, request: m::ConfigureRequest) -> m::Diagnosed {
        if self.reused {
            *self.cancel.lock().unwrap_or_else(PoisonError::into_inner) = Cancel::default();
        }
        let terraform_version: Arc<str> = request.terraform_version.as_str().into();
        let mut cx = Cx::new(self.current_cancel(), None, terraform_version.clone());
        let data = run(&mut cx, |cx| {
            let config = decode(&self.provider.schema.ty(), request.config)?;
            self.provider.configure(cx, &config)
        });
        *self
            .configured
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Configured {
            data,
            terraform_version,
        };
        m::Diagnosed {
            diagnostics: cx.finish().0.to_wire(),
        }
    }

    pub(crate) fn upgrade(&self, request: m::UpgradeRequest) -> m::UpgradeResponse {
        let mut cx = self.cx(None);
        let upgraded_state = run(&mut cx, |_| {
            let resource = self.resource(&request.type_name)?;
            let raw = request.raw_state.unwrap_or_default();
            if raw.json.is_empty() {
                let text = "It is in the format of Terraform 0.11 or older.";
                return Err(Diagnostic::error("Stored state can't be read", text).into());
            }
            let value = state::upgrade(resource, request.version, &raw.json)?;
            Ok(encode(&resource.schema().ty(), &value))
        });
        m::UpgradeResponse {
            upgraded_state,
            diagnostics: cx.finish().0.to_wire(),
        }
    }

    pub(crate) fn read(&self, request: m::ReadRequest) -> m::ReadResponse {
        let mut cx = self
            .cx(request.client_capabilities)
            .with_private(request.private.clone());
        let current = request.current_state.clone();
        let new_state = run(&mut cx, |cx| {
            let resource = self.resource(&request.type_name)?;
            let ty = resource.schema().ty();
            let current = decode(&ty, request.current_state)?;
            let value = state::read(resource, cx, &current)?;
            Ok(encode(&ty, &value))
        });
        let (diagnostics, private) = cx.finish();
        m::ReadResponse {
            private: if new_state.is_some() {
                private
            } else {
                request.private
            },
            new_state: new_state.or(current),
            diagnostics: diagnostics.to_wire(),
        }
    }

    pub(crate) fn plan(&self, request: m::PlanRequest) -> m::PlanResponse {
        let mut cx = self
            .cx(request.client_capabilities)
            .with_private(request.prior_private)
            .with_planned_private(request.planned_private);
        let planned = run(&mut cx, |cx| {
            let resource = self.resource(&request.type_name)?;
            let ty = resource.schema().ty();
            let given = plan::Given {
                prior: decode(&ty, request.prior_state)?,
                proposed: decode(&ty, request.proposed_new_state)?,
                config: decode(&ty, request.config)?,
            };
            let planned = plan::plan(resource, cx, given)?;
            Ok((encode(&ty, &planned.state), planned.replace))
        });
        let (diagnostics, planned_private) = cx.finish();
        let (planned_state, replace) = planned.unzip();
        let replace = replace.unwrap_or_default();
        m::PlanResponse {
            planned_state,
            requires_replace: replace.iter().map(|path| path.to_wire()).collect(),
            planned_private,
            diagnostics: diagnostics.to_wire(),
        }
    }

    pub(crate) fn apply(&self, request: m::ApplyRequest) -> m::ApplyResponse {
        let mut cx = self.cx(None).with_private(request.planned_private.clone());
        let prior = request.prior_state.clone();
        let new_state = run(&mut cx, |cx| {
            let resource = self.resource(&request.type_name)?;
            let ty = resource.schema().ty();
            let given = apply::Given {
                prior: decode(&ty, request.prior_state)?,
                planned: decode(&ty, request.planned_state)?,
                config: decode(&ty, request.config)?,
            };
            let value = apply::apply(resource, cx, &given);
            Ok(encode(&ty, &value))
        });
        let saves = cx.saves();
        let (diagnostics, private) = cx.finish();
        m::ApplyResponse {
            // Before anything was done.
            new_state: new_state.or(prior),
            private: if diagnostics.has_error() && !saves {
                request.planned_private
            } else {
                private
            },
            diagnostics: diagnostics.to_wire(),
        }
    }

    pub(crate) fn import(&self, request: m::ImportRequest) -> m::ImportResponse {
        let mut cx = self.cx(request.client_capabilities);
        let imported = run(&mut cx, |cx| {
            let resource = self.resource(&request.type_name)?;
            if request.id.is_empty() {
                let text = "Import by identity is not supported: give the resource's id.";
                return Err(Diagnostic::error("Resource can't be imported", text).into());
            }
            let value = state::import(resource, cx, &request.id)?;
            Ok(encode(&resource.schema().ty(), &value))
        });
        let (diagnostics, private) = cx.finish();
        m::ImportResponse {
            imported_resources: imported
                .into_iter()
                .map(|state| m::ImportedResource {
                    type_name: request.type_name.clone(),
                    state: Some(state),
                    private: private.clone(),
                })
                .collect(),
            diagnostics: diagnostics.to_wire(),
        }
    }

    pub(crate) fn read_data(&self, request: m::ReadDataRequest) -> m::ReadDataResponse {
        let mut cx = self.cx(request.client_capabilities);
        let state = run(&mut cx, |cx| {
            let source = self.data_source(&request.type_name)?;
            let ty = source.schema().ty();
            let config = decode(&ty, request.config)?;
            let value = source.read(cx, &config)?;
            Ok(encode(&ty, &value))
        });
        m::ReadDataResponse {
            state,
            diagnostics: cx.finish().0.to_wire(),
        }
    }

    pub(crate) fn call(&self, request: m::CallRequest) -> m::CallResponse {
        let result =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.call_function(request)));
        let result = result.unwrap_or_else(|payload| {
            let message = panic_message(payload.as_ref());
            Err(FunctionError::new(format!(
                "the provider panicked: {message}"
            )))
        });
        match result {
            Ok(value) => m::CallResponse {
                result: Some(value),
                error: None,
            },
            Err(error) => m::CallResponse {
                result: None,
                error: Some(m::FunctionError {
                    text: error.text,
                    function_argument: error.argument.and_then(|i| i64::try_from(i).ok()),
                }),
            },
        }
    }

    fn call_function(&self, request: m::CallRequest) -> Result<m::DynamicValue, FunctionError> {
        let name = request.name.as_str();
        let function = self.provider.registry.functions.get(name).ok_or_else(|| {
            FunctionError::new(format!(
                "there is no function {name:?} in this version of the provider"
            ))
        })?;
        let mut arguments = Vec::with_capacity(request.arguments.len());
        for (i, value) in request.arguments.into_iter().enumerate() {
            let ty = function
                .argument_type(i)
                .ok_or_else(|| FunctionError::argument(i, "there are too many arguments"))?;
            let value = decode(&ty, Some(value))
                .map_err(|faults| FunctionError::argument(i, faults.to_string()))?;
            arguments.push(value);
        }
        let value = function.call(arguments)?;
        Ok(encode(&function.output_type(), &value))
    }

    pub(crate) fn identity_schemas(&self, _: m::Empty) -> m::Empty {
        // No resource has an identity of its own: the response's map is empty.
        m::Empty {}
    }

    pub(crate) fn stop(&self, _: m::Empty) -> m::StopResponse {
        self.cancel();
        m::StopResponse::default()
    }
}

fn capabilities() -> m::ServerCapabilities {
    m::ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: false,
        generate_resource_config: false,
    }
}

/// Runs a call; its error, or panic, goes to `cx`.
fn run<T>(cx: &mut Cx, f: impl FnOnce(&mut Cx) -> Result<T, Diagnostics>) -> Option<T> {
    match resource::guard(|| f(cx)) {
        Ok(value) => Some(value),
        Err(diagnostics) => {
            cx.extend(diagnostics);
            None
        }
    }
}

fn decode(ty: &Type, value: Option<m::DynamicValue>) -> Result<Value, Diagnostics> {
    const SUMMARY: &str = "Terraform sent a value that can't be read";
    let value = value.unwrap_or_default();
    if !value.msgpack.is_empty() {
        msgpack::decode(ty, &value.msgpack).diagnose(SUMMARY)
    } else if !value.json.is_empty() {
        json::decode(ty, &value.json).diagnose(SUMMARY)
    } else {
        Ok(Value::Null)
    }
}

fn encode(ty: &Type, value: &Value) -> m::DynamicValue {
    m::DynamicValue {
        msgpack: msgpack::encode(ty, value),
        json: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
