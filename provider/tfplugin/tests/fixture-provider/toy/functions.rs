//! Pure functions.

use tfplugin::function::{Parameter, Rest};
use tfplugin::{Function, FunctionError, Val};

/// FNV-1a.
pub fn digest(text: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!(
        "fnv:{:016x}",
        text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
    )
}

#[derive(Debug)]
pub struct Merge;

impl Function for Merge {
    type Arguments = (String, Rest<String>);
    type Output = String;
    const NAME: &'static str = "merge";
    const SUMMARY: &'static str = "Joins documents";
    const DESCRIPTION: &'static str = "Joins documents with a separator.";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "separator",
            description: "Stands between documents.",
        },
        Parameter {
            name: "docs",
            description: "The documents.",
        },
    ];

    fn call(&self, (separator, Rest(docs)): Self::Arguments) -> Result<String, FunctionError> {
        if let Some(i) = docs.iter().position(String::is_empty) {
            return Err(FunctionError::argument(
                i + 1,
                format!("document {} is empty", i + 1),
            ));
        }
        if docs.iter().any(|doc| doc == "panic") {
            panic!("bad document");
        }
        Ok(docs.join(&separator))
    }
}

#[derive(Debug)]
pub struct Digest;

impl Function for Digest {
    type Arguments = (Val<String>,);
    type Output = Val<String>;
    const NAME: &'static str = "digest";
    const SUMMARY: &'static str = "The digest of a text";
    const DESCRIPTION: &'static str = "The digest of a text; null of null.";
    const PARAMETERS: &'static [Parameter] = &[Parameter {
        name: "text",
        description: "The text.",
    }];

    fn call(&self, (text,): Self::Arguments) -> Result<Val<String>, FunctionError> {
        Ok(text.map(|text| digest(&text)))
    }
}
