//! What a machine must show that booted from the example's disk.

use std::path::Path;
use std::time::Duration;

use acceptance_tests::machine::{Boot, Firmware, Machine};
use anyhow::{Result, bail};

/// Our init says so on every console.
const RUNNING: &str = "nodeimage: nginx is running";

/// Part of the page that `files:` of the example has.
const PAGE: &str = "This page is a file of nodeimage's example.";

/// Emulated, on one busy core.
const PATIENCE: Duration = Duration::from_secs(600);

/// Boots the disk, waits for nginx and fetches its page.
pub(super) fn check(disk: &Path, firmware: Firmware, log: &Path) -> Result<()> {
    let mut machine = Machine::boot(&Boot {
        forward: vec![80],
        time_out: PATIENCE,
        log: Some(log.to_owned()),
        ..Boot::raw_disk(disk, firmware)
    })?;
    machine.wait_for(RUNNING, PATIENCE)?;
    let page = machine.http_get(80, "/", PATIENCE)?;
    if page.status != 200 || !page.body.contains(PAGE) {
        bail!(
            "nginx answers {} with {:?}; the console's end:\n{}",
            page.status,
            page.body,
            machine.console_tail()
        );
    }
    Ok(())
}
