//! A family of uploaded images, one of them current; changed in place, with an
//! id that changes.

use tfplugin::resource::Plan;
use tfplugin::{Cx, Diagnostic, Diagnostics, Resource, Val, model, path};

use super::cloud::Cloud;
use super::functions::digest;

#[derive(Debug)]
pub struct Ami;

model! {
    /// An uploaded image.
    pub struct Model {
        /// What to upload.
        image: Image = required(),
        /// Changing it uploads elsewhere.
        region: String = optional().default_str("eu").replace(),
        /// A label.
        name: String = optional(),
        /// How many old ones to keep.
        keep_previous: i64 = optional().default::<i64>(1).range(0..=9),
        /// The current one.
        id: String = computed(),
        /// The old ones.
        previous: Vec<Previous> = computed(),
        /// The first one ever; it survives updates.
        first: String = computed().keep(),
    }

    /// The image.
    pub struct Image {
        /// Its digest.
        id: String = required(),
        /// What it is made from.
        spec: String = required().write_only(),
    }

    /// An old one.
    pub struct Previous {
        /// Its id.
        id: String = computed(),
        /// Its image's.
        image: String = computed(),
    }
}

fn image_id(model: &Model) -> Option<&String> {
    model.image.known().and_then(|image| image.id.known())
}

/// The previous ones after `wanted` has become current.
fn previous(prior: &Model, wanted: &str, keep: i64) -> Vec<Previous> {
    let keep = usize::try_from(keep).unwrap_or(0);
    let mut all = prior.previous.known().cloned().unwrap_or_default();
    if image_id(prior).is_some_and(|id| id != wanted) {
        let image = image_id(prior).cloned();
        all.insert(
            0,
            Previous {
                id: prior.id.clone(),
                image: image.into(),
            },
        );
    }
    all.retain(|p| p.image.known().is_none_or(|image| image != wanted));
    all.truncate(keep);
    all
}

fn reused(prior: &Model, wanted: &str) -> Option<String> {
    if image_id(prior).is_some_and(|id| id == wanted) {
        return prior.id.known().cloned();
    }
    let previous = prior.previous.known()?;
    let found = previous
        .iter()
        .find(|p| p.image.known().is_some_and(|i| i == wanted))?;
    found.id.known().cloned()
}

impl Resource for Ami {
    type Model = Model;
    const NAME: &'static str = "ami";

    fn validate(&self, cx: &mut Cx, config: &Model) -> Result<(), Diagnostics> {
        if let Some(image) = config.image.known()
            && let (Some(id), Some(spec)) = (image.id.known(), image.spec.known())
            && digest(spec) != *id
        {
            cx.error(
                path!("image"),
                "Image doesn't match",
                "the id is not that of the spec",
            );
        }
        Ok(())
    }

    fn plan(&self, _: &mut Cx, plan: &mut Plan<Model>) -> Result<(), Diagnostics> {
        let wanted = image_id(&plan.planned).cloned();
        let Some(prior) = &plan.prior else {
            plan.planned.previous = Vec::new().into();
            return Ok(());
        };
        let keep = plan.planned.keep_previous.known();
        if let (Some(wanted), Some(keep)) = (wanted, keep) {
            plan.planned.previous = previous(prior, &wanted, *keep).into();
            if let Some(id) = reused(prior, &wanted) {
                plan.planned.id = id.into();
            }
        }
        Ok(())
    }

    fn create(&self, cx: &mut Cx, config: &Model, state: &mut Model) -> Result<(), Diagnostics> {
        let image = config.image.require(path!("image"))?;
        let spec = image.spec.require(path!("image", "spec"))?;
        let id = Cloud::of(cx)?.register("ami", &digest(spec))?;
        state.first = id.clone().into();
        state.previous = Vec::new().into();
        state.id = id.into();
        Ok(())
    }

    fn read(&self, cx: &mut Cx, mut state: Model) -> Result<Option<Model>, Diagnostics> {
        let cloud = Cloud::of(cx)?;
        let id = state.id.require(path!("id"))?.clone();
        let mut all = state.previous.known().cloned().unwrap_or_default();
        let mut there = Vec::new();
        for p in all.drain(..) {
            if cloud
                .content(p.id.known().map_or("", String::as_str))?
                .is_some()
            {
                there.push(p);
            }
        }
        match cloud.content(&id)? {
            Some(image) => {
                let image = Image {
                    id: image.into(),
                    spec: Val::Null,
                };
                state.image = image.into();
            }
            None if there.is_empty() => return Ok(None),
            None => {
                let promoted = there.remove(0);
                state.image = Image {
                    id: promoted.image,
                    spec: Val::Null,
                }
                .into();
                state.id = promoted.id;
            }
        }
        state.previous = there.into();
        if state.keep_previous.is_null() {
            state.keep_previous = 1.into();
        }
        if state.region.is_null() {
            state.region = "eu".into();
        }
        if state.first.is_null() {
            state.first = state.id.clone();
        }
        Ok(Some(state))
    }

    fn update(
        &self,
        cx: &mut Cx,
        config: &Model,
        prior: &Model,
        state: &mut Model,
    ) -> Result<(), Diagnostics> {
        let cloud = Cloud::of(cx)?;
        let wanted = image_id(state).cloned().unwrap_or_default();
        if state.name.known().is_some_and(|name| name == "fail") {
            return Err(Diagnostic::error("Upload failed", "the name is `fail`").into());
        }
        let id = match reused(prior, &wanted) {
            Some(id) => id,
            None => {
                let image = config.image.require(path!("image"))?;
                cloud.register("ami", &digest(image.spec.require(path!("image", "spec"))?))?
            }
        };
        let keep = state.keep_previous.known().copied().unwrap_or(1);
        let kept = previous(prior, &wanted, keep);
        let before = prior.previous.known().cloned().unwrap_or_default();
        let mut gone: Vec<Val<String>> = before.into_iter().map(|p| p.id).collect();
        gone.push(prior.id.clone());
        for old in gone {
            if old.known() != Some(&id) && !kept.iter().any(|p| p.id == old) {
                cloud.deregister(old.known().map_or("", String::as_str))?;
            }
        }
        state.id = id.into();
        state.previous = kept.into();
        Ok(())
    }

    fn delete(&self, cx: &mut Cx, state: &mut Model) -> Result<(), Diagnostics> {
        let cloud = Cloud::of(cx)?;
        let previous = state.previous.known().cloned().unwrap_or_default();
        for id in previous.iter().map(|p| &p.id).chain([&state.id]) {
            cloud.deregister(id.known().map_or("", String::as_str))?;
        }
        Ok(())
    }

    fn import(&self, cx: &mut Cx, id: &str) -> Result<Model, Diagnostics> {
        let _ = Cloud::of(cx)?;
        Ok(Model {
            id: id.into(),
            ..Model::default()
        })
    }
}
