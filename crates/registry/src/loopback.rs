//! Where plain `http` is allowed, and what a registry's address may look like.

use url::{Host, Url};

/// Whether a URL's host is this machine: `localhost`, 127.0.0.0/8 or `::1`.
/// Decided by the name alone; nothing is looked up.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether `http` or `https` URL `to` may be requested on behalf of `from`.
/// `http` never leaves this machine, and no other machine may send us to it.
pub(crate) fn may_follow(from: &Url, to: &Url) -> bool {
    match to.scheme() {
        "https" => true,
        "http" => is_loopback(to) && is_loopback(from),
        _ => false,
    }
}

/// Checks `host[:port]`; says what is wrong with it.
pub(crate) fn check_authority(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "is not HOST or HOST:PORT";
    if text.contains("://") {
        return Err("must be HOST or HOST:PORT without a scheme");
    }
    let plain = |c: u8| c.is_ascii_alphanumeric() || b".-_:[]".contains(&c);
    if text.is_empty() || text.len() > 260 || !text.bytes().all(plain) {
        return Err(FORM);
    }
    let url = Url::parse(&format!("https://{text}/")).map_err(|_| FORM)?;
    if url.port() == Some(0) || !url.has_host() {
        return Err(FORM);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn loopback_is_decided_by_name() {
        for yes in [
            "http://localhost:1",
            "http://127.9.9.9",
            "http://[::1]:5000",
            "http://127.1/",
        ] {
            assert!(is_loopback(&url(yes)), "{yes}");
        }
        for no in [
            "http://localhost.evil.example",
            "http://128.0.0.1",
            "http://0.0.0.0",
            "http://[::2]",
        ] {
            assert!(!is_loopback(&url(no)), "{no}");
        }
    }

    #[test]
    fn http_stays_on_this_machine() {
        let (here, there) = (url("http://127.0.0.1:1/"), url("https://r.example/"));
        assert!(may_follow(&here, &url("http://localhost:2/")));
        assert!(may_follow(&here, &there) && may_follow(&there, &there));
        assert!(!may_follow(&there, &here));
        assert!(!may_follow(&here, &url("http://10.0.0.1/")));
        assert!(!may_follow(&here, &url("file:///etc/passwd")));
    }
}
