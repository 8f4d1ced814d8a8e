//! What all clones of a client share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use reqwest::Method;
use reqwest::header::HeaderMap;
use tokio::runtime::Runtime;

use crate::auth::Authenticator;
use crate::config::Config;
use crate::endpoint::{Endpoint, Scheme};
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::mirror;
use crate::retry::Backoff;
use crate::target::Target;
use crate::transport::Transport;

/// Something to get from one place.
pub(crate) trait Attempt: Sync {
    type Output: Send;

    /// Tries once.
    fn at(
        &self,
        core: &Core,
        endpoint: &Endpoint,
    ) -> impl Future<Output = std::result::Result<Self::Output, Failure>> + Send;
}

/// Loopback registries remembered; one process sees very few.
const SCHEMES: usize = 256;

pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) transport: Transport,
    pub(crate) auth: Authenticator,
    schemes: Mutex<BTreeMap<String, Scheme>>,
    /// Mirrors that sent content with a wrong digest.
    distrusted: Mutex<BTreeSet<String>>,
    runtime: Option<Runtime>,
}

impl Core {
    pub(crate) fn new(config: Config) -> Result<Self> {
        let transport = Transport::new(&config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("registry")
            .enable_all()
            .build()
            .map_err(|error| {
                let what = format!("cannot start the network threads: {error}");
                Error::new("", ErrorKind::BadConfig(what))
            })?;
        Ok(Self {
            config,
            transport,
            auth: Authenticator::default(),
            schemes: Mutex::default(),
            distrusted: Mutex::default(),
            runtime: Some(runtime),
        })
    }

    pub(crate) fn runtime(&self) -> Option<&Runtime> {
        self.runtime.as_ref()
    }

    /// The places to ask, without mirrors caught lying while others are left.
    pub(crate) fn endpoints(&self, target: &Target) -> Vec<Endpoint> {
        let mut all = mirror::endpoints(&self.config.mirrors, target);
        let distrusted = self
            .distrusted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let honest =
            |endpoint: &Endpoint| !endpoint.mirror || !distrusted.contains(&endpoint.authority);
        if all.iter().any(honest) {
            all.retain(honest);
        }
        all
    }

    pub(crate) fn distrust(&self, authority: &str) {
        tracing::warn!(
            mirror = authority,
            "a mirror sent content with a wrong digest; not using it again"
        );
        let mut distrusted = self
            .distrusted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        distrusted.insert(authority.to_owned());
    }

    pub(crate) fn backoff(&self, endpoint: &Endpoint) -> Backoff<'_> {
        Backoff::new(&self.config.retry, &*self.config.clock, endpoint.mirror)
    }

    /// Tries every place in order, each as often as the policy allows.
    pub(crate) async fn try_everywhere<A: Attempt>(
        &self,
        target: &Target,
        attempt: &A,
    ) -> Result<A::Output> {
        let mut failed = Failures::default();
        for endpoint in self.endpoints(target) {
            let mut backoff = self.backoff(&endpoint);
            let failure = loop {
                match attempt.at(self, &endpoint).await {
                    Ok(got) => return Ok(got),
                    Err(failure) => {
                        if let Err(last) = backoff.pause(failure).await {
                            break last;
                        }
                    }
                }
            };
            if endpoint.mirror && matches!(failure.kind, ErrorKind::DigestMismatch { .. }) {
                self.distrust(&endpoint.authority);
            }
            failed.add(failure);
        }
        Err(failed.into_error(target))
    }

    /// `http` or `https`. A reference to a loopback registry does not say, so it
    /// is asked once over `http`: a TLS server answers that with an error or by
    /// hanging up, at once. No credential is sent with the question.
    pub(crate) async fn scheme(&self, endpoint: &Endpoint) -> std::result::Result<Scheme, Failure> {
        if endpoint.scheme != Scheme::Unknown {
            return Ok(endpoint.scheme);
        }
        let known = |schemes: &Mutex<BTreeMap<String, Scheme>>| {
            let schemes = schemes.lock().unwrap_or_else(PoisonError::into_inner);
            schemes.get(&endpoint.authority).copied()
        };
        if let Some(scheme) = known(&self.schemes) {
            return Ok(scheme);
        }
        let mut url = endpoint.base(Scheme::Http)?;
        url.set_path("/v2/");
        let scheme = match self
            .transport
            .send(Method::GET, &url, HeaderMap::new(), None)
            .await
        {
            Ok(answer) if answer.status().as_u16() == 400 => Scheme::Https,
            Ok(_) => Scheme::Http,
            Err(Failure {
                kind: ErrorKind::Interrupted(_),
                ..
            }) => Scheme::Https,
            Err(failure) => return Err(failure),
        };
        let mut schemes = self.schemes.lock().unwrap_or_else(PoisonError::into_inner);
        if schemes.len() >= SCHEMES {
            schemes.clear();
        }
        schemes.insert(endpoint.authority.clone(), scheme);
        Ok(scheme)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // Waiting for the threads would panic on one of them, and hang on a
        // credential helper that does not end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The failures of the places tried so far, the last one apart.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    before: Vec<String>,
    last: Option<Failure>,
}

impl Failures {
    pub(crate) fn add(&mut self, failure: Failure) {
        if let Some(earlier) = self.last.replace(failure) {
            tracing::info!(
                cause = earlier.text(),
                "mirror failed, trying the next place"
            );
            self.before.push(earlier.text());
        }
    }

    pub(crate) fn into_error(self, target: &Target) -> Error {
        let last = self.last.unwrap_or_else(|| {
            Failure::new(ErrorKind::BadConfig(
                "no place to pull from is configured".to_owned(),
            ))
        });
        Error::from_failure(target, last, self.before)
    }
}
