//! Backing files: read only when the caller has named them.

use std::path::Path;

use super::NAME;
use crate::{Disk, FormatError, Input, OpenOptions, open};

/// Most files behind one another. A loop ends here too.
const MAX_DEPTH: usize = 16;

/// Opens the backing file that `input` names.
pub(super) fn open_backing(
    input: &Input,
    name: &str,
    format: Option<&str>,
    options: &OpenOptions,
) -> Result<Box<dyn Disk + Send>, FormatError> {
    let refused = |what: String| FormatError::Unsupported { format: NAME, what };
    if options.depth >= MAX_DEPTH {
        let what = format!("more than {MAX_DEPTH} backing files follow one another, or in a loop");
        return Err(refused(what));
    }
    let folder = input.path().parent().unwrap_or(Path::new(""));
    // A name that leads elsewhere is looked up, and then is none of those that are allowed.
    let named = folder.join(name).canonicalize().ok();
    let allowed = options.backing.iter().find(|allowed| {
        let allowed = allowed.canonicalize().ok();
        allowed.is_some() && allowed == named
    });
    let Some(path) = allowed else {
        let what = format!(
            "{} has the backing file {name:?}, which was not allowed; name it as a backing file, \
             or join them with `qemu-img convert`",
            input.path().display()
        );
        return Err(refused(what));
    };
    let format = format.map(|format| match format {
        // What QEMU calls it.
        "vpc" => "vhd".to_owned(),
        other => other.to_owned(),
    });
    let options = OpenOptions {
        format,
        backing: options.backing.clone(),
        depth: options.depth + 1,
    };
    Ok(open(path, &options)?.disk)
}
