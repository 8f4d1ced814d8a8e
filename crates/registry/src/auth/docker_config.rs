//! Docker's `config.json` and podman's `auth.json`: one format, of which
//! podman also uses keys with a path (`containers-auth.json(5)`).
//!
//! `docker_credential` 1.4 reads both but takes places and helper search path
//! from the process environment, runs helpers without a time limit and tells
//! nothing about where it looked, which errors here have to.

use std::collections::BTreeMap;
use std::io::ErrorKind as IoErrorKind;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use tokio::io::AsyncReadExt;

use crate::auth::credential::Credential;

const LIMIT: u64 = 4 << 20;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The part of the file that is about credentials.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AuthFile {
    auths: BTreeMap<String, Auth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// What the file says about a repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Found(Credential),
    Missing,
    /// There is one, but not a usable one.
    Unusable(String),
}

impl AuthFile {
    /// Reads a file; errors say why not, without its name and contents.
    pub(super) async fn read(path: &Path) -> Result<Self, String> {
        let file = match tokio::fs::File::open(path).await {
            Ok(file) => file,
            Err(error) if error.kind() == IoErrorKind::NotFound => {
                return Err("no such file".to_owned());
            }
            Err(error) => return Err(format!("cannot be read: {error}")),
        };
        let mut bytes = Vec::new();
        let read = file.take(LIMIT + 1).read_to_end(&mut bytes).await;
        read.map_err(|error| format!("cannot be read: {error}"))?;
        if bytes.len() as u64 > LIMIT {
            return Err(format!("is longer than {LIMIT} bytes"));
        }
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        // serde's own words may quote a value, and values are secrets.
        serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("is not JSON of the expected form (line {line}, column {column})")
        })
    }

    /// Name of the helper to ask for a registry, if any.
    pub(super) fn helper(&self, registry: &str) -> Option<&str> {
        let of_registry = names(registry).find_map(|name| self.cred_helpers.get(name));
        let helper = of_registry.unwrap_or(&self.creds_store);
        (!helper.is_empty()).then_some(helper)
    }

    /// The file's own entry, longest path first, then any spelling of the
    /// registry's address that Docker has used.
    pub(super) fn entry(&self, registry: &str, repository: &str) -> Entry {
        let exact = scopes(registry, repository).find_map(|scope| self.auths.get(&scope));
        let found = exact.or_else(|| {
            let mut auths = self.auths.iter();
            auths
                .find(|(key, _)| names(registry).any(|name| host_of(key) == name))
                .map(|(_, auth)| auth)
        });
        found.map_or(Entry::Missing, Auth::entry)
    }
}

impl Auth {
    fn entry(&self) -> Entry {
        if !self.registrytoken.is_empty() {
            return Entry::Found(Credential::RegistryToken(
                self.registrytoken.as_str().into(),
            ));
        }
        if !self.identitytoken.is_empty() {
            return Entry::Found(Credential::IdentityToken(
                self.identitytoken.as_str().into(),
            ));
        }
        let (username, password) = if self.auth.is_empty() {
            (self.username.clone(), self.password.clone())
        } else {
            let decoded = BASE64.decode(self.auth.trim()).ok();
            let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            let Some((username, password)) = text.as_deref().and_then(|text| text.split_once(':'))
            else {
                return Entry::Unusable("its `auth` is not base64 of USER:PASSWORD".to_owned());
            };
            // Docker pads with NUL.
            (username.to_owned(), password.trim_matches('\0').to_owned())
        };
        match (username.as_str(), password.is_empty()) {
            // An empty entry is what a credential store leaves behind.
            ("", _) | (_, true) => Entry::Missing,
            ("<token>", false) => Entry::Found(Credential::IdentityToken(password.into())),
            _ => Entry::Found(Credential::Basic {
                username,
                password: password.into(),
            }),
        }
    }
}

/// `host/a/b`, `host/a`, `host`.
pub(super) fn scopes<'a>(
    registry: &'a str,
    repository: &'a str,
) -> impl Iterator<Item = String> + 'a {
    let mut path = Some(repository);
    let longer = std::iter::from_fn(move || {
        let current = path?;
        path = current.rsplit_once('/').map(|(parent, _)| parent);
        Some(format!("{registry}/{current}"))
    });
    longer.chain(std::iter::once(registry.to_owned()))
}

