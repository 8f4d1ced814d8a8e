//! The end of the road: process 1 must not end, since the kernel would panic and say only that.

use std::time::Duration;

use crate::console::{self, say};
use crate::reaper::Reaper;
use crate::shutdown;
use crate::signals::{self, Request};

/// Makes every panic known on all consoles.
pub(crate) fn watch_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map(|place| format!("{}:{}", place.file(), place.line()))
            .unwrap_or_default();
        let text = info.payload_as_str().unwrap_or("no message");
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("main");
        // Not through the console lock if this very thread holds it: a thread of its own waits.
        let message = format!("nodeimage: bug in init ({thread}, {place}): {text}");
        let told = std::thread::Builder::new()
            .spawn(move || say!("{message}; please report it"))
            .is_ok();
        if cfg!(panic = "abort") {
            // Ending here would take the machine with it.
            loop {
                std::thread::sleep(Duration::from_secs(if told { 3600 } else { 60 }));
            }
        }
    }));
}

/// Keeps collecting processes and obeys requests to stop the machine; for when the boot cannot
/// go on at all.
pub(crate) fn stay(reason: &str) -> ! {
    say!("nodeimage: init cannot go on: {reason}");
    say!(
        "nodeimage: the machine stays as it is; ctrl-alt-del or a signal to process 1 restarts it"
    );
    let _ = signals::block();
    let reaper = Reaper::default();
    loop {
        match signals::wait(Duration::from_secs(10)) {
            Some(Request::Shutdown(goal)) => {
                console::flush(Duration::from_secs(1));
                shutdown::stop_kernel(goal);
            }
            Some(Request::Reap) | None => reaper.reap(),
        }
    }
}
