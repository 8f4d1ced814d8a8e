//! A pure function of its configuration: one text or a list of texts.

use tfplugin::resource::Plan;
use tfplugin::{Cx, Diagnostic, Diagnostics, Dynamic, Resource, Value, model, path};

use super::functions::digest;

#[derive(Debug)]
pub struct Image;

model! {
    /// An image.
    pub struct Model {
        /// One text or a list of texts.
        config: Dynamic = required(),
        /// Changing it resolves `unpinned` anew.
        relock: String = optional(),
        /// The digest of `spec`.
        id: String = computed(),
        /// Everything that makes the image.
        spec: String = computed().sensitive(),
        /// Known after apply whenever `id` changes.
        size: i64 = computed(),
    }
}

fn texts(cx: &mut Cx, config: &Dynamic) -> Option<String> {
    let mut parts = Vec::new();
    match (&config.value, config.elements()) {
        (Value::String(text), _) => parts.push(text.clone()),
        (_, Some(items)) => {
            let mut known = true;
            for (i, item) in items.iter().enumerate() {
                match item {
                    Value::String(text) if text.contains("syntax error") => {
                        cx.error(
                            path!("config", i),
                            "Bad document",
                            "there is a syntax error",
                        );
                    }
                    Value::String(text) => parts.push(text.clone()),
                    item if item.is_unknown() => known = false,
                    item => {
                        let text = format!("a document is a string, not {}", item.kind());
                        cx.error(path!("config", i), "Not a document", text);
                    }
                }
            }
            if !known {
                return None;
            }
        }
        (other, None) => {
            let text = format!(
                "config is a string or a list of strings, not {}",
                other.kind()
            );
            cx.error(path!("config"), "Not a configuration", text);
            return None;
        }
    }
    let lines = parts.iter().flat_map(|part| part.lines());
    let kept: Vec<&str> = lines.filter(|line| !line.starts_with('#')).collect();
    Some(kept.join("\n"))
}

impl Resource for Image {
    type Model = Model;
    const NAME: &'static str = "image";

    fn validate(&self, cx: &mut Cx, config: &Model) -> Result<(), Diagnostics> {
        if let Some(config) = config.config.known() {
            texts(cx, config);
        }
        Ok(())
    }

    fn plan(&self, cx: &mut Cx, plan: &mut Plan<Model>) -> Result<(), Diagnostics> {
        let spec = plan
            .config
            .config
            .known()
            .and_then(|config| texts(cx, config));
        let prior = plan.prior.as_ref();
        match spec {
            Some(spec) if !spec.contains("unpinned") => {
                let id = digest(&spec);
                if prior.is_some_and(|prior| prior.id.known() == Some(&id)) {
                    plan.planned.size = prior.map(|p| p.size.clone()).unwrap_or_default();
                }
                plan.planned.id = id.into();
                plan.planned.spec = spec.into();
            }
            Some(_)
                if prior.is_some_and(|p| {
                    p.config == plan.planned.config && p.relock == plan.planned.relock
                }) => {}
            Some(_) => {
                let text = "`unpinned` is resolved when this is applied";
                cx.warn(path!("config"), "Unpinned references", text);
            }
            None => {}
        }
        Ok(())
    }

    fn create(&self, cx: &mut Cx, config: &Model, state: &mut Model) -> Result<(), Diagnostics> {
        let config = config.config.require(path!("config"))?;
        let Some(spec) = texts(cx, config) else {
            return Err(Diagnostic::error("not known", "config is unknown").into());
        };
        let spec = spec.replace("unpinned", "pinned");
        state.id = digest(&spec).into();
        state.size = i64::try_from(spec.len()).unwrap_or(0).into();
        state.spec = spec.into();
        Ok(())
    }

    fn read(&self, _: &mut Cx, state: Model) -> Result<Option<Model>, Diagnostics> {
        Ok(Some(state))
    }

    fn update(
        &self,
        cx: &mut Cx,
        config: &Model,
        _: &Model,
        state: &mut Model,
    ) -> Result<(), Diagnostics> {
        self.create(cx, config, state)
    }

    fn delete(&self, _: &mut Cx, _: &mut Model) -> Result<(), Diagnostics> {
        Ok(())
    }
}
