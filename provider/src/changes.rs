//! What a plan says of an image whose content changes: a warning, never a planned value, so it may
//! use what this machine happens to have. The references are told in any case.

use nodeimage_builder::diff::{self, Compare, Detail, Diff, Effort, Side};
use nodeimage_spec::LockedSpec;
use tfplugin::{Cx, path};

use crate::workshop::Workshop;

const SUMMARY: &str = "The content of the image changes";

/// Bytes of compressed layers that a plan looks into: about a second.
const PLAN: Effort = Effort {
    layer_bytes: 512 << 20,
    disks: false,
};

/// Warns of what differs, if anything does.
pub(crate) fn warn(cx: &mut Cx, from: &LockedSpec, to: &LockedSpec) {
    if from == to {
        return;
    }
    let (from, to) = (Side::from(from.clone()), Side::from(to.clone()));
    let stored = cx.provider::<Workshop>().ok().and_then(Workshop::stored);
    let diff = match stored {
        Some(compare) => compare.compare((Some(&from), None), (Some(&to), None), PLAN),
        None => Diff::of_specs(&from, &to),
    };
    cx.warn(path!("config"), SUMMARY, diff::text(&diff, Detail::PLAN));
}

impl Workshop {
    /// Compares by what the store has. Where there is no store none is made.
    fn stored(&self) -> Option<Compare> {
        let settings = self.settings().ok()?;
        if !settings.store.is_dir() {
            return None;
        }
        let builder = self.builder().ok()?;
        let (store, threads) = (builder.images().store(), builder.threads());
        Some(Compare::stored(store, settings.config.limits, threads))
    }
}
