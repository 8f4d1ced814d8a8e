//! Which redirects are followed.

use reqwest::Response;
use reqwest::header::LOCATION;
use url::Url;

use crate::error::{ErrorKind, Failure, shown};
use crate::loopback::may_follow;

/// Registry → storage → content network is two.
pub(crate) const MOST: usize = 5;

/// Whether the answer is a redirect of a GET or HEAD.
pub(crate) fn is_redirect(response: &Response) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The URL that a redirect leads to, when following it is safe.
pub(crate) fn next(response: &Response) -> Result<Url, Failure> {
    let from = response.url();
    let refuse = |why: String| Failure::at(ErrorKind::Redirect(why), from);
    let location = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| refuse("it names no location".to_owned()))?;
    target(from, location).map_err(refuse)
}

fn target(from: &Url, location: &str) -> Result<Url, String> {
    let to = from
        .join(location)
        .map_err(|error| format!("its location is no URL: {error}"))?;
    if !to.username().is_empty() || to.password().is_some() {
        return Err(format!("{} came with a user name or password", shown(&to)));
    }
    if !may_follow(from, &to) {
        return Err(format!(
            "{} is not https (http is for loopback addresses only, and only from one)",
            shown(&to)
        ));
    }
    Ok(to)
}

/// Same scheme, host and port: where credentials may go along.
pub(crate) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host() == b.host()
        && a.port_or_known_default() == b.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_https_and_local_http_only() {
        let remote = Url::parse("https://r.example/v2/a/blobs/x").unwrap();
        let local = Url::parse("http://127.0.0.1:5000/v2/a/blobs/x").unwrap();
        let go = |from: &Url, location: &str| target(from, location).map(|url| url.to_string());
        assert_eq!(go(&remote, "/b?x=1").unwrap(), "https://r.example/b?x=1");
        assert_eq!(
            go(&remote, "//cdn.example/b").unwrap(),
            "https://cdn.example/b"
        );
        assert!(go(&local, "http://localhost:1/b").is_ok());
        for bad in [
            "http://cdn.example/b",
            "http://127.0.0.1/b",
            "file:///etc/passwd",
            "https://u:p@h/",
            "https://",
        ] {
            assert!(go(&remote, bad).is_err(), "{bad}");
        }
        let error = go(&remote, "http://u:s3cret@h/?sig=s3cret").unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a, b| same_origin(&Url::parse(a).unwrap(), &Url::parse(b).unwrap());
        assert!(same("https://h/", "https://H:443/x"));
        assert!(!same("https://h/", "https://h:444/"));
        assert!(!same("https://h/", "http://h:443/"));
        assert!(!same("https://h/", "https://sub.h/"));
    }
}
