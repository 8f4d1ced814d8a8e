//! Answers to a registry's challenges, remembered while they last.

pub(crate) mod challenge;
pub(crate) mod credential;
mod docker_config;
mod helpers;
mod sources;
mod token;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use url::Url;

use crate::auth::challenge::Challenges;
use crate::auth::credential::Credential;
use crate::core::Core;
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Failure};
use crate::secret::Secret;

/// Repositories whose grants are remembered; beyond it all are asked for anew.
const MOST: usize = 4096;

/// Who asks for what: a repository at an origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account<'a> {
    pub(crate) endpoint: &'a Endpoint,
    /// URL of the request that was challenged.
    pub(crate) origin: &'a Url,
}

impl Account<'_> {
    fn key(&self) -> String {
        let origin = &self.origin[..url::Position::BeforePath];
        format!("{origin}/{}", self.endpoint.repository)
    }
}

/// What to send along with requests.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) header: HeaderValue,
    /// Everything secret that went into it, for scrubbing.
    pub(crate) secrets: Vec<Secret>,
    /// Where it comes from, and what to do when it is refused.
    pub(crate) origin: String,
    expires: Option<Instant>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Grant>>>;

/// Grants by account. A slot is locked while its grant is being asked for, so
/// that ten layers of one image ask for one token.
#[derive(Default)]
pub(crate) struct Authenticator {
    slots: Mutex<BTreeMap<String, Slot>>,
}

impl Authenticator {
    fn slot(&self, account: &Account<'_>) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let key = account.key();
        if slots.len() >= MOST && !slots.contains_key(&key) {
            slots.clear();
        }
        Arc::clone(slots.entry(key).or_default())
    }

    /// The grant that is known to be needed and still good.
    pub(crate) async fn current(&self, account: &Account<'_>, now: Instant) -> Option<Grant> {
        let slot = self.slot(account);
        let grant = slot.lock().await;
        grant
            .clone()
            .filter(|grant| grant.expires.is_none_or(|end| now < end))
    }

    /// A new grant in answer to `challenges`; `refused` is what was sent.
    pub(crate) async fn renew(
        &self,
        core: &Core,
        account: &Account<'_>,
        challenges: &Challenges,
        refused: Option<&Grant>,
    ) -> Result<Grant, Failure> {
        let slot = self.slot(account);
        let mut held = slot.lock().await;
        if let Some(grant) = &*held {
            let newer = refused.is_none_or(|refused| refused.header != grant.header);
            if newer
                && grant
                    .expires
                    .is_none_or(|end| core.config.clock.now() < end)
            {
                return Ok(grant.clone());
            }
        }
        *held = None;
        let grant = answer(core, account, challenges).await?;
        *held = Some(grant.clone());
        Ok(grant)
    }
}

async fn answer(
    core: &Core,
    account: &Account<'_>,
    challenges: &Challenges,
) -> Result<Grant, Failure> {
    let fail = |kind| Failure::at(kind, account.origin);
    let Endpoint {
        authority,
        repository,
        ..
    } = account.endpoint;
    let found = sources::find(&core.config, authority, repository).await;
    let origin = found.describe(authority);
    if let Some(Credential::RegistryToken(token)) = &found.credential {
        return bearer(token, vec![], None, origin).map_err(fail);
    }
    if let Some(bearer_challenge) = &challenges.bearer {
        return token::fetch(
            core,
            account,
            bearer_challenge,
            found.credential.as_ref(),
            origin,
        )
        .await;
    }
    if challenges.basic {
        return match &found.credential {
            Some(Credential::Basic { username, password }) => {
                basic(username, password, origin).map_err(fail)
            }
            Some(_) => {
                let what = format!("the registry wants a user name and a password; {origin}");
                Err(fail(ErrorKind::Unauthorized(what)))
            }
            None => Err(fail(ErrorKind::Unauthorized(origin))),
        };
    }
    let what = "a 401 that names neither Basic nor Bearer authentication".to_owned();
    Err(fail(ErrorKind::Protocol(what)))
}

/// `Authorization: Basic …` (RFC 7617).
fn basic(username: &str, password: &Secret, origin: String) -> Result<Grant, ErrorKind> {
    let encoded = STANDARD.encode(format!("{username}:{}", password.expose()));
    let header = sensitive(&format!("Basic {encoded}"))?;
    Ok(Grant {
        header,
        secrets: vec![password.clone(), encoded.into()],
        origin,
        expires: None,
    })
}

/// `Authorization: Bearer …` (RFC 6750).
fn bearer(
    token: &Secret,
    mut secrets: Vec<Secret>,
    expires: Option<Instant>,
    origin: String,
) -> Result<Grant, ErrorKind> {
    let header = sensitive(&format!("Bearer {}", token.expose()))?;
    secrets.push(token.clone());
    Ok(Grant {
        header,
        secrets,
        origin,
        expires,
    })
}

fn sensitive(text: &str) -> Result<HeaderValue, ErrorKind> {
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        ErrorKind::Token(
            "the token or credential has characters that no header may hold".to_owned(),
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_do_not_print_their_secrets() {
        let grant = basic("me", &"hunter22".into(), "from here".into()).unwrap();
        assert_eq!(grant.header, "Basic bWU6aHVudGVyMjI=");
        let shown = format!("{grant:?}");
        assert!(
            !shown.contains("hunter22") && !shown.contains("bWU6aHVudGVyMjI"),
            "{shown}"
        );
        assert!(bearer(&"a\nb".into(), vec![], None, String::new()).is_err());
    }
}
