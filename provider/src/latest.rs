//! `data nodeimage_latest`

use std::collections::BTreeSet;

use nodeimage_builder::locking::{self, Wanted};
use nodeimage_spec::Architecture;
use tfplugin::{Cx, DataSource, Diagnostic, Diagnostics, Dynamic, Val, model, path};

use crate::documents::Documents;
use crate::workshop::Workshop;

model! {
    /// What every reference of a LinuxKit YAML stands for today, as a lock. It asks registries
    /// whenever Terraform plans, so every plan may change the image: for production write a lock
    /// with `nodeimage lock` instead.
    pub struct LatestModel {
        /// LinuxKit YAML: one text, or a list of texts that are merged in order.
        config: Dynamic = required(),
        /// The machines the lock must serve. Default: `["amd64"]`.
        architectures: Vec<String> = optional(),
        /// The lock, for `nodeimage_image`.
        lock: String = computed(),
    }
}

/// The data source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latest;

impl DataSource for Latest {
    type Model = LatestModel;
    const NAME: &'static str = "latest";

    fn validate(&self, _: &mut Cx, config: &LatestModel) -> Result<(), Diagnostics> {
        if let Some(documents) = Documents::read(&config.config)? {
            documents.parse()?;
        }
        architectures(config).map(drop)
    }

    fn read(&self, cx: &mut Cx, state: &mut LatestModel) -> Result<(), Diagnostics> {
        let documents = Documents::read(&state.config)?.ok_or_else(|| {
            Diagnostic::error("Missing value", "config is not known.").at(path!("config"))
        })?;
        let parsed = documents.parse()?;
        let architectures = architectures(state)?;
        let workshop = cx.provider::<Workshop>()?;
        let builder = workshop.builder()?;
        let wanted = Wanted {
            spec: &parsed.spec,
            architectures: &architectures,
            keep: None,
            update: &BTreeSet::new(),
            threads: builder.threads(),
        };
        let lock = locking::lock(builder.images(), &wanted)
            .map_err(|error| workshop.unresolved(&error))?;
        state.lock = lock.to_string().into();
        Ok(())
    }
}

fn architectures(config: &LatestModel) -> Result<Vec<Architecture>, Diagnostics> {
    let Val::Known(names) = &config.architectures else {
        return Ok(vec![Architecture::Amd64]);
    };
    let mut found = Diagnostics::new();
    if names.is_empty() {
        let text = "Name at least one, or leave the attribute out for `amd64`.";
        found.push(Diagnostic::error("No architecture", text).at(path!("architectures")));
    }
    let mut architectures = Vec::new();
    for (at, name) in names.iter().enumerate() {
        match name.parse() {
            Ok(architecture) => architectures.push(architecture),
            Err(error) => {
                let at = path!("architectures").index(at);
                found.push(Diagnostic::error("Unknown architecture", error).at(at));
            }
        }
    }
    found.into_result()?;
    Ok(architectures)
}
