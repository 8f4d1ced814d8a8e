//! Tokens from the service that a Bearer challenge names: GET with Basic
//! authentication or none, POST (OAuth 2) for identity tokens and for services
//! that know no GET.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::answer;
use crate::auth::challenge::Bearer;
use crate::auth::credential::Credential;
use crate::auth::{Account, Grant, basic, bearer};
use crate::body;
use crate::core::Core;
use crate::error::{ErrorKind, Failure, shown};
use crate::loopback::may_follow;
use crate::redirect;
use crate::secret::Secret;

const CLIENT_ID: &str = "nodeimage";
const BODY_LIMIT: u64 = 256 << 10;
/// The specification's default and least life of a token, in seconds.
const SHORTEST: u64 = 60;
const LONGEST: u64 = 24 * 3600;
/// Given up this long before the end, for the request to arrive in time.
const MARGIN: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<f64>,
}

/// Asks for a token that answers the challenge.
pub(super) async fn fetch(
    core: &Core,
    account: &Account<'_>,
    challenge: &Bearer,
    credential: Option<&Credential>,
    origin: String,
) -> Result<Grant, Failure> {
    let realm = realm(account.origin, &challenge.realm)?;
    let scope = match &challenge.scope {
        Some(scope) => scope.clone(),
        None => format!("repository:{}:pull", account.endpoint.repository),
    };
    let mut pairs = vec![("scope", scope.as_str()), ("client_id", CLIENT_ID)];
    if let Some(service) = &challenge.service {
        pairs.push(("service", service));
    }
    let asked = core.config.clock.now();
    let ask = Ask {
        core,
        realm: &realm,
        pairs,
        docker_hub: account.endpoint.is_docker_hub(),
    };
    let (answer, secrets) = match credential {
        None => (ask.get(HeaderMap::new(), &[]).await, vec![]),
        Some(Credential::Basic { username, password }) => {
            let Grant {
                header, secrets, ..
            } = basic(username, password, String::new())
                .map_err(|kind| Failure::at(kind, account.origin))?;
            let headers = HeaderMap::from_iter([(AUTHORIZATION, header)]);
            let mut answer = ask.get(headers, &secrets).await;
            let no_get = |kind: &ErrorKind| {
                matches!(
                    kind,
                    ErrorKind::NotFound(_) | ErrorKind::Status { status: 405, .. }
                )
            };
            if answer.as_ref().is_err_and(|failure| no_get(&failure.kind)) {
                let login = [
                    ("grant_type", "password"),
                    ("username", username.as_str()),
                    ("password", password.expose()),
                ];
                answer = ask.post(&login, &secrets).await;
            }
            (answer, secrets)
        }
        Some(Credential::IdentityToken(token) | Credential::RegistryToken(token)) => {
            let refresh = [
                ("grant_type", "refresh_token"),
                ("refresh_token", token.expose()),
            ];
            let secrets = vec![token.clone()];
            (ask.post(&refresh, &secrets).await, secrets)
        }
    };
    let response = answer.map_err(|failure| explain(failure, &origin))?;
    let bytes = body::read(
        response,
        "the token answer",
        BODY_LIMIT,
        core.transport.timeouts(),
    )
    .await?;
    let (token, life) =
        parse(&bytes).map_err(|what| Failure::at(ErrorKind::Token(what), &realm))?;
    let expires = asked.checked_add(life.saturating_sub(MARGIN));
    bearer(&token, secrets, expires, origin).map_err(|kind| Failure::at(kind, &realm))
}

/// Where tokens are had: `https`, or on this machine when the registry is too.
fn realm(origin: &Url, text: &str) -> Result<Url, Failure> {
    let fail = |what: String| Failure::at(ErrorKind::Token(what), origin);
    let realm =
        Url::parse(text).map_err(|error| fail(format!("its address is no URL: {error}")))?;
    if !realm.username().is_empty() || realm.password().is_some() {
        return Err(fail(format!(
            "its address {} has a user name or password",
            shown(&realm)
        )));
    }
    if !may_follow(origin, &realm) {
        return Err(fail(format!("its address {} is not https", shown(&realm))));
    }
    Ok(realm)
}

struct Ask<'a> {
    core: &'a Core,
    realm: &'a Url,
    pairs: Vec<(&'a str, &'a str)>,
    docker_hub: bool,
}

