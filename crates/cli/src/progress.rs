//! Progress: bars on a terminal, a line per item elsewhere, events in JSON.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nodeimage_images::{Event, Progress};
use serde_json::json;

use crate::output::Output;

/// Shows what the builder does, and tells it to stop once the flag is raised.
#[derive(Debug)]
pub(crate) struct Show {
    how: How,
    stop: Arc<AtomicBool>,
}

#[derive(Debug)]
enum How {
    Bars {
        all: MultiProgress,
        bars: Mutex<BTreeMap<String, ProgressBar>>,
    },
    Lines(Output),
    Nothing,
}

impl Show {
    pub(crate) fn new(output: Output, stop: Arc<AtomicBool>) -> Self {
        let how = if output.json {
            How::Lines(output)
        } else if output.quiet {
            How::Nothing
        } else if std::io::stderr().is_terminal() {
            How::Bars {
                all: MultiProgress::new(),
                bars: Mutex::default(),
            }
        } else {
            How::Lines(output)
        };
        Self { how, stop }
    }

    /// Takes the bars away, so that the result stands alone.
    pub(crate) fn clear(&self) {
        if let How::Bars { all, bars } = &self.how {
            for bar in bars.lock().unwrap_or_else(PoisonError::into_inner).values() {
                bar.finish_and_clear();
            }
            // A terminal that is gone needs no clearing.
            let _ = all.clear();
        }
    }

    fn bar(all: &MultiProgress, item: &str, total: Option<u64>) -> ProgressBar {
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{wide_msg} {bytes:>10} of {total_bytes:>10} {bytes_per_sec:>12} {bar:24}",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{spinner} {wide_msg} {bytes:>10}",
            ),
        };
        let bar = all.add(bar);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(item.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

impl Drop for Show {
    /// Whatever is printed next stands alone, an error too.
    fn drop(&mut self) {
        self.clear();
    }
}

impl Progress for Show {
    fn event(&self, event: Event<'_>) {
        match &self.how {
            How::Nothing => {}
            How::Bars { all, bars } => {
                let mut bars = bars.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Event::Started { item, bytes } => {
                        bars.insert(item.to_owned(), Self::bar(all, item, bytes));
                    }
                    Event::Bytes { item, fetched, .. } => {
                        if let Some(bar) = bars.get(item) {
                            bar.inc(fetched);
                        }
                    }
                    Event::Waiting { item } => {
                        let text = format!("{item}: waiting for another nodeimage");
                        bars.insert(item.to_owned(), Self::bar(all, &text, None));
                    }
                    Event::Finished { item } => {
                        if let Some(bar) = bars.remove(item) {
                            bar.finish_and_clear();
                        }
                    }
                }
            }
            How::Lines(output) => {
                let (event, text, fields) = match event {
                    Event::Started { item, bytes } => (
                        "started",
                        item.to_owned(),
                        json!({ "item": item, "bytes": bytes }),
                    ),
                    Event::Waiting { item } => {
                        let text = format!("{item}: waiting for another nodeimage");
                        ("waiting", text, json!({ "item": item }))
                    }
                    Event::Finished { item } if output.json => {
                        ("finished", String::new(), json!({ "item": item }))
                    }
                    Event::Finished { .. } | Event::Bytes { .. } => return,
                };
                // A reader that is gone is noticed when the result is written.
                let _ = output.note(event, &text, fields);
            }
        }
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
