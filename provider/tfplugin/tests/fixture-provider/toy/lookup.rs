//! Looks up what a cloud holds.

use tfplugin::{Cx, DataSource, Diagnostic, Diagnostics, model, path};

use super::cloud::Cloud;

#[derive(Debug)]
pub struct Lookup;

model! {
    /// What the cloud holds under a name.
    pub struct Model {
        /// The name.
        name: String = required(),
        /// What stands for nothing.
        missing: String = optional().default_str("nothing"),
        /// What is there.
        content: String = computed(),
    }
}

impl DataSource for Lookup {
    type Model = Model;
    const NAME: &'static str = "lookup";

    fn read(&self, cx: &mut Cx, state: &mut Model) -> Result<(), Diagnostics> {
        let name = state.name.require(path!("name"))?;
        if name == "panic" {
            panic!("looked too hard");
        }
        if name == "error" {
            return Err(Diagnostic::error("Not found", "there is no `error`")
                .at(path!("name"))
                .into());
        }
        let content = Cloud::of(cx)?.content(name)?;
        state.content = content.map_or_else(|| state.missing.clone(), Into::into);
        Ok(())
    }
}
