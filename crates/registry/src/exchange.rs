//! One request for manifest or blob, with what HTTP puts in between: challenges
//! and redirects.

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Response};

use crate::answer;
use crate::auth::{self, challenge};
use crate::core::Core;
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Failure};
use crate::redirect;

/// What to ask for.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// `manifests/…`, `blobs/…` or `referrers/…`.
    pub(crate) path: String,
    /// Without the question mark; empty for none.
    pub(crate) query: String,
    pub(crate) accept: Option<HeaderValue>,
    /// Leave out this many bytes at the start.
    pub(crate) skip: u64,
}

impl Call {
    fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(accept) = &self.accept {
            headers.insert(ACCEPT, accept.clone());
        }
        if self.skip > 0 {
            let range = HeaderValue::try_from(format!("bytes={}-", self.skip));
            let bad = |_| Failure::new(ErrorKind::Protocol("bad range".to_owned()));
            headers.insert(RANGE, range.map_err(bad)?);
        }
        Ok(headers)
    }
}

/// Sends the call to the endpoint and gives back a successful answer. Answers a
/// challenge once: a second one means that the credential was refused.
pub(crate) async fn exchange(
    core: &Core,
    endpoint: &Endpoint,
    call: &Call,
) -> Result<Response, Failure> {
    let scheme = core.scheme(endpoint).await?;
    let mut origin = endpoint.url(scheme, &call.path)?;
    if !call.query.is_empty() {
        // Behind what a mirror is told.
        let query = [origin.query(), Some(&call.query)];
        let query: Vec<&str> = query.into_iter().flatten().collect();
        origin.set_query(Some(&query.join("&")));
    }
    let account = auth::Account {
        endpoint,
        origin: &origin,
    };
    let mut grant = core.auth.current(&account, core.config.clock.now()).await;
    let mut challenged = false;
    let mut hops = 0;
    let mut url = origin.clone();
    loop {
        let at_home = redirect::same_origin(&url, &origin);
        let mut headers = call.headers()?;
        if let Some(grant) = grant.as_ref().filter(|_| at_home) {
            headers.insert(AUTHORIZATION, grant.header.clone());
        }
        let response = core
            .transport
            .send(call.method.clone(), &url, headers, None)
            .await?;
        if response.status().is_success() {
            return Ok(response);
        }
        if redirect::is_redirect(&response) {
            hops += 1;
            if hops > redirect::MOST {
                let why = format!("there were {hops} in a row");
                return Err(Failure::at(ErrorKind::Redirect(why), &origin));
            }
            url = redirect::next(&response)?;
            continue;
        }
        let timeouts = core.transport.timeouts();
        let secrets = grant
            .as_ref()
            .map(|grant| &*grant.secrets)
            .unwrap_or_default();
        if response.status().as_u16() == 401 && at_home {
            let challenges = challenge::read(response.headers());
            let refused =
                answer::failure(response, endpoint.is_docker_hub(), secrets, timeouts).await;
            if challenged {
                let said = match refused.kind {
                    ErrorKind::Unauthorized(said) => said,
                    other => other.to_string(),
                };
                let tried = grant.map(|grant| grant.origin).unwrap_or_default();
                let what = format!("{said}; {tried}");
                return Err(Failure::at(ErrorKind::Unauthorized(what), &url));
            }
            challenged = true;
            grant = Some(
                core.auth
                    .renew(core, &account, &challenges, grant.as_ref())
                    .await?,
            );
            url = origin.clone();
            hops = 0;
            continue;
        }
        let mut failure = answer::failure(
            response,
            endpoint.is_docker_hub() && at_home,
            secrets,
            timeouts,
        )
        .await;
        if let (ErrorKind::Denied(said), Some(grant)) = (&mut failure.kind, &grant) {
            said.push_str("; ");
            said.push_str(&grant.origin);
        }
        return Err(failure);
    }
}
