//! Ctrl-C: the first asks for a tidy end, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::Failure;

/// Runs what stops once its flag is raised. However it fails then, it was stopped: the cause may come
/// wrapped by whoever was at work.
pub(crate) fn stoppable(
    run: impl FnOnce(&Arc<AtomicBool>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let stop = flag()?;
    run(&stop).map_err(|failure| match stop.load(Ordering::Relaxed) {
        true => Failure::Interrupted,
        false => failure,
    })
}

/// A flag that the first SIGINT or SIGTERM raises.
fn flag() -> std::io::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the shutdown looks at the flag before it is raised.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))?;
        flag::register(signal, Arc::clone(&asked))?;
    }
    Ok(asked)
}
