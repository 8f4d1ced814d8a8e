//! The handshake of HashiCorp's go-plugin: environment in, one line out.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::ServeError;

const COOKIE: &str = "TF_PLUGIN_MAGIC_COOKIE";
const COOKIE_VALUE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
const CORE_PROTOCOL: u8 = 1;
const PROTOCOL: &str = "6";

/// What Terraform asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) security: Security,
    /// It wants to know if several services can share a connection in
    /// go-plugin's own way.
    asks_multiplex: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// TLS; the client has exactly this certificate, in PEM.
    Mutual { client: String },
    /// For tests: Terraform was told to do without.
    None,
}

/// True if Terraform started this process.
pub fn is_plugin_launch() -> bool {
    std::env::var(COOKIE).is_ok_and(|cookie| cookie == COOKIE_VALUE)
}

/// Reads the environment; `None` if it was not Terraform that started us.
pub(super) fn request(env: impl Fn(&str) -> Option<String>) -> Result<Option<Request>, ServeError> {
    let get = |name: &str| env(name).filter(|value| !value.is_empty());
    if get(COOKIE).as_deref() != Some(COOKIE_VALUE) {
        return Ok(None);
    }
    if let Some(offered) = get("PLUGIN_PROTOCOL_VERSIONS")
        && !offered.split(',').any(|version| version.trim() == PROTOCOL)
    {
        return Err(ServeError::Protocol { offered });
    }
    let security = match get("PLUGIN_CLIENT_CERT") {
        Some(client) => Security::Mutual { client },
        None if get("TF_DISABLE_PLUGIN_TLS").is_some() => Security::None,
        None => return Err(ServeError::NoClientCertificate),
    };
    Ok(Some(Request {
        security,
        asks_multiplex: get("PLUGIN_MULTIPLEX_GRPC").is_some(),
    }))
}

/// The line that tells Terraform where we are and how to know us.
pub(super) fn line(request: &Request, socket: &Path, certificate: &[u8]) -> String {
    let socket = socket.display();
    let certificate = STANDARD_NO_PAD.encode(certificate);
    let mut line = format!("{CORE_PROTOCOL}|{PROTOCOL}|unix|{socket}|grpc|{certificate}");
    // Older clients don't expect the field; it is the name of yamux, which
    // providers have no use for.
    if request.asks_multiplex {
        line.push_str("|false");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(extra: &[(&str, &str)]) -> Result<Option<Request>, ServeError> {
        request(|name| {
            let found = extra.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_the_cookie_it_is_a_program_like_others() {
        assert!(ask(&[]).unwrap().is_none());
        assert!(
            ask(&[(COOKIE, "x"), ("PLUGIN_CLIENT_CERT", "c")])
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn versions_in_any_order() {
        let with = |versions| {
            ask(&[
                (COOKIE, COOKIE_VALUE),
                ("PLUGIN_CLIENT_CERT", "c"),
                ("PLUGIN_PROTOCOL_VERSIONS", versions),
            ])
        };
        assert!(with("5,6").unwrap().is_some());
        assert!(with("6,5").unwrap().is_some());
        assert!(with("").unwrap().is_some());
        let error = with("5,7").unwrap_err().to_string();
        assert!(error.contains("5,7") && error.contains("only 6"), "{error}");
    }

    #[test]
    fn tls_unless_told_not_to() {
        assert!(matches!(
            ask(&[(COOKIE, COOKIE_VALUE)]),
            Err(ServeError::NoClientCertificate)
        ));
        let none = ask(&[(COOKIE, COOKIE_VALUE), ("TF_DISABLE_PLUGIN_TLS", "1")]);
        assert_eq!(none.unwrap().unwrap().security, Security::None);
        let both = ask(&[
            (COOKIE, COOKIE_VALUE),
            ("TF_DISABLE_PLUGIN_TLS", "1"),
            ("PLUGIN_CLIENT_CERT", "c"),
        ]);
        assert_ne!(both.unwrap().unwrap().security, Security::None);
    }

    #[test]
    fn the_line() {
        let base = [(COOKIE, COOKIE_VALUE), ("PLUGIN_CLIENT_CERT", "c")];
        let plain = ask(&base).unwrap().unwrap();
        assert_eq!(
            line(&plain, Path::new("/t/s"), b"abcd"),
            "1|6|unix|/t/s|grpc|YWJjZA"
        );
        let asking = [base[0], base[1], ("PLUGIN_MULTIPLEX_GRPC", "true")];
        let asking = ask(&asking).unwrap().unwrap();
        assert_eq!(
            line(&asking, Path::new("/t/s"), b"abcd"),
            "1|6|unix|/t/s|grpc|YWJjZA|false"
        );
    }
}
