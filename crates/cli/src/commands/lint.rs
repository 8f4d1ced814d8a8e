//! `nodeimage lint`

use nodeimage_spec::lint::lint;
use serde_json::json;

use crate::args;
use crate::error::Failure;
use crate::input::Input;
use crate::output::Output;

pub(crate) fn run(args: &args::Lint, output: Output) -> Result<(), Failure> {
    let input = Input::read(&args.spec)?;
    let found = lint(&input.parsed, &input.documents(), input.lock.as_ref(), &[]);
    let text = if found.is_empty() {
        "nothing found".to_owned()
    } else {
        found.to_string()
    };
    output.result("linted", &text, json!({ "findings": found }))?;
    let fails = found.has_errors() || (args.deny && !found.is_empty());
    match (fails, found.len()) {
        (false, _) => Ok(()),
        (true, 1) => Err(Failure::Check("1 finding".to_owned())),
        (true, count) => Err(Failure::Check(format!("{count} findings"))),
    }
}
