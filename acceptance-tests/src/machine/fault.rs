//! What on a console means that waiting on is useless.

/// One of the emulator's processors has stopped: a race of QEMU 7.2's threads that meets about one
/// boot in fifty on a loaded machine, and no fault of what is booted.
pub(super) const STALL: &str = "rcu_preempt detected stalls";

/// The kernel goes on with half an initrd after the first; a firmware that
/// found nothing to boot sits in its shell for ever after the second.
const FAULTS: [&str; 4] = [
    "Initramfs unpacking failed",
    "Shell>",
    "Kernel panic",
    STALL,
];

/// Finds faults in a stream that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Watch {
    searched: usize,
}

impl Watch {
    /// Looks at what is new in `all`, the whole stream so far.
    pub(super) fn look(&mut self, all: &[u8]) -> Option<&'static str> {
        let longest = FAULTS.iter().map(|fault| fault.len()).max().unwrap_or(0);
        let from = self.searched.saturating_sub(longest);
        self.searched = all.len();
        FAULTS
            .into_iter()
            .find(|fault| find(&all[from..], fault.as_bytes()).is_some())
    }
}

/// The first place of `needle`.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_cut_in_two_is_found_once_it_is_whole() {
        let text = b"[1.0] Kernel panic - not syncing";
        for cut in 0..text.len() {
            let mut watch = Watch::default();
            let first = watch.look(&text[..cut]);
            assert_eq!(first.is_some(), cut >= 18, "{cut}");
            assert!(first.or(watch.look(text)).is_some(), "{cut}");
        }
    }

    #[test]
    fn ordinary_text_is_no_fault() {
        let mut watch = Watch::default();
        assert_eq!(
            watch.look(b"Unpacking initramfs... a Shell is no fault"),
            None
        );
        assert_eq!(find(b"abc", b""), Some(0));
        assert_eq!(find(b"", b"x"), None);
    }
}
