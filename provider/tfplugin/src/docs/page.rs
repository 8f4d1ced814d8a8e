//! One page each.

use std::fmt::Write;

use super::schema::{list, schema};
use super::{DocsError, Examples};
use crate::function::FunctionDocs;
use crate::provider::AnyProvider;
use crate::schema::Schema;

/// The heading that the registry reads, the title and the description.
fn head(title: &str, kind: &str, summary: &str, description: &str) -> String {
    let first = summary
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .replace('\n', " ");
    // Quoted in YAML as in JSON.
    let page_title = serde_json::Value::from(format!("{title} {kind}"));
    format!(
        "---\npage_title: {page_title}\nsubcategory: \"\"\ndescription: |-\n  {first}\n---\n\n\
         # {title} ({kind})\n\n{description}\n"
    )
}

fn example(out: &mut String, fenced: Option<String>) {
    if let Some(fenced) = fenced {
        let _ = write!(out, "\n## Example Usage\n\n{fenced}");
    }
}

pub(super) fn index(provider: &AnyProvider, examples: &Examples<'_>) -> Result<String, DocsError> {
    let text = provider.description;
    let first = text
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .replace('\n', " ");
    let name = provider.name;
    let mut out = format!(
        "---\npage_title: \"Provider: {name}\"\ndescription: |-\n  {first}\n---\n\n\
         # {name} Provider\n\n{text}\n"
    );
    example(
        &mut out,
        examples.fenced("provider/provider.tf", "terraform")?,
    );
    out.push_str(&schema(&provider.schema));
    Ok(out)
}

pub(super) fn resource(
    provider: &AnyProvider,
    name: &str,
    of: &Schema,
    examples: &Examples<'_>,
) -> Result<String, DocsError> {
    let full = provider.full_name(name);
    let mut out = head(&full, "Resource", &of.description, &of.description);
    let path = format!("resources/{full}/resource.tf");
    example(&mut out, examples.fenced(&path, "terraform")?);
    out.push_str(&schema(of));
    if let Some(fenced) = examples.fenced(&format!("resources/{full}/import.sh"), "shell")? {
        let _ = write!(out, "\n## Import\n\n{fenced}");
    }
    Ok(out)
}

pub(super) fn data_source(
    provider: &AnyProvider,
    name: &str,
    of: &Schema,
    examples: &Examples<'_>,
) -> Result<String, DocsError> {
    let full = provider.full_name(name);
    let mut out = head(&full, "Data Source", &of.description, &of.description);
    let path = format!("data-sources/{full}/data-source.tf");
    example(&mut out, examples.fenced(&path, "terraform")?);
    out.push_str(&schema(of));
    Ok(out)
}

pub(super) fn function(
    provider: &AnyProvider,
    name: &str,
    docs: &FunctionDocs,
    examples: &Examples<'_>,
) -> Result<String, DocsError> {
    let mut out = head(name, "function", docs.summary, docs.description);
    let path = format!("functions/{name}/function.tf");
    example(&mut out, examples.fenced(&path, "terraform")?);
    let parameter = |(i, (name, _, ty)): (usize, &(&str, &str, _))| {
        let last = docs.variadic && i + 1 == docs.parameters.len();
        format!("{name} {ty}{}", if last { "..." } else { "" })
    };
    let signature: Vec<String> = docs.parameters.iter().enumerate().map(parameter).collect();
    let _ = write!(
        out,
        "\n## Signature\n\n```text\nprovider::{}::{name}({}) {}\n```\n",
        provider.name,
        signature.join(", "),
        docs.output
    );
    if !docs.parameters.is_empty() {
        out.push_str("\n## Arguments\n\n");
        for (i, (name, description, ty)) in docs.parameters.iter().enumerate() {
            let last = docs.variadic && i + 1 == docs.parameters.len();
            let note = if last { "Variadic, " } else { "" };
            let text = list(description);
            let _ = writeln!(out, "{}. `{name}` ({note}{ty}) {text}", i + 1);
        }
    }
    Ok(out)
}
