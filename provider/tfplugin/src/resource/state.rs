//! States that come from elsewhere: read, imported, or written by an older
//! version of the provider.

use super::AnyResource;
use super::attributes::{null_unknown, null_write_only};
use crate::cx::Cx;
use crate::diag::{Diagnose, Diagnostic, Diagnostics, Path};
use crate::value::{Value, json};

/// Reads the resource; null if it is gone.
pub(crate) fn read(
    resource: &dyn AnyResource,
    cx: &mut Cx,
    state: &Value,
) -> Result<Value, Diagnostics> {
    let mut state = resource.read(cx, state)?;
    null_write_only(&resource.schema().attributes, &mut state);
    match null_unknown(&Path::root(), &mut state).first() {
        None => Ok(state),
        Some(path) => {
            let text = format!(
                "The provider read {path} as unknown. Please report this as a bug in the provider."
            );
            Err(Diagnostic::error("Bug in the provider", text)
                .at(path.clone())
                .into())
        }
    }
}

/// The stub that Terraform reads next.
pub(crate) fn import(
    resource: &dyn AnyResource,
    cx: &mut Cx,
    id: &str,
) -> Result<Value, Diagnostics> {
    let mut state = resource.import(cx, id)?;
    null_write_only(&resource.schema().attributes, &mut state);
    null_unknown(&Path::root(), &mut state);
    Ok(state)
}

/// A stored state as one of today's schema.
pub(crate) fn upgrade(
    resource: &dyn AnyResource,
    version: i64,
    text: &[u8],
) -> Result<Value, Diagnostics> {
    const SUMMARY: &str = "Stored state can't be read";
    let schema = resource.schema();
    if version > schema.version {
        let text = format!(
            "It has version {version}, this provider knows versions up to {}. A newer version of \
             the provider wrote it: use that one.",
            schema.version
        );
        return Err(Diagnostic::error(SUMMARY, text).into());
    }
    let decoded = if version < schema.version {
        let mut old = json::fields(text).diagnose(SUMMARY)?;
        resource.upgrade(version, &mut old)?;
        let text = serde_json::to_vec(&old).diagnose(SUMMARY)?;
        json::decode(&schema.ty(), &text)
    } else {
        json::decode(&schema.ty(), text)
    };
    let mut state = decoded.diagnose(SUMMARY)?;
    null_write_only(&schema.attributes, &mut state);
    Ok(state)
}
