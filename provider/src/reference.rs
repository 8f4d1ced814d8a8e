//! `image = nodeimage_image.node`: how other resources take an image.

use nodeimage_spec::LockedSpec;
use tfplugin::{Diagnostic, Diagnostics, Path, Val, model};

model! {
    /// An image: give the whole `nodeimage_image` resource. To choose between A and B whose
    /// `config` has not the same type, give `{ id = C ? A.id : B.id, spec = C ? A.spec : B.spec }`:
    /// both sides of a condition must be of one type.
    pub struct ImageReference {
        /// The image id.
        id: String = required(),
        /// The locked spec; it is never stored here.
        spec: String = required().write_only(),
    }
}

impl ImageReference {
    /// Checks what is known: the id is the spec's.
    pub(crate) fn validate(&self, at: &Path) -> Result<(), Diagnostics> {
        let (Val::Known(id), Val::Known(spec)) = (&self.id, &self.spec) else {
            return Ok(());
        };
        let locked = parse(spec, at)?;
        if locked.id() == *id {
            return Ok(());
        }
        let text = format!(
            "The locked spec's id is {}, but the image's is {id}. Give the whole resource: \
             image = nodeimage_image.NAME",
            locked.id()
        );
        Err(Diagnostic::error("Image id and locked spec differ", text)
            .at(at.clone())
            .into())
    }

    /// The locked spec, where something is to be built.
    pub(crate) fn locked(&self, at: &Path) -> Result<LockedSpec, Diagnostics> {
        let Val::Known(spec) = &self.spec else {
            let text = "The image has to be built, and that needs its locked spec. Give the whole \
                        resource: image = nodeimage_image.NAME";
            return Err(Diagnostic::error("No locked spec", text)
                .at(at.clone())
                .into());
        };
        parse(spec, at)
    }
}

fn parse(spec: &str, at: &Path) -> Result<LockedSpec, Diagnostics> {
    LockedSpec::parse(spec).map_err(|error| {
        Diagnostic::error("Invalid locked spec", error.to_string())
            .at(at.clone())
            .into()
    })
}
