//! LinuxKit's verdicts and bytes, taken once and kept as facts (`verdicts/README.md`), against
//! ours.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;

use base64::Engine as _;
use nodeimage_spec::{Document, Faults, metadata, parse, parse_label};
use serde::Deserialize;

/// A case with what LinuxKit says of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    docs: Vec<String>,
    #[serde(default)]
    base64: bool,
    label: Option<String>,
    /// `accept`; `config`: refused when read; `build`: refused during a build; `pull`: no image of
    /// this name can be pulled. Given on standard input.
    linuxkit: String,
    /// The same given as a file, where that differs.
    file: Option<String>,
    #[serde(rename = "gist")]
    _gist: Option<String>,
    /// Why our verdict is another, deliberately: a heading of the README.
    differs: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Printed {
    id: String,
    docs: Vec<String>,
    yaml: String,
    json: Option<String>,
    #[serde(default)]
    differs: Vec<String>,
}

fn lines(group: &str) -> Vec<String> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/verdicts/{group}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.lines().map(str::to_owned).collect()
}

/// Our verdict; `None` for bytes that are no text and so never reach the parser.
fn ours(case: &Case) -> Option<Result<(), Faults>> {
    let texts: Option<Vec<String>> = case
        .docs
        .iter()
        .map(|doc| {
            if !case.base64 {
                return Some(doc.clone());
            }
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(doc)
                .unwrap();
            String::from_utf8(bytes).ok()
        })
        .collect();
    let texts = texts?;
    let names: Vec<String> = (0..texts.len())
        .map(|index| format!("{index}.yml"))
        .collect();
    let documents: Vec<Document<'_>> = texts
        .iter()
        .zip(&names)
        .map(|(text, name)| Document { name, text })
        .collect();
    let spec = parse(&documents).map(drop);
    let label = case
        .label
        .as_deref()
        .map_or(Ok(()), |label| parse_label(label).map(drop));
    if let Err(faults) = &spec {
        well_told(&case.id, faults, Some(&texts));
    }
    if let Err(faults) = &label {
        well_told(&case.id, faults, None);
    }
    Some(spec.and(label))
}

/// Every fault says where it is, and shows that line unless a secret or its size forbids it.
fn well_told(id: &str, faults: &Faults, texts: Option<&[String]>) {
    assert!(faults.has_errors(), "{id}");
    for fault in faults.iter() {
        let place = fault
            .place
            .as_ref()
            .unwrap_or_else(|| panic!("{id}: {fault}"));
        assert!(place.line > 0 && place.column > 0, "{id}: {fault}");
        assert!(!fault.message.contains("please report"), "{id}: {fault}");
        if let Some(texts) = texts
            && texts[place.document].len() < 4096
        {
            let excerpt = place
                .excerpt
                .as_ref()
                .unwrap_or_else(|| panic!("{id}: {fault}"));
            assert!(excerpt.column > 0, "{id}: {fault}");
        }
    }
}

/// Replays a group; returns how many verdicts differ deliberately.
fn replay(group: &str) -> usize {
    let readme = include_str!("verdicts/README.md");
    let (mut differing, mut wrong) = (0, Vec::new());
    for line in lines(group) {
        let case: Case = serde_json::from_str(&line).unwrap();
        let accepts = |verdict: &str| verdict == "accept";
        let linuxkit = accepts(&case.linuxkit) || case.file.as_deref().is_some_and(accepts);
        let ours = ours(&case);
        let accepted = ours.as_ref().is_some_and(Result::is_ok);
        if let Some(why) = &case.differs {
            assert!(
                readme.contains(&format!("| `{why}` |")),
                "{}: {why} is not explained",
                case.id
            );
            differing += 1;
        }
        if accepted != (linuxkit != case.differs.is_some()) {
            wrong.push(format!(
                "{}: accepted {accepted}; {line}\n{ours:?}",
                case.id
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {group}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    differing
}

macro_rules! groups {
    ($($name:ident $group:literal $differing:literal;)*) => {$(
        #[test]
        fn $name() {
            assert_eq!(replay($group), $differing);
        }
    )*};
}

groups! {
    bytes "bytes" 2;
    checks "checks" 13;
    files "files" 10;
    keys "keys" 23;
    labels "labels" 1;
    merge "merge" 2;
    mutants "mutants" 25;
    numbers "numbers" 66;
    of_2017 "of-2017" 2;
    references "references" 162;
    scalars "scalars" 2;
    yaml "yaml" 11;
}

#[test]
fn metadata_is_byte_exact() {
    let mut differing = Vec::new();
    for line in lines("metadata") {
        let case: Printed = serde_json::from_str(&line).unwrap();
        let text = case.docs.concat();
        let document = Document {
            name: "a.yml",
            text: &text,
        };
        let spec = parse(&[document])
            .unwrap_or_else(|faults| panic!("{}\n{faults}", case.id))
            .spec;
        let printed = metadata::yaml(&spec);
        if case.differs.iter().any(|notation| notation == "yaml") {
            assert_ne!(printed, case.yaml, "{}", case.id);
            differing.push(case.id.clone());
        } else {
            assert_eq!(printed, case.yaml, "{}", case.id);
        }
        // It is a spec again.
        let again = [Document {
            name: "b.yml",
            text: &printed,
        }];
        let again = parse(&again)
            .unwrap_or_else(|faults| panic!("{}\n{faults}", case.id))
            .spec;
        assert_eq!(metadata::yaml(&again), printed, "{}", case.id);
        if let Some(json) = &case.json {
            let same = &metadata::json(&spec) == json;
            let differs = case.differs.iter().any(|notation| notation == "json");
            assert_eq!(
                same,
                !differs,
                "{}\n{}\n{json}",
                case.id,
                metadata::json(&spec)
            );
        }
    }
    assert!(differing.len() < 8, "{differing:?}");
}
