//! Starting a prepared container.

use super::attach;
use super::bundle::Bundle;
use super::config::RuntimeConfig;
use super::output::Output;
use crate::error::Result;
use crate::machine::Machine;
use crate::reaper::OnExit;

/// Creates the container, attaches its network and namespaces, and starts it; `notify` gets its
/// end. Returns its first process. After an error nothing of it is left, and `notify` may or may
/// not have been called.
pub(crate) fn launch(
    machine: &Machine,
    bundle: &Bundle,
    config: &RuntimeConfig,
    output: &Output,
    notify: OnExit,
) -> Result<i32> {
    let runtime = machine.runtime()?;
    let result = runtime
        .create(&machine.reaper, bundle, output)
        .and_then(|created| {
            attach::attach(created.pid, config)?;
            machine.reaper.on_exit(created.pid, created.mark, notify)?;
            runtime.start(&machine.reaper, bundle, output)?;
            Ok(created.pid)
        });
    if result.is_err() {
        runtime.delete(&machine.reaper, &bundle.name);
    }
    result
}
