//! What a failing answer means.

use reqwest::{Response, StatusCode};
use serde::Deserialize;

use crate::body;
use crate::config::Timeouts;
use crate::error::{ErrorKind, Failure, quoted};
use crate::retry::{retry_after, too_many};
use crate::secret::Secret;

const BODY_LIMIT: u64 = 64 << 10;
/// Errors of one answer worth repeating.
const SHOWN: usize = 3;

/// Turns an answer that is not a success into a failure. `secrets` were sent
/// with the request and are blanked out should they come back.
pub(crate) async fn failure(
    response: Response,
    docker_hub: bool,
    secrets: &[Secret],
    timeouts: &Timeouts,
) -> Failure {
    let (status, url) = (response.status(), response.url().clone());
    let wait = retry_after(response.headers());
    // The status alone is an answer; a broken text adds nothing.
    let text = body::read(response, "the error text", BODY_LIMIT, timeouts).await;
    let message = message(status, &text.unwrap_or_default(), secrets);
    let number = status.as_u16();
    let kind = match number {
        401 => ErrorKind::Unauthorized(message),
        403 => ErrorKind::Denied(message),
        404 => ErrorKind::NotFound(message),
        429 => too_many(message, wait, docker_hub),
        408 | 500..=599 => ErrorKind::Server {
            status: number,
            message,
        },
        _ => ErrorKind::Status {
            status: number,
            message,
        },
    };
    Failure {
        retry_after: wait,
        ..Failure::at(kind, &url)
    }
}

/// The distribution specification's error list.
#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// OAuth 2's, and what Docker's own token service says.
#[derive(Deserialize)]
struct TokenError {
    error_description: Option<String>,
    error: Option<String>,
    details: Option<String>,
    message: Option<String>,
}

fn message(status: StatusCode, body: &[u8], secrets: &[Secret]) -> String {
    let text = words(body).unwrap_or_default();
    let clean = secrets
        .iter()
        .fold(text, |text, secret| secret.scrub(&text));
    let clean = quoted(&clean);
    if clean.is_empty() {
        status
            .canonical_reason()
            .unwrap_or("no explanation given")
            .to_lowercase()
    } else {
        clean
    }
}

fn words(body: &[u8]) -> Option<String> {
    if let Ok(Errors { errors }) = serde_json::from_slice(body) {
        let shown = errors
            .iter()
            .take(SHOWN)
            .map(|ErrorEntry { code, message }| {
                let joint = if code.is_empty() || message.is_empty() {
                    ""
                } else {
                    ": "
                };
                format!("{code}{joint}{message}")
            });
        return Some(shown.collect::<Vec<_>>().join(", "));
    }
    if let Ok(error) = serde_json::from_slice::<TokenError>(body) {
        return error
            .error_description
            .or(error.details)
            .or(error.message)
            .or(error.error);
    }
    let text = std::str::from_utf8(body).ok()?;
    // A web page from some proxy in between says nothing in one line.
    (!text.trim_start().starts_with('<')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> String {
        message(
            StatusCode::NOT_FOUND,
            body.as_bytes(),
            &[Secret::new("hunter22")],
        )
    }

    #[test]
    fn finds_the_words() {
        let errors = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}},{"code":"A"}]}"#;
        assert_eq!(said(errors), "MANIFEST_UNKNOWN: manifest unknown, A");
        assert_eq!(
            said(r#"{"details":"incorrect username or password"}"#),
            "incorrect username or password"
        );
        assert_eq!(said("404 page not found\n"), "404 page not found");
        assert_eq!(said("<html><body>…"), "not found");
        assert_eq!(said(""), "not found");
        assert_eq!(said("{\"errors\":[]}"), "not found");
    }

    #[test]
    fn blanks_out_echoed_secrets() {
        assert_eq!(said("you sent hunter22"), "you sent ***");
    }
}
