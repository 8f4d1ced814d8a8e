//! One HTTP request, one answer: TLS, proxies and time-outs. Follows nothing,
//! repeats nothing, decodes nothing.

use std::error::Error as StdError;
use std::io;
use std::sync::OnceLock;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Method, NoProxy, Proxy, Request, Response, redirect};
use rustls::pki_types::CertificateDer;
use url::Url;

use crate::config::{Config, Proxies, Timeouts};
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::tls;

const USER_AGENT: &str = concat!("nodeimage/", env!("CARGO_PKG_VERSION"));
const MAX_HEADERS: usize = 100;

/// Reading the system's certificates takes milliseconds, so the HTTP client is
/// made for the first request: a plan that needs no network pays nothing.
pub(crate) struct Transport {
    client: OnceLock<std::result::Result<reqwest::Client, String>>,
    authorities: Vec<CertificateDer<'static>>,
    proxy: Option<Proxy>,
    timeouts: Timeouts,
}

impl Transport {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            client: OnceLock::new(),
            authorities: tls::read_authorities(&config.ca_files)?,
            proxy: proxy(&config.proxies)?,
            timeouts: config.timeouts.clone(),
        })
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    fn client(&self) -> std::result::Result<&reqwest::Client, Failure> {
        let made = self.client.get_or_init(|| {
            let mut builder = reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .redirect(redirect::Policy::none())
                .referer(false)
                .http1_only()
                .http1_max_headers(MAX_HEADERS)
                .connect_timeout(self.timeouts.connect)
                .tls_backend_preconfigured(tls::client_config(&self.authorities)?)
                .no_proxy();
            if let Some(proxy) = &self.proxy {
                builder = builder.proxy(proxy.clone());
            }
            builder
                .build()
                .map_err(|error| causes(&error.without_url()))
        });
        made.as_ref()
            .map_err(|what| Failure::new(ErrorKind::BadConfig(what.clone())))
    }

    /// Sends a request and waits for the answer's headers.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Option<String>,
    ) -> std::result::Result<Response, Failure> {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut request = Request::new(method, url.clone());
        *request.headers_mut() = headers;
        *request.body_mut() = body.map(Into::into);
        let answer = self.client()?.execute(request);
        let limit = self.timeouts.response;
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(response)) => {
                let status = response.status().as_u16();
                tracing::debug!(url = crate::error::shown(url), status, "registry answered");
                Ok(response)
            }
            Ok(Err(error)) => Err(Failure::at(classify(error, &self.timeouts), url)),
            Err(_) => {
                let what = "waiting for the answer";
                Err(Failure::at(ErrorKind::Timeout { what, after: limit }, url))
            }
        }
    }
}

fn proxy(config: &Proxies) -> Result<Option<Proxy>> {
    let Some(secret) = &config.https else {
        return Ok(None);
    };
    // The text may hold a password, so it is never repeated.
    let bad = |what: &str| {
        let what = format!("the proxy for https {what}; give http://[USER:PASSWORD@]HOST[:PORT]");
        Error::new("", ErrorKind::BadConfig(what))
    };
    let text = secret.expose();
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&text).map_err(|_| bad("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("is of a kind that is not supported"));
    }
    let direct = format!("{},localhost,127.0.0.0/8,::1", config.no_proxy);
    let proxy = Proxy::https(url).map_err(|_| bad("cannot be used"))?;
    Ok(Some(proxy.no_proxy(NoProxy::from_string(&direct))))
}

/// What a failed request failed of.
pub(crate) fn classify(error: reqwest::Error, timeouts: &Timeouts) -> ErrorKind {
    let error = error.without_url();
    if let Some(tls) = tls_cause(&error) {
        let hint = match tls {
            rustls::Error::InvalidCertificate(_) => {
                "if the registry has a certificate of its own authority, name that in the CA files"
            }
            rustls::Error::InvalidMessage(_) => {
                "it seems to speak plain http, which is allowed for loopback addresses only"
            }
            _ => "check the registry's and the proxy's TLS set-up",
        };
        return ErrorKind::Tls(tls.to_string(), hint);
    }
    if error.is_timeout() {
        return ErrorKind::Timeout {
            what: "connecting",
            after: timeouts.connect,
        };
    }
    let text = causes(&error);
    if error.is_connect() {
        ErrorKind::Connect(text)
    } else {
        ErrorKind::Interrupted(text)
    }
}

/// `io::Error::source` skips the error it wraps, so that one is looked at too.
fn tls_cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| tls_cause(inner)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An error and its causes in one line, without repetitions.
fn causes(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        let text = crate::error::quoted(&error.to_string());
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    if parts.is_empty() {
        crate::error::quoted(&error.to_string())
    } else {
        parts.join(": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_errors_do_not_repeat_the_proxy() {
        for bad in [
            "socks5://u:s3cret@h",
            "http://u:s3cret@",
            "http://u:s3cret@h:x",
        ] {
            let config = Proxies {
                https: Some(bad.into()),
                no_proxy: String::new(),
            };
            let error = proxy(&config).unwrap_err().to_string();
            assert!(
                !error.contains("s3cret") && error.contains("https"),
                "{error}"
            );
        }
        let config = Proxies {
            https: Some("proxy.example:3128".into()),
            no_proxy: String::new(),
        };
        assert!(proxy(&config).unwrap().is_some());
    }
}
