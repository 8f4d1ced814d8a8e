//! What a call of Terraform's brings along, and takes back beside its result.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::diag::{Diagnostic, Diagnostics, Path};

/// Tells work in progress that the user wants to stop.
///
/// Terraform asks once, on the first interrupt; it waits for calls to return,
/// so look at this between steps that take more than a second, leave things
/// tidy and return an error.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<CancelState>);

#[derive(Debug)]
struct CancelState {
    asked: watch::Sender<bool>,
    blocking: Mutex<bool>,
    changed: Condvar,
}

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(CancelState {
            asked: watch::Sender::new(false),
            blocking: Mutex::new(false),
            changed: Condvar::new(),
        }))
    }
}

impl Cancel {
    /// Asks for a stop; there is no way back.
    pub fn cancel(&self) {
        // First: who is woken by the other must find this one set.
        self.0.asked.send_replace(true);
        *self
            .0
            .blocking
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }

    /// True once a stop was asked for.
    pub fn is_cancelled(&self) -> bool {
        *self.0.asked.borrow()
    }

    /// `Err` once a stop was asked for: `cx.cancel().check()?`.
    ///
    /// # Errors
    /// As said.
    pub fn check(&self) -> Result<(), Diagnostics> {
        if self.is_cancelled() {
            let text = "The operation was stopped before it was complete.";
            return Err(Diagnostic::error("Interrupted", text).into());
        }
        Ok(())
    }

    /// Sleeps, but not through a stop; true if one was asked for.
    pub fn wait(&self, at_most: Duration) -> bool {
        let asked = self
            .0
            .blocking
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (asked, _) = self
            .0
            .changed
            .wait_timeout_while(asked, at_most, |asked| !*asked)
            .unwrap_or_else(PoisonError::into_inner);
        *asked
    }

    /// Returns once a stop is asked for.
    pub async fn cancelled(&self) {
        // An error means that the sender is gone: it lives in self.
        let _ = self.0.asked.subscribe().wait_for(|asked| *asked).await;
    }
}

/// What the Terraform that calls can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Knows write-only attributes (Terraform 1.11).
    pub write_only: bool,
    /// Gives what a plan kept privately to the plan made when applying.
    pub store_planned_private: bool,
}

/// What the provider's `configure` made.
pub type Data = Arc<dyn Any + Send + Sync>;

/// The surroundings of one call.
pub struct Cx {
    cancel: Cancel,
    data: Option<Data>,
    terraform_version: Arc<str>,
    client: Client,
    private: Vec<u8>,
    planned_private: Vec<u8>,
    diagnostics: Diagnostics,
    replace: BTreeSet<Path>,
    save: bool,
}

impl Cx {
    pub(crate) fn new(cancel: Cancel, data: Option<Data>, version: Arc<str>) -> Self {
        Self {
            cancel,
            data,
            terraform_version: version,
            client: Client::default(),
            private: Vec::new(),
            planned_private: Vec::new(),
            diagnostics: Diagnostics::new(),
            replace: BTreeSet::new(),
            save: false,
        }
    }

    pub(crate) fn with_client(mut self, client: Client) -> Self {
        self.client = client;
        self
    }

    pub(crate) fn with_private(mut self, private: Vec<u8>) -> Self {
        self.private = private;
        self
    }

    pub(crate) fn with_planned_private(mut self, private: Vec<u8>) -> Self {
        self.planned_private = private;
        self
    }

    /// Tells work that the user wants to stop.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// What the provider's `configure` returned. There is none in `validate`,
    /// `upgrade` and functions: Terraform doesn't configure the provider then.
    ///
    /// # Errors
    /// If the provider isn't configured, or with something else.
    pub fn provider<T: Send + Sync + 'static>(&self) -> Result<&T, Diagnostics> {
        self.data
            .as_deref()
            .and_then(|data| data.downcast_ref())
            .ok_or_else(|| {
                Diagnostic::error(
                    "Provider is not configured",
                    "This needs the provider's configuration, which Terraform has not sent. \
                     Please report this as a bug in the provider.",
                )
                .into()
            })
    }

    /// The version of the Terraform that configured the provider; empty if none
    /// has.
    pub fn terraform_version(&self) -> &str {
        &self.terraform_version
    }

    /// What the Terraform that calls can do.
    pub fn client(&self) -> Client {
        self.client
    }

    /// Bytes that are stored beside the state, for the provider alone.
    pub fn private(&self) -> &[u8] {
        &self.private
    }

    /// Replaces the bytes stored beside the state. Set in `plan` they reach the
    /// apply, but not the plan that precedes it in another process.
    pub fn set_private(&mut self, private: Vec<u8>) {
        self.private = private;
    }

    /// What the first plan set as private bytes, in the plan made when applying;
    /// only with [`Client::store_planned_private`], else empty.
    pub fn planned_private(&self) -> &[u8] {
        &self.planned_private
    }

    /// Tells the user something; the call goes on.
    pub fn warn(&mut self, path: Path, summary: &str, detail: impl Into<String>) {
        self.push(Diagnostic::warning(summary, detail).at(path));
    }

    /// The call has failed, but goes on to find what else is wrong.
    pub fn error(&mut self, path: Path, summary: &str, detail: impl Into<String>) {
        self.push(Diagnostic::error(summary, detail).at(path));
    }

    /// Adds a message to the call's result.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// In `plan`: the change of the attribute at `path` takes a new resource.
    /// Only counts where there is a prior one.
    pub fn require_replace(&mut self, path: Path) {
        self.replace.insert(path);
    }

    /// In `create`, `update` and `delete`: from here on the state is saved as
    /// it stands, even if the call fails. A created resource is then tainted.
    pub fn save_on_error(&mut self) {
        self.save = true;
    }

    pub(crate) fn saves(&self) -> bool {
        self.save
    }

    pub(crate) fn replaced(&self) -> &BTreeSet<Path> {
        &self.replace
    }

    pub(crate) fn has_error(&self) -> bool {
        self.diagnostics.has_error()
    }

    pub(crate) fn extend(&mut self, diagnostics: Diagnostics) {
        self.diagnostics.extend(diagnostics);
    }

    pub(crate) fn finish(self) -> (Diagnostics, Vec<u8>) {
        (self.diagnostics, self.private)
    }
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the provider's data nor private bytes: they may be secret.
        f.debug_struct("Cx")
            .field("client", &self.client)
            .field("terraform_version", &self.terraform_version)
            .field("diagnostics", &self.diagnostics)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_wakes_sleepers() {
        let cancel = Cancel::default();
        assert!(!cancel.wait(Duration::from_millis(1)));
        assert!(cancel.check().is_ok());
        let other = cancel.clone();
        let sleeper = std::thread::spawn(move || {
            let asked = other.wait(Duration::from_secs(60));
            asked && other.is_cancelled()
        });
        cancel.cancel();
        assert!(sleeper.join().unwrap());
        assert!(cancel.check().is_err());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(cancel.cancelled());
    }

    #[test]
    fn provider_data_has_its_type() {
        let none = Cx::new(Cancel::default(), None, "".into());
        assert!(none.provider::<String>().is_err());
        let some = Cx::new(
            Cancel::default(),
            Some(Arc::new("x".to_owned())),
            "1".into(),
        );
        assert_eq!(some.provider::<String>().unwrap(), "x");
        assert!(some.provider::<u8>().is_err());
    }
}
