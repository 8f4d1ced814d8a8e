//! `tracing` events as the JSON lines that Terraform reads from a plugin's
//! standard error (the format of HashiCorp's hclog).
//!
//! Everything at debug and above is sent, and trace if Terraform asked for it:
//! Terraform filters by TF_LOG and TF_LOG_PROVIDER.

mod line;
mod panic;

use std::io::Write;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use line::Record;

/// Libraries below us log every frame.
const NOISY: [&str; 6] = ["h2", "hyper", "hyper_util", "rustls", "tonic", "tower"];

/// Sends events and panics to Terraform from now on. Does nothing the second
/// time.
pub fn init() {
    panic::install();
    let asked = |name| std::env::var(name).unwrap_or_default().to_ascii_uppercase();
    let level = level(&asked("TF_LOG"), &asked("TF_LOG_PROVIDER"));
    let mut targets = Targets::new().with_default(level);
    for target in NOISY {
        targets = targets.with_target(target, LevelFilter::WARN.min(level));
    }
    let layer = Hclog.with_filter(targets.and(filter_fn(|metadata| metadata.is_event())));
    // An error means that the process has another subscriber already.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

/// The finest level that Terraform can want.
fn level(tf_log: &str, tf_log_provider: &str) -> LevelFilter {
    let asked = if tf_log_provider.is_empty() {
        tf_log
    } else {
        tf_log_provider
    };
    match asked {
        "TRACE" | "JSON" => LevelFilter::TRACE,
        _ => LevelFilter::DEBUG,
    }
}

struct Hclog;

impl<S: Subscriber> Layer<S> for Hclog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let record = Record {
            level: metadata.level(),
            module: metadata.target(),
            message: &fields.message,
            fields: &fields.others,
        };
        let lines = record.lines(std::time::SystemTime::now());
        // One write, so that lines of several threads don't mix. Without a
        // reader there is nothing left to be done.
        let _ = std::io::stderr().lock().write_all(lines.as_bytes());
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.others.push((field.name(), value));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finest_level_wanted() {
        assert_eq!(level("", ""), LevelFilter::DEBUG);
        assert_eq!(level("ERROR", ""), LevelFilter::DEBUG);
        assert_eq!(level("TRACE", ""), LevelFilter::TRACE);
        assert_eq!(level("ERROR", "JSON"), LevelFilter::TRACE);
        assert_eq!(level("TRACE", "INFO"), LevelFilter::DEBUG);
    }
}
