//! Giving a module to the kernel.

use std::ffi::CString;
use std::fs::File;
use std::path::Path;

use rustix::io::Errno;
use rustix::system::finit_module;

use crate::error::{Doing, Error, Result};

/// MODULE_INIT_COMPRESSED_FILE: the kernel decompresses.
const COMPRESSED: i32 = 4;

/// Loads one file; loaded already, or without a device to drive, is as good.
pub(super) fn insert(path: &Path, name: &str, parameters: &str) -> Result<()> {
    let what = || format!("load the kernel module {name}");
    let file = File::open(path).doing(what)?;
    let text = CString::new(parameters)
        .map_err(std::io::Error::from)
        .doing(what)?;
    let compressed = is_compressed(path);
    let flags = if compressed { COMPRESSED } else { 0 };
    match finit_module(&file, &text, flags) {
        Ok(()) | Err(Errno::EXIST | Errno::NODEV) => Ok(()),
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOEXEC) if compressed => Err(Error::invalid(
            path.display().to_string(),
            "this kernel cannot decompress modules (CONFIG_MODULE_DECOMPRESS, and the same \
             method); ship uncompressed modules in kernel.tar",
        )),
        Err(error) => Err(error).doing(|| {
            if parameters.is_empty() {
                what()
            } else {
                format!("{} with {parameters}", what())
            }
        }),
    }
}

fn is_compressed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end == "zst" || end == "xz" || end == "gz")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_by_name() {
        assert!(is_compressed(Path::new("/a/b.ko.zst")));
        assert!(!is_compressed(Path::new("/a/b.ko")));
    }
}
