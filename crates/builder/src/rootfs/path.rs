//! Paths that others wrote: made relative and clean, never leaving the root.

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Would leave the root, or may.
    #[error("it holds `..`")]
    DotDot,
    /// No path at all for the kernel.
    #[error("it holds a NUL")]
    Nul,
}

/// Without leading, doubled or trailing slashes and without `.`; empty for the root itself.
pub(super) fn clean(path: &[u8]) -> Result<Vec<u8>, PathError> {
    if path.contains(&0) {
        return Err(PathError::Nul);
    }
    let mut clean = Vec::with_capacity(path.len());
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(PathError::DotDot),
            part => {
                if !clean.is_empty() {
                    clean.push(b'/');
                }
                clean.extend_from_slice(part);
            }
        }
    }
    Ok(clean)
}

/// The directories above a clean path, from the top, without the root.
pub(super) fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.filter_map(|(index, _)| path.get(..index))
}

/// `base/rest`, either of which may be empty.
pub(super) fn join(base: &[u8], rest: &[u8]) -> Vec<u8> {
    match (base, rest) {
        (b"", _) => rest.to_vec(),
        (_, b"") => base.to_vec(),
        _ => [base, b"/", rest].concat(),
    }
}

/// For messages.
pub(super) fn show(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaned() {
        assert_eq!(clean(b"/a//b/./c/"), Ok(b"a/b/c".to_vec()));
        assert_eq!(clean(b"./"), Ok(Vec::new()));
        assert_eq!(clean(b"a/..b/..."), Ok(b"a/..b/...".to_vec()));
        assert_eq!(clean(b"a/../b"), Err(PathError::DotDot));
        assert_eq!(clean(b"a\0"), Err(PathError::Nul));
    }

    #[test]
    fn parents_from_the_top() {
        let all: Vec<_> = parents(b"a/bc/d").collect();
        assert_eq!(all, [b"a".as_slice(), b"a/bc"]);
        assert_eq!(parents(b"a").count(), 0);
        assert_eq!(parents(b"").count(), 0);
    }
}
