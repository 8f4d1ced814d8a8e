//! `nodeimage lock`

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, anyhow};
use nodeimage_builder::locking::{self, Wanted};
use nodeimage_formats::Aside;
use nodeimage_images::Progress;
use nodeimage_spec::{Architecture, Lock, LockStatus, Stale, references};
use serde_json::json;

use crate::args::{self, Global};
use crate::error::Failure;
use crate::input::{Input, settings};
use crate::output::Output;
use crate::progress::Show;

pub(crate) fn run(
    global: &Global,
    args: &args::Lock,
    output: Output,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    // A lock that is to be written need not be there.
    let mut spec = args::Spec {
        files: args.spec.files.clone(),
        lock: None,
    };
    if let Some(lock) = args
        .spec
        .lock
        .as_ref()
        .filter(|lock| args.check || lock.is_file())
    {
        spec.lock = Some(lock.clone());
    }
    let input = Input::read(&spec)?;
    let path = args
        .spec
        .lock
        .clone()
        .unwrap_or_else(|| input.lock_path.clone());
    let architectures = architectures(args, input.lock.as_ref());
    let names: BTreeSet<String> = architectures
        .iter()
        .flat_map(|arch| references(&input.parsed.spec, *arch))
        .collect();
    if args.check {
        return check(&input, &architectures, &path, output);
    }
    let update = updates(args, &names)?;
    let show = Arc::new(Show::new(output, Arc::clone(stop)));
    let progress: Arc<dyn Progress> = Arc::clone(&show) as _;
    let builder = settings(global, Some(&input.dir))?.builder(Some(progress), stop)?;
    let wanted = Wanted {
        spec: &input.parsed.spec,
        architectures: &architectures,
        keep: input.lock.as_ref(),
        update: &update,
        threads: builder.threads(),
    };
    let mut lock = locking::lock(&builder.images().for_lock(), &wanted)?;
    // The text follows from what is asked for, not from what was asked for before.
    lock.restrict(&architectures);
    show.clear();
    let changes = changes(input.lock.as_ref(), &lock);
    write(&path, &lock.to_string())?;
    let served: Vec<&str> = architectures.iter().map(|it| it.name()).collect();
    let mut text = format!(
        "{}: {} references for {}",
        path.display(),
        names.len(),
        served.join(", ")
    );
    for (name, from, to) in &changes {
        let from = from.as_deref().unwrap_or("new");
        let to = to.as_deref().unwrap_or("gone");
        text.push_str(&format!("\n  {name}\n    {from} -> {to}"));
    }
    let moved: Vec<_> = changes
        .iter()
        .map(|(name, from, to)| json!({ "reference": name, "from": from, "to": to }))
        .collect();
    let fields = json!({ "path": path, "architectures": served, "changes": moved });
    Ok(output.result("locked", &text, fields)?)
}

fn updates(args: &args::Lock, names: &BTreeSet<String>) -> Result<BTreeSet<String>, Failure> {
    let Some(asked) = &args.update else {
        return Ok(BTreeSet::new());
    };
    if asked.iter().any(String::is_empty) {
        return Ok(names.clone());
    }
    let mut update = BTreeSet::new();
    for name in asked {
        let expanded = nodeimage_spec::reference::expand(name);
        if !names.contains(&expanded) {
            return Err(anyhow!("--update {name}: the YAML names no such reference").into());
        }
        update.insert(expanded);
    }
    Ok(update)
}

/// Those asked for, else those the lock serves.
fn architectures(args: &args::Lock, lock: Option<&Lock>) -> Vec<Architecture> {
    let mut architectures = args.arch.clone();
    if architectures.is_empty() {
        architectures = lock.map(Lock::architectures).unwrap_or_default();
    }
    if architectures.is_empty() {
        architectures.push(Architecture::Amd64);
    }
    architectures.sort_unstable();
    architectures.dedup();
    architectures
}

/// Offline: whether the lock has every reference for every machine, and no other, in the very text
/// that would be written.
fn check(
    input: &Input,
    architectures: &[Architecture],
    path: &Path,
    output: Output,
) -> Result<(), Failure> {
    let Some(lock) = &input.lock else {
        return Err(Failure::Check(format!(
            "there is no lock at {}; write it with `nodeimage lock`",
            path.display()
        )));
    };
    let status = LockStatus::of(lock, &input.parsed.spec, architectures);
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_canonical = text == lock.to_string();
    let is_current = status.is_current() && is_canonical;
    let missing: Vec<_> = status
        .missing
        .iter()
        .map(|it| json!({ "reference": it.reference, "architectures": it.architectures }))
        .collect();
    let stale: Vec<_> = status
        .stale
        .iter()
        .map(|it| json!({ "locked": it.locked, "wanted": it.wanted }))
        .collect();
    let fields = json!({
        "path": path,
        "current": is_current,
        "missing": missing,
        "stale": stale,
        "superfluous": status.superfluous,
        "canonical": is_canonical,
    });
    if is_current {
        let text = format!("{} is complete", path.display());
        return Ok(output.result("lock-checked", &text, fields)?);
    }
    if output.json {
        output.line("lock-checked", fields)?;
    }
    Err(Failure::Check(format!(
        "{} is not up to date:\n  {}\nwrite it anew with `nodeimage lock`",
        path.display(),
        wrong(&status, is_canonical).join("\n  ")
    )))
}

/// What is wrong, a line each.
fn wrong(status: &LockStatus, is_canonical: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for missing in &status.missing {
        let name = &missing.reference;
        let names: Vec<&str> = missing.architectures.iter().map(|it| it.name()).collect();
        let successor = status.stale.iter().any(|stale| stale.wanted == *name);
        if !successor {
            lines.push(format!("{name} is not locked for {}", names.join(", ")));
        }
    }
    for Stale { locked, wanted } in &status.stale {
        lines.push(format!(
            "{locked} is locked, and the YAML names {wanted} now"
        ));
    }
    for name in &status.superfluous {
        lines.push(format!("{name} is locked and the YAML does not need it"));
    }
    if !is_canonical {
        lines.push("its text is not as `nodeimage lock` writes it".to_owned());
    }
    lines
}

type Change = (String, Option<String>, Option<String>);

fn changes(old: Option<&Lock>, new: &Lock) -> Vec<Change> {
    fn digests(lock: &Lock) -> Vec<(String, String)> {
        let images = lock
            .images
            .iter()
            .map(|(name, image)| (name.clone(), image.digest));
        let init = lock
            .init
            .iter()
            .map(|init| ("builtin:init".to_owned(), init.digest));
        let boot = lock
            .boot
            .iter()
            .map(|boot| ("builtin:boot".to_owned(), boot.digest));
        images
            .chain(init)
            .chain(boot)
            .map(|(name, digest)| (name, digest.to_string()))
            .collect()
    }
    let old: BTreeMap<_, _> = old.map(digests).unwrap_or_default().into_iter().collect();
    let new: BTreeMap<_, _> = digests(new).into_iter().collect();
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| (name.clone(), old.get(name).cloned(), new.get(name).cloned()))
        .collect()
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if std::fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    let mut file = Aside::create(path)?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.commit()?;
    Ok(())
}
