//! What resources build with, made when the first one needs it: a plan with a lock starts five
//! processes that must touch neither store nor network.

use std::path::Path as FilePath;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use nodeimage_builder::locking::LockingError;
use nodeimage_builder::{BuildError, Builder, Machine, Settings, diff, explain};
use nodeimage_disk::canonical::Canonical;
use nodeimage_formats::raw::{self, RawOptions, Written};
use nodeimage_formats::{FormatError, Progress as FormatProgress};
use nodeimage_spec::LockedSpec;
use tfplugin::{Cancel, Diagnose, Diagnostic, Diagnostics, Path, path};

use crate::config::{self, Config};
use crate::progress::Log;

/// The attribute that a failure is about.
pub(crate) type Place<'a> = dyn Fn(&BuildError) -> Path + 'a;

/// The provider's data.
#[derive(Debug)]
pub struct Workshop {
    config: Config,
    cancel: Cancel,
    stop: Arc<AtomicBool>,
    builder: OnceLock<Result<Builder, Diagnostics>>,
    /// One build at a time uses all threads; Terraform starts ten.
    turn: Mutex<()>,
}

impl Workshop {
    pub(crate) fn new(config: Config, cancel: Cancel) -> Self {
        Self {
            config,
            cancel,
            stop: Arc::default(),
            builder: OnceLock::new(),
            turn: Mutex::new(()),
        }
    }

    /// The settings of the provider block.
    pub(crate) fn settings(&self) -> Result<Settings, Diagnostics> {
        config::settings(&self.config)
    }

    /// The builder, or why there can be none.
    pub(crate) fn builder(&self) -> Result<&Builder, Diagnostics> {
        let made = self.builder.get_or_init(|| {
            let settings = self.settings().map_err(in_provider)?;
            self.watch();
            let log = Arc::new(Log(Arc::clone(&self.stop)));
            settings
                .builder(Some(log), &self.stop)
                .diagnose("Can't open the store")
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// Passes Terraform's wish to stop on to the builder.
    fn watch(&self) {
        let (cancel, stop) = (self.cancel.clone(), Arc::clone(&self.stop));
        std::thread::spawn(move || {
            while !cancel.wait(Duration::from_secs(3600)) {}
            stop.store(true, Ordering::Relaxed);
        });
    }

    /// Builds the disk of a locked spec. `place` says which attribute a failure is about.
    pub(crate) fn disk(
        &self,
        locked: &LockedSpec,
        place: &Place<'_>,
    ) -> Result<(Machine, Canonical), Diagnostics> {
        let builder = self.builder()?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.cancel.is_cancelled() {
            return Err(interrupted());
        }
        // So that it can be compared by its id later; a store that fails will say so below.
        let _ = diff::remember(builder.images().store(), locked);
        let machine = builder.machine(locked).map_err(|e| failed(e, place))?;
        match builder.disk(locked, &machine) {
            // A stored kernel that is damaged is noticed by its header already.
            Err(BuildError::Uki(_) | BuildError::Kernel(_))
                if builder
                    .remove_damaged(&machine)
                    .map_err(|e| failed(e, place))? =>
            {
                let machine = builder.machine(locked).map_err(|e| failed(e, place))?;
                let disk = builder.disk(locked, &machine);
                Ok((machine, disk.map_err(|e| failed(e, place))?))
            }
            disk => Ok((machine, disk.map_err(|e| failed(e, place))?)),
        }
    }

    /// Why references can't be resolved.
    pub(crate) fn unresolved(&self, error: &LockingError) -> Diagnostics {
        if self.cancel.is_cancelled() {
            return interrupted();
        }
        Diagnostic::error("Can't resolve image references", explain(error))
            .at(path!("config"))
            .into()
    }

    /// Builds and writes a raw disk. A part that was damaged in the store is made anew, once.
    pub(crate) fn write_raw(
        &self,
        locked: &LockedSpec,
        path: &FilePath,
    ) -> Result<(Canonical, Written), Diagnostics> {
        let place = |_: &BuildError| path!("image");
        let (machine, disk) = self.disk(locked, &place)?;
        let builder = self.builder()?;
        match self.write(&disk, path) {
            Err(FormatError::Corrupt { .. } | FormatError::Read { .. })
                if builder
                    .remove_damaged(&machine)
                    .map_err(|e| failed(e, &place))? =>
            {
                let (_, disk) = self.disk(locked, &place)?;
                let written = self.write(&disk, path).map_err(not_written)?;
                Ok((disk, written))
            }
            written => Ok((disk, written.map_err(not_written)?)),
        }
    }

    fn write(&self, disk: &Canonical, path: &FilePath) -> Result<Written, FormatError> {
        let on_bytes = |_, _| {
            if self.cancel.is_cancelled() {
                std::ops::ControlFlow::Break(())
            } else {
                std::ops::ControlFlow::Continue(())
            }
        };
        let options = RawOptions {
            threads: self.builder().map_or(1, |builder| builder.threads().get()),
            on_bytes: Some(FormatProgress::new(&on_bytes)),
            sha256: false,
        };
        raw::write(&disk.disk, &disk.map, path, &options)
    }
}

/// Faults of the provider block turn up in the calls of resources, whose attributes are others: there
/// they are named, not pointed at.
fn in_provider(found: Diagnostics) -> Diagnostics {
    let named = |fault: &Diagnostic| {
        let at = &fault.path;
        let text = format!("`{at}` of the provider block: {}", fault.detail);
        Diagnostic::error(fault.summary.clone(), text)
    };
    let named_or_not = |fault: &Diagnostic| {
        if fault.path.is_root() {
            fault.clone()
        } else {
            named(fault)
        }
    };
    found.iter().map(named_or_not).collect()
}

fn not_written(error: FormatError) -> Diagnostics {
    match error {
        FormatError::Cancelled => interrupted(),
        error => Diagnostic::error("Can't write the disk", explain(&error))
            .at(path!("path"))
            .into(),
    }
}

/// A build's failure as diagnostics: one for each independent cause.
fn failed(error: BuildError, place: &Place<'_>) -> Diagnostics {
    if error.is_cancelled() {
        return interrupted();
    }
    let all = match error {
        BuildError::Many(all) => all,
        one => vec![one],
    };
    let mut found = Diagnostics::new();
    for error in all {
        found.push(Diagnostic::error("Can't build the image", explain(&error)).at(place(&error)));
    }
    found
}

fn interrupted() -> Diagnostics {
    let text = "The build was stopped before it was complete. What was done is kept in the store; \
                apply again to finish.";
    Diagnostic::error("Interrupted", text).into()
}
