//! `config`: one YAML text, or a list of them.

use nodeimage_spec::{Document, Parsed, parse};
use tfplugin::{Diagnostic, Diagnostics, Dynamic, Path, Val, Value, path};

use crate::faults;

/// The YAML texts of a `config`.
#[derive(Clone, Debug)]
pub(crate) struct Documents {
    texts: Vec<String>,
    single: bool,
}

impl Documents {
    /// `None` while a part is unknown. Everything but a string or a list of strings is refused, each
    /// wrong element at its place.
    pub(crate) fn read(config: &Val<Dynamic>) -> Result<Option<Self>, Diagnostics> {
        let config = match config {
            Val::Unknown => return Ok(None),
            Val::Null => return Err(wrong("config is null", path!("config")).into()),
            Val::Known(config) => config,
        };
        match &config.value {
            Value::Unknown(_) => Ok(None),
            Value::String(text) => Ok(Some(Self {
                texts: vec![text.clone()],
                single: true,
            })),
            Value::List(elements) => Self::list(elements),
            Value::Null => Err(wrong("config is null", path!("config")).into()),
            Value::Set(_) => {
                let text = "a set has no order, and the order decides what wins: use a list";
                Err(wrong(text, path!("config")).into())
            }
            other => {
                let text = format!("this is {}", other.kind());
                Err(wrong(&text, path!("config")).into())
            }
        }
    }

    fn list(elements: &[Value]) -> Result<Option<Self>, Diagnostics> {
        let mut texts = Vec::new();
        let mut unknown = false;
        let mut found = Diagnostics::new();
        for (at, element) in elements.iter().enumerate() {
            let place = || path!("config").index(at);
            match plain(element) {
                Value::String(text) => texts.push(text.clone()),
                Value::Unknown(_) => unknown = true,
                Value::Null => found.push(wrong("this element is null", place())),
                other => {
                    let text = format!("this element is {}", other.kind());
                    found.push(wrong(&text, place()));
                }
            }
        }
        if elements.is_empty() {
            found.push(wrong("the list is empty", path!("config")));
        }
        found.into_result()?;
        Ok((!unknown).then_some(Self {
            texts,
            single: false,
        }))
    }

    /// Parses and merges them.
    pub(crate) fn parse(&self) -> Result<Parsed, Diagnostics> {
        let names = self.names();
        parse(&self.documents(&names))
            .map_err(|found| faults::diagnostics(&found, &|at| self.path(at)))
    }

    /// What they are called in messages: as in the configuration.
    pub(crate) fn names(&self) -> Vec<String> {
        if self.single {
            return vec!["config".to_owned()];
        }
        (0..self.texts.len())
            .map(|at| format!("config[{at}]"))
            .collect()
    }

    /// As the parser takes them.
    pub(crate) fn documents<'a>(&'a self, names: &'a [String]) -> Vec<Document<'a>> {
        let pairs = self.texts.iter().zip(names);
        pairs.map(|(text, name)| Document { name, text }).collect()
    }

    /// The attribute of a document, so that Terraform shows its very `file("b.yml")`.
    pub(crate) fn path(&self, document: usize) -> Path {
        if self.single {
            path!("config")
        } else {
            path!("config").index(document)
        }
    }
}

fn plain(value: &Value) -> &Value {
    match value {
        Value::Dynamic(_, inner) => inner,
        other => other,
    }
}

fn wrong(why: &str, at: Path) -> Diagnostic {
    let text = format!(
        "config takes LinuxKit YAML as one text or as a list of texts, which are merged in order; \
         {why}."
    );
    Diagnostic::error("Not a LinuxKit configuration", text).at(at)
}
