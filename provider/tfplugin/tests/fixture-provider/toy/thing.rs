//! A thing that can do everything wrong.

use std::time::Duration;

use std::collections::BTreeMap;
use tfplugin::resource::{OldState, Plan};
use tfplugin::schema::Set;
use tfplugin::value::Number;
use tfplugin::{Cx, Diagnostic, Diagnostics, Resource, Val, model, path};

use super::cloud::Cloud;

#[derive(Debug)]
pub struct Thing;

model! {
    /// A thing.
    pub struct Model {
        /// Its name; other letters' case makes no difference.
        name: String = required(),
        /// What it does.
        act: String = optional(),
        /// Text of any length.
        text: String = optional(),
        /// A number of any length.
        number: Number = optional(),
        /// Labels.
        labels: BTreeMap<String, String> = optional(),
        /// Words.
        words: Vec<String> = optional(),
        /// Words without order.
        bag: Set<String> = optional(),
        /// Parts.
        parts: BTreeMap<String, Part> = optional(),
        /// Where it is.
        place: String = optional_computed().keep(),
        /// It is made anew to grow, not to shrink.
        size: i64 = optional().range(1..=100).replace_if(|old, new| match (old, new) {
            (tfplugin::Value::Number(old), tfplugin::Value::Number(new)) => new.as_i64() > old.as_i64(),
            _ => false,
        }),
        /// Not stored.
        password: String = optional().write_only(),
        /// Says that the password has changed.
        password_version: i64 = optional(),
        /// The old name of `name`.
        title: String = optional().deprecated("Use `name`."),
        /// Its id.
        id: String = computed().keep(),
        /// Known after each change.
        revision: i64 = computed(),
    }

    /// A part.
    pub struct Part {
        /// Its size.
        size: i64 = required(),
        /// Its colour.
        colour: String = optional().default_str("red"),
        /// Given to it.
        serial: String = computed().keep(),
    }
}

fn act(model: &Model) -> &str {
    model.act.known().map_or("", String::as_str)
}

fn fill(state: &mut Model) {
    if !state.place.is_known() {
        state.place = "somewhere".into();
    }
    if let Val::Known(parts) = &mut state.parts {
        for (key, part) in parts {
            if !part.serial.is_known() {
                part.serial = format!("serial-{key}").into();
            }
        }
    }
}

impl Resource for Thing {
    type Model = Model;
    const NAME: &'static str = "thing";
    const VERSION: i64 = 2;

    fn validate(&self, cx: &mut Cx, config: &Model) -> Result<(), Diagnostics> {
        if act(config) == "panic in validate" {
            panic!("the validator fell over");
        }
        if act(config) == "three" {
            cx.error(path!("act"), "First", "1");
            cx.error(path!("name"), "Second", "2");
            return Err(Diagnostic::error("Third", "3").into());
        }
        Ok(())
    }

    fn plan(&self, cx: &mut Cx, plan: &mut Plan<Model>) -> Result<(), Diagnostics> {
        if let (Some(prior), Some(name)) = (&plan.prior, plan.config.name.known())
            && let Some(old) = prior.name.known()
        {
            if old.eq_ignore_ascii_case(name) {
                plan.planned.name = prior.name.clone();
            }
            if name == "replace me" && old != name {
                cx.require_replace(path!("name"));
            }
        }
        match act(&plan.planned) {
            "change the plan" => plan.planned.text = "mine".into(),
            "set null" => plan.planned.text = Val::Null,
            "store the password" => plan.planned.password = plan.config.password.clone(),
            _ => {}
        }
        Ok(())
    }

    fn plan_destroy(&self, cx: &mut Cx, prior: &Model) -> Result<(), Diagnostics> {
        if act(prior) == "stay" {
            return Err(Diagnostic::error("It stays", "set `act` to null first").into());
        }
        cx.warn(path!("name"), "Going away", "it will be gone");
        Ok(())
    }

    fn create(&self, cx: &mut Cx, config: &Model, state: &mut Model) -> Result<(), Diagnostics> {
        let cloud = Cloud::of(cx)?;
        if let Some(password) = config.password.known() {
            cloud.note(&format!("password of {} letters", password.len()))?;
        }
        match act(state) {
            "fail" => return Err(Diagnostic::error("Failed", "before anything was made").into()),
            "panic" => panic!("the wheels came off"),
            "fail late" => {
                state.id = cloud.register("thing", "")?.into();
                cx.save_on_error();
                return Err(Diagnostic::error("Failed late", "it exists").into());
            }
            "panic late" => {
                state.id = cloud.register("thing", "")?.into();
                cx.save_on_error();
                panic!("late");
            }
            "hang" => {
                cloud.note("hanging")?;
                let stopped = cx.cancel().wait(Duration::from_secs(60));
                cloud.note(&format!("stopped: {stopped}"))?;
                cx.cancel().check()?;
            }
            "forget" => {
                state.id = cloud.register("thing", "")?.into();
                return Ok(());
            }
            "lie" => state.text = "another".into(),
            _ => {}
        }
        state.id = cloud.register("thing", "")?.into();
        state.revision = 1.into();
        cx.set_private(b"made".to_vec());
        fill(state);
        Ok(())
    }

    fn read(&self, cx: &mut Cx, state: Model) -> Result<Option<Model>, Diagnostics> {
        if state.act.known().is_some_and(|act| act == "private") && cx.private() != b"made" {
            return Err(Diagnostic::error("No private bytes", "they were lost").into());
        }
        let there = Cloud::of(cx)?.content(state.id.require(path!("id"))?)?;
        Ok(there.map(|_| state))
    }

    fn update(
        &self,
        _: &mut Cx,
        _: &Model,
        prior: &Model,
        state: &mut Model,
    ) -> Result<(), Diagnostics> {
        if act(state) == "fail" {
            return Err(Diagnostic::error("Failed", "nothing was changed").into());
        }
        state.revision = (prior.revision.known().copied().unwrap_or(0) + 1).into();
        fill(state);
        Ok(())
    }

    fn delete(&self, cx: &mut Cx, state: &mut Model) -> Result<(), Diagnostics> {
        Cloud::of(cx)?.deregister(state.id.require(path!("id"))?)
    }

    fn upgrade(&self, version: i64, state: &mut OldState) -> Result<(), Diagnostics> {
        if version < 2
            && let Some(label) = state.remove("label")
        {
            state.insert("name".to_owned(), label);
        }
        Ok(())
    }
}
