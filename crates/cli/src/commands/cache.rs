//! `nodeimage cache`

use anyhow::anyhow;
use nodeimage_builder::quantity::bytes;
use nodeimage_images::store::{Store, StoreLimits};
use serde_json::json;

use crate::args::{Cache, Global};
use crate::error::Failure;
use crate::input::settings;
use crate::output::Output;

pub(crate) fn run(global: &Global, args: &Cache, output: Output) -> Result<(), Failure> {
    let settings = settings(global, None)?;
    if let Cache::Dir = args {
        let dir = settings.store.display().to_string();
        return Ok(output.result("cache-dir", &dir, json!({ "path": settings.store }))?);
    }
    let store = Store::open(&settings.store, settings.limits)?;
    match args {
        Cache::Dir => {}
        Cache::Show => show(&store, output)?,
        Cache::Verify => verify(&store, output)?,
        Cache::Prune { to } => {
            let limit = parse_size(to)?;
            drop(store);
            let limits = StoreLimits { bytes: Some(limit) };
            let store = Store::open(&settings.store, limits)?;
            let removed = store.prune(limit)?;
            let text = format!("removed {}", bytes(removed));
            output.result("cache-pruned", &text, json!({ "removed": removed }))?;
        }
    }
    Ok(())
}

fn show(store: &Store, output: Output) -> Result<(), Failure> {
    let stats = store.stats()?;
    let mut text = store.root().display().to_string();
    for bucket in &stats.buckets {
        let entries = bucket.entries;
        text.push_str(&format!(
            "\n{:<14} {entries:>7} {:>12}",
            bucket.name,
            bytes(bucket.bytes)
        ));
    }
    let limit = stats.limit.map_or("no limit".to_owned(), bytes);
    text.push_str(&format!(
        "\n{:<14} {:>20} of {limit}",
        "all",
        bytes(stats.bytes)
    ));
    let buckets: Vec<_> = stats
        .buckets
        .iter()
        .map(|b| json!({ "name": b.name, "entries": b.entries, "bytes": b.bytes }))
        .collect();
    let fields = json!({
        "path": store.root(), "buckets": buckets, "bytes": stats.bytes, "limit": stats.limit,
    });
    Ok(output.result("cache", &text, fields)?)
}

fn verify(store: &Store, output: Output) -> Result<(), Failure> {
    let verified = store.verify(|_| {})?;
    let mut text = format!(
        "{} entries, {} read",
        verified.entries,
        bytes(verified.bytes)
    );
    for path in &verified.removed {
        text.push_str(&format!("\nremoved, damaged: {}", path.display()));
    }
    let fields = json!({
        "entries": verified.entries, "bytes": verified.bytes, "removed": verified.removed,
    });
    Ok(output.result("cache-verified", &text, fields)?)
}

fn parse_size(text: &str) -> Result<u64, Failure> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: Option<u64> = match &text[digits.len()..] {
        "" => Some(1),
        "K" | "k" => Some(1 << 10),
        "M" | "m" => Some(1 << 20),
        "G" | "g" => Some(1 << 30),
        _ => None,
    };
    let size = unit.and_then(|unit| digits.parse::<u64>().ok()?.checked_mul(unit));
    size.ok_or_else(|| anyhow!("--to {text:?}: give bytes, or K, M, G, such as 10G").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("0").unwrap(), 0);
        assert_eq!(parse_size("10G").unwrap(), 10 << 30);
        for text in ["", "G", "1X", "-1"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
