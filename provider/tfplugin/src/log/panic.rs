//! Panics, in the form that makes Terraform show a crash report: a line that
//! starts with `panic: `, and what follows.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::Once;

static INSTALLED: Once = Once::new();

pub(super) fn install() {
    INSTALLED.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let report = report(info, &Backtrace::capture());
            // Without a reader there is nothing left to be done.
            let _ = std::io::stderr().lock().write_all(report.as_bytes());
        }));
    });
}

fn report(info: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    let message = crate::resource::panic_message(info.payload()).replace('\n', " ");
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("unnamed").to_owned();
    let mut text = format!("panic: {message}\n\nthread {name}");
    if let Some(place) = info.location() {
        text.push_str(&format!(" at {place}"));
    }
    text.push('\n');
    if backtrace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("{backtrace}\n"));
    }
    text
}