/// The names under which files have a registry.
fn names(registry: &str) -> impl Iterator<Item = &str> {
    let hub: &[&str] = if registry == "docker.io" {
        &[
            "https://index.docker.io/v1/",
            "index.docker.io",
            "registry-1.docker.io",
        ]
    } else {
        &[]
    };
    std::iter::once(registry).chain(hub.iter().copied())
}

/// The host of an old-style key, `https://host/v1/`. A key with another path is
/// about part of a registry only and must not serve for the rest.
fn host_of(key: &str) -> &str {
    let address = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    let (host, path) = address
        .unwrap_or(key)
        .split_once('/')
        .unwrap_or((address.unwrap_or(key), ""));
    match path.trim_end_matches('/') {
        "" | "v1" | "v2" => host,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> AuthFile {
        AuthFile::parse(json.as_bytes())
            .map_err(|e| panic!("{e}"))
            .unwrap_or_default()
    }

    fn basic(username: &str, password: &str) -> Entry {
        Entry::Found(Credential::Basic {
            username: username.into(),
            password: password.into(),
        })
    }

    #[test]
    fn kinds_of_entries() {
        let file = parse(
            r#"{"HttpHeaders":{"a":"b"},"auths":{
                "plain.example":{"username":"u","password":"p:w"},
                "auth.example":{"auth":"dTpwOnc=","email":"x"},
                "unpadded.example":{"auth":"dTpwOnc"},
                "id.example":{"auth":"dTpwOnc=","identitytoken":"refresh"},
                "token.example":{"auth":"PHRva2VuPjpyZWZyZXNo"},
                "reg.example":{"registrytoken":"bearer"},
                "empty.example":{},
                "junk.example":{"auth":"%%%"}}}"#,
        );
        for host in ["plain.example", "auth.example", "unpadded.example"] {
            assert_eq!(file.entry(host, "a"), basic("u", "p:w"), "{host}");
        }
        for host in ["id.example", "token.example"] {
            let entry = Entry::Found(Credential::IdentityToken("refresh".into()));
            assert_eq!(file.entry(host, "a"), entry);
        }
        let entry = Entry::Found(Credential::RegistryToken("bearer".into()));
        assert_eq!(file.entry("reg.example", "a"), entry);
        assert_eq!(file.entry("empty.example", "a"), Entry::Missing);
        assert!(matches!(
            file.entry("junk.example", "a"),
            Entry::Unusable(_)
        ));
        assert_eq!(file.entry("other.example", "a"), Entry::Missing);
    }

    #[test]
    fn spellings_of_addresses() {
        let file = parse(
            r#"{"auths":{"https://index.docker.io/v1/":{"auth":"aDpw"},
                "https://old.example/v2/":{"auth":"bzpw"}, "localhost:5000":{"auth":"bDpw"}}}"#,
        );
        assert_eq!(file.entry("docker.io", "library/a"), basic("h", "p"));
        assert_eq!(file.entry("old.example", "a"), basic("o", "p"));
        assert_eq!(file.entry("localhost:5000", "a"), basic("l", "p"));
        assert_eq!(
            file.entry("localhost", "a"),
            Entry::Missing,
            "a port is another registry"
        );
    }

    #[test]
    fn podman_scopes() {
        let file = parse(
            r#"{"auths":{"quay.io":{"auth":"aDpw"},"quay.io/acme":{"auth":"bjpw"},
                "quay.io/acme/app":{"auth":"cjpw"},"part.io/acme":{"auth":"bjpw"}}}"#,
        );
        assert_eq!(file.entry("quay.io", "acme/app"), basic("r", "p"));
        assert_eq!(file.entry("quay.io", "acme/other/x"), basic("n", "p"));
        assert_eq!(file.entry("quay.io", "acmex"), basic("h", "p"));
        assert_eq!(file.entry("part.io", "other"), Entry::Missing);
    }

    #[test]
    fn helpers_of_registries_before_the_store() {
        let file = parse(r#"{"credsStore":"s","credHelpers":{"a.example":"h","docker.io":"d"}}"#);
        assert_eq!(file.helper("a.example"), Some("h"));
        assert_eq!(file.helper("docker.io"), Some("d"));
        assert_eq!(file.helper("b.example"), Some("s"));
        assert_eq!(parse("{}").helper("a"), None);
    }

    #[test]
    fn a_broken_file_is_not_quoted() {
        let error = AuthFile::parse(br#"{"auths":{"a":{"auth":["s3cret"]}}}"#)
            .err()
            .unwrap();
        assert!(
            error.contains("line 1") && !error.contains("s3cret"),
            "{error}"
        );
    }
}
