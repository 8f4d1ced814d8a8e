//! `nodeimage lint`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;
use nodeimage_builder::SetupError;
use nodeimage_builder::lint::{Linted, look, nothing};
use nodeimage_spec::lint::{Facts, Group, LINTS, Reads, Selection, Skipped, lint, sarif};
use nodeimage_spec::{Faults, Severity, Spec};
use serde_json::{Value, json};

use crate::args::{self, Global, LintFormat};
use crate::error::Failure;
use crate::input::{Input, settings};
use crate::output::Output;

pub(crate) fn run(
    global: &Global,
    args: &args::Lint,
    output: Output,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    let format = format(global, args)?;
    let output = Output {
        json: format == LintFormat::Json,
        ..output
    };
    if args.list {
        return list(output);
    }
    let selection = selection(args)?;
    let spec = args::Spec {
        files: args.files.clone(),
        lock: args.lock.clone(),
    };
    let input = match Input::read(&spec) {
        Err(Failure::Spec(faults)) if format == LintFormat::Sarif => {
            return invalid(args, faults);
        }
        input => input?,
    };
    let mut facts = images(global, args, &input, &selection, stop)?;
    read_sources(&input, &mut facts);
    let documents = input.documents();
    let lock = input.lock.as_ref();
    let found = lint(&input.parsed, &documents, lock, &selection, &facts);
    if format == LintFormat::Sarif {
        let names: Vec<&str> = documents.iter().map(|document| document.name).collect();
        print(&sarif(&input.parsed.spec, &names, &found, &facts))?;
    } else {
        let fields = json!({ "findings": found, "skipped": facts.skipped });
        output.result("linted", &text(&found, &facts.skipped), fields)?;
    }
    match (found.has_errors(), found.len()) {
        (false, _) => Ok(()),
        (true, 1) => Err(Failure::Check("1 finding".to_owned())),
        (true, count) => Err(Failure::Check(format!("{count} findings"))),
    }
}

fn format(global: &Global, args: &args::Lint) -> Result<LintFormat, Failure> {
    match (args.format, global.json) {
        (Some(LintFormat::Text | LintFormat::Sarif), true) => {
            Err(anyhow!("--json asks for another format than --format; give one of them").into())
        }
        (Some(LintFormat::Sarif), false) if args.list => {
            Err(anyhow!("--list has no form in SARIF; use text or json").into())
        }
        (Some(format), _) => Ok(format),
        (None, true) => Ok(LintFormat::Json),
        (None, false) => Ok(LintFormat::Text),
    }
}

fn selection(args: &args::Lint) -> Result<Selection, Failure> {
    let mut selection = Selection::default();
    for name in &args.enable {
        selection
            .enable(name)
            .map_err(|error| anyhow!("--enable: {error}"))?;
    }
    for name in &args.deny {
        match name.as_str() {
            "" => selection.deny_warnings(),
            name => selection
                .deny(name)
                .map_err(|error| anyhow!("--deny: {error}"))?,
        }
    }
    Ok(selection)
}

/// What the store's and local sources' images say; no registry is asked.
fn images(
    global: &Global,
    args: &args::Lint,
    input: &Input,
    selection: &Selection,
    stop: &Arc<AtomicBool>,
) -> Result<Facts, Failure> {
    let linted = Linted {
        spec: &input.parsed.spec,
        lock: input.lock.as_ref(),
        architecture: args.arch,
        selection,
    };
    let mut settings = match settings(global, Some(&input.dir)) {
        Ok(settings) => settings,
        // Whoever has no store can lint all the same.
        Err(Failure::Other(error)) => match error.downcast::<SetupError>() {
            Ok(error @ SetupError::NoHome) => return Ok(nothing(&linted, &error.to_string())),
            Ok(error) => return Err(error.into()),
            Err(error) => return Err(error.into()),
        },
        Err(failure) => return Err(failure),
    };
    settings.offline = true;
    match settings.builder(None, stop) {
        Ok(builder) => Ok(look(builder.images(), &linted)?),
        Err(error) => Ok(nothing(&linted, &error.to_string())),
    }
}

/// The contents of `source` files. Those that a build could not read are told.
fn read_sources(input: &Input, facts: &mut Facts) {
    for (index, file) in input.parsed.spec.files.iter().enumerate() {
        let Some(source) = &file.source else {
            continue;
        };
        match input.inline(source, file.optional == Some(true)) {
            Ok(Some(bytes)) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                facts.sources.insert(index, text);
            }
            Ok(None) => {}
            Err(reason) => facts.skipped.push(Skipped {
                subject: source.clone(),
                lints: vec!["secret-in-files"],
                reason,
            }),
        }
    }
}

/// A YAML that nothing can be built from has results, too.
fn invalid(args: &args::Lint, faults: Faults) -> Result<(), Failure> {
    let name = |file: &PathBuf| match file.as_os_str() == "-" {
        true => "<stdin>".to_owned(),
        false => file.display().to_string(),
    };
    let names: Vec<String> = args.files.iter().map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    print(&sarif(&Spec::default(), &names, &faults, &Facts::default()))?;
    Err(Failure::Spec(faults))
}

fn print(value: &Value) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value:#}")?;
    Ok(out.flush()?)
}

fn text(found: &Faults, skipped: &[Skipped]) -> String {
    let mut text = match found.is_empty() {
        true => "nothing found".to_owned(),
        false => found.to_string(),
    };
    // Mostly all are missing for one reason.
    let mut groups: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
    for skipped in skipped {
        let key = (skipped.lints.join(", "), skipped.reason.as_str());
        groups.entry(key).or_default().push(&skipped.subject);
    }
    for ((lints, reason), subjects) in groups {
        let _ = write!(text, "\n\nnot looked at: {reason}");
        for subject in subjects {
            let _ = write!(text, "\n  {subject}");
        }
        let _ = write!(text, "\n  = lints that judged without: {lints}");
    }
    text
}

fn list(output: Output) -> Result<(), Failure> {
    let mut text = String::new();
    let mut lints = Vec::new();
    for group in [Group::Default, Group::Hardening, Group::Portability] {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let _ = write!(text, "{}:", group.name());
        for lint in LINTS.iter().filter(|lint| lint.group == group) {
            let mark = match lint.severity {
                Severity::Error => " (error)",
                Severity::Warning => "",
            };
            let _ = write!(text, "\n  {}{mark}\n      {}", lint.id, lint.about);
            lints.push(json!({
                "id": lint.id,
                "group": group.name(),
                "severity": lint.severity,
                "reads": match lint.reads {
                    Reads::Yaml => "yaml",
                    Reads::Configs => "configs",
                    Reads::Trees => "trees",
                },
                "about": lint.about,
                "basis": lint.basis,
            }));
        }
    }
    Ok(output.result("lints", &text, json!({ "lints": lints }))?)
}
