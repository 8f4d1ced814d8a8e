//! `provider::nodeimage::image_id`

use nodeimage_spec::{DiskOptions, Lock, Outcome, lock_spec};
use tfplugin::function::{Parameter, Rest};
use tfplugin::{Dynamic, Function, FunctionError, Val};

use crate::documents::Documents;

/// The function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageId;

impl Function for ImageId {
    type Arguments = (Dynamic, String, Rest<String>);
    type Output = String;

    const NAME: &'static str = "image_id";
    const SUMMARY: &'static str = "The id of an image, from its YAML and lock";
    const DESCRIPTION: &'static str = "Computes the id that `nodeimage_image` gives the same \
        configuration with a default disk, without any image at hand. Every reference must be \
        pinned, and `files` must not have a `source`.";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "config",
            description: "LinuxKit YAML: one text, or a list of texts.",
        },
        Parameter {
            name: "lock",
            description: "The lock that `nodeimage lock` writes.",
        },
        Parameter {
            name: "architecture",
            description: "The machine it is for; at most one. Default: `amd64`.",
        },
    ];

    fn call(&self, arguments: Self::Arguments) -> Result<String, FunctionError> {
        let (config, lock, Rest(architectures)) = arguments;
        let first = |text: String| FunctionError::argument(0, text);
        let documents =
            Documents::read(&Val::Known(config)).map_err(|found| first(told(&found)))?;
        let documents = documents.ok_or_else(|| first("it is not known yet".to_owned()))?;
        let parsed = documents.parse().map_err(|found| first(told(&found)))?;
        let lock =
            Lock::parse(&lock).map_err(|error| FunctionError::argument(1, error.to_string()))?;
        let architecture = match architectures.as_slice() {
            [] => "amd64",
            [one] => one,
            _ => return Err(FunctionError::argument(2, "give at most one architecture")),
        };
        let architecture = architecture
            .parse()
            .map_err(|error: String| FunctionError::argument(2, error))?;
        let mut inline = |source: &str, _: bool| {
            Err(format!(
                "a function reads no files, and this one is {source}"
            ))
        };
        let options = DiskOptions::default();
        match lock_spec(
            &parsed.spec,
            architecture,
            Some(&lock),
            None,
            &options,
            &mut inline,
        ) {
            Ok(Outcome::Locked(locked)) => Ok(locked.id()),
            Ok(Outcome::Unpinned(names)) => {
                let text = format!("the lock has nothing for {}", names.join(", "));
                Err(FunctionError::argument(1, text))
            }
            Err(found) => Err(first(found.to_string())),
        }
    }
}

fn told(found: &tfplugin::Diagnostics) -> String {
    let all: Vec<_> = found.iter().map(ToString::to_string).collect();
    all.join("\n")
}
