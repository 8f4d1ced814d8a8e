//! The pages that the Terraform registry shows, written from the schemas.
//!
//! The layout is the registry's: `docs/index.md`, `docs/resources/NAME.md`,
//! `docs/data-sources/NAME.md`, `docs/functions/NAME.md`, each with a heading
//! of metadata, an example, and the schema by who sets what.

mod page;
mod schema;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::provider::{AnyProvider, Provider};
use crate::schema::SchemaError;

/// Why there is no documentation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocsError {
    /// A schema has faults.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// An example can't be read.
    #[error("can't read the example {}: {source}", path.display())]
    Example {
        /// The example.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The registry takes pages up to 500,000 bytes.
    #[error("{path} would have {size} bytes, the registry takes 500000: shorten its descriptions")]
    TooLong {
        /// The page.
        path: String,
        /// Its size.
        size: usize,
    },
}

/// All pages: path below the repository, and text. Examples are read from
/// `examples` where they exist: `provider/provider.tf`,
/// `resources/TYPE/resource.tf` and `import.sh`, `data-sources/TYPE/data-source.tf`,
/// `functions/NAME/function.tf` (TYPE with the provider's name).
///
/// # Errors
/// If a schema has faults or an example can't be read.
pub fn render<P: Provider>(
    provider: P,
    examples: &Path,
) -> Result<BTreeMap<String, String>, DocsError> {
    let provider = AnyProvider::new(provider)?;
    let examples = Examples(examples);
    let mut pages = BTreeMap::new();
    pages.insert(
        "docs/index.md".to_owned(),
        page::index(&provider, &examples)?,
    );
    for (name, resource) in &provider.registry.resources {
        let text = page::resource(&provider, name, resource.schema(), &examples)?;
        pages.insert(format!("docs/resources/{name}.md"), text);
    }
    for (name, source) in &provider.registry.data_sources {
        let text = page::data_source(&provider, name, source.schema(), &examples)?;
        pages.insert(format!("docs/data-sources/{name}.md"), text);
    }
    for (name, function) in &provider.registry.functions {
        let text = page::function(&provider, name, &function.docs(), &examples)?;
        pages.insert(format!("docs/functions/{name}.md"), text);
    }
    match pages.iter().find(|(_, text)| text.len() > 500_000) {
        None => Ok(pages),
        Some((path, text)) => Err(DocsError::TooLong {
            path: path.clone(),
            size: text.len(),
        }),
    }
}

struct Examples<'a>(&'a Path);

impl Examples<'_> {
    /// The example in a fence, or nothing.
    fn fenced(&self, path: &str, language: &str) -> Result<Option<String>, DocsError> {
        let path = self.0.join(path);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(format!("```{language}\n{}\n```\n", text.trim_end()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DocsError::Example { path, source }),
        }
    }
}