impl Ask<'_> {
    async fn get(&self, headers: HeaderMap, secrets: &[Secret]) -> Result<Response, Failure> {
        let mut url = self.realm.clone();
        url.query_pairs_mut().extend_pairs(&self.pairs);
        self.check(
            self.core
                .transport
                .send(Method::GET, &url, headers, None)
                .await?,
            secrets,
        )
        .await
    }

    async fn post(&self, more: &[(&str, &str)], secrets: &[Secret]) -> Result<Response, Failure> {
        let form = self.form(more);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        let sent = self
            .core
            .transport
            .send(Method::POST, self.realm, headers, Some(form))
            .await?;
        self.check(sent, secrets).await
    }

    fn form(&self, more: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&self.pairs).extend_pairs(more).finish()
    }

    async fn check(&self, response: Response, secrets: &[Secret]) -> Result<Response, Failure> {
        if response.status().is_success() {
            return Ok(response);
        }
        if redirect::is_redirect(&response) {
            let what = "it redirects, and credentials do not follow redirects".to_owned();
            return Err(Failure::at(ErrorKind::Token(what), self.realm));
        }
        let timeouts = self.core.transport.timeouts();
        Err(answer::failure(response, self.docker_hub, secrets, timeouts).await)
    }
}

/// A refusal by the token service is a refusal of the credential.
fn explain(failure: Failure, origin: &str) -> Failure {
    let kind = match failure.kind {
        // OAuth 2 says 400 to a bad refresh token.
        ErrorKind::Unauthorized(said)
        | ErrorKind::Denied(said)
        | ErrorKind::Status {
            status: 400,
            message: said,
        } => ErrorKind::Unauthorized(format!("the token service said: {said}; {origin}")),
        ErrorKind::NotFound(said) => ErrorKind::Token(said),
        ErrorKind::Status { status, message } => {
            ErrorKind::Token(format!("status {status}: {message}"))
        }
        other => other,
    };
    Failure { kind, ..failure }
}

/// Token and life. Nothing of the answer is repeated: it is a secret.
fn parse(bytes: &[u8]) -> Result<(Secret, Duration), String> {
    let answer: TokenAnswer =
        serde_json::from_slice(bytes).map_err(|_| "its answer is not the expected JSON")?;
    let token = [answer.token, answer.access_token]
        .into_iter()
        .flatten()
        .find(|text| !text.is_empty());
    let token = token.ok_or("its answer has no token")?;
    // `as` saturates, and takes NaN for 0.
    let seconds = answer.expires_in.map_or(SHORTEST, |seconds| seconds as u64);
    Ok((
        Secret::new(token),
        Duration::from_secs(seconds.clamp(SHORTEST, LONGEST)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_tokens() {
        let read = |text: &str| {
            parse(text.as_bytes()).map(|(token, life)| (token.expose().to_owned(), life.as_secs()))
        };
        assert_eq!(
            read(r#"{"token":"t","expires_in":300,"issued_at":"x"}"#),
            Ok(("t".into(), 300))
        );
        assert_eq!(read(r#"{"access_token":"a"}"#), Ok(("a".into(), 60)));
        assert_eq!(
            read(r#"{"token":"","access_token":"a","expires_in":-1}"#),
            Ok(("a".into(), 60))
        );
        assert_eq!(
            read(r#"{"token":"t","expires_in":1e300}"#),
            Ok(("t".into(), LONGEST))
        );
        assert!(read("{}").is_err());
        assert!(
            !read(r#"{"token":["s3cret"]}"#)
                .unwrap_err()
                .contains("s3cret")
        );
    }

    #[test]
    fn tokens_are_asked_for_over_https_only() {
        let remote = Url::parse("https://r.example/v2/").unwrap();
        let local = Url::parse("http://127.0.0.1:5000/v2/").unwrap();
        assert!(realm(&remote, "https://auth.example/token?a=b").is_ok());
        assert!(realm(&local, "http://localhost:1/token").is_ok());
        for bad in [
            "http://auth.example/token",
            "http://127.0.0.1/token",
            "token",
            "https://u:p@auth.example/",
        ] {
            assert!(realm(&remote, bad).is_err(), "{bad}");
        }
    }
}
