//! `nodeimage diff`

mod side;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nodeimage_builder::diff::{self, Compare, Detail, Effort};
use nodeimage_images::Progress;
use serde_json::Value;

use self::side::{Found, Named};
use crate::args::{self, Global};
use crate::error::Failure;
use crate::input::settings;
use crate::output::Output;
use crate::progress::Show;

/// The exit codes of `--exit-code`.
const DIFFERENT: u8 = 1;
const TROUBLE: u8 = 2;

pub(crate) fn run(
    global: &Global,
    args: &args::Diff,
    output: Output,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    match (compare(global, args, output, stop), args.exit_code) {
        (Ok(true), true) => Err(Failure::Told(DIFFERENT)),
        (Ok(_), _) => Ok(()),
        (Err(failure @ (Failure::Interrupted | Failure::Closed)), _) | (Err(failure), false) => {
            Err(failure)
        }
        (Err(failure), true) => {
            output.failure(&failure)?;
            Err(Failure::Told(TROUBLE))
        }
    }
}

/// Tells what differs; whether anything does.
fn compare(
    global: &Global,
    args: &args::Diff,
    output: Output,
    stop: &Arc<AtomicBool>,
) -> Result<bool, Failure> {
    let from = Named::read(&args.from, args.from_lock.as_deref())?;
    let to = Named::read(&args.to, args.to_lock.as_deref())?;
    // What says where images are read lies beside the YAML, if one is named.
    let dir = to.dir().or(from.dir()).map(ToOwned::to_owned);
    let settings = settings(global, dir.as_deref())?;
    let show = Arc::new(Show::new(output, Arc::clone(stop)));
    let progress: Arc<dyn Progress> = Arc::clone(&show) as _;
    let builder = settings.builder(Some(progress), stop)?;
    let store = builder.images().store().clone();
    let (from, to) = (from.known(&store)?, to.known(&store)?);
    // YAML says nothing of the machine and its disk.
    let from = from.complete(to.locked(), args.arch)?;
    let to = to.complete(from.locked(), args.arch)?;
    let (from, to) = (Found::from(from), Found::from(to));
    let compare = if args.fetch {
        Compare::with(builder)
    } else {
        Compare::stored(&store, settings.config.limits, settings.threads)
    };
    let found = compare.compare(from.parts(), to.parts(), Effort::FULL);
    show.clear();
    let mut detail = Detail::TERMINAL;
    if args.all {
        detail.lines = usize::MAX;
    }
    let fields = serde_json::to_value(&found).unwrap_or(Value::Null);
    output.result("diff", &diff::text(&found, detail), fields)?;
    Ok(found.differs())
}
