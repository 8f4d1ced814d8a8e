//! The places credentials are looked for, in order: explicit ones, Docker's
//! configuration, podman's.

use std::path::Path;

use crate::auth::credential::Credential;
use crate::auth::docker_config::{AuthFile, Entry, scopes};
use crate::auth::helpers;
use crate::config::Config;

/// The outcome of a search.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) credential: Option<Credential>,
    /// Where it was found.
    source: Option<String>,
    /// Places that had none, and why.
    tried: Vec<String>,
}

impl Found {
    fn with(mut self, credential: Credential, source: String) -> Self {
        self.credential = Some(credential);
        self.source = Some(source);
        self
    }

    /// For the error of a refused request.
    pub(super) fn describe(&self, registry: &str) -> String {
        match &self.source {
            Some(source) => {
                format!("the credentials were from {source}; check or renew them there")
            }
            None => {
                let tried = if self.tried.is_empty() {
                    "nowhere is configured".to_owned()
                } else {
                    self.tried.join(", ")
                };
                format!(
                    "no credentials for {registry} were found (looked in: {tried}); give them in the \
                     configuration, or run `docker login {registry}`"
                )
            }
        }
    }
}

/// The credential for a repository, and an account of the search. A source that
/// cannot be read or a helper that fails does not end it.
pub(super) async fn find(config: &Config, registry: &str, repository: &str) -> Found {
    let mut found = Found::default();
    if !config.credentials.is_empty() {
        let best = scopes(registry, repository)
            .find_map(|scope| config.credentials.iter().find(|login| login.scope == scope));
        match best {
            Some(login) => return found.with(login.credential.clone(), login.source.clone()),
            None => found
                .tried
                .push("the given credentials: no entry".to_owned()),
        }
    }
    let files = config
        .credential_files
        .docker
        .iter()
        .chain(&config.credential_files.podman);
    for file in files {
        match in_file(config, file, registry, repository).await {
            Ok((credential, source)) => return found.with(credential, source),
            Err(why) => found.tried.push(format!("{}: {why}", file.display())),
        }
    }
    found
}

async fn in_file(
    config: &Config,
    file: &Path,
    registry: &str,
    repository: &str,
) -> Result<(Credential, String), String> {
    let parsed = AuthFile::read(file).await?;
    let mut why = "no entry".to_owned();
    if let Some(helper) = parsed.helper(registry) {
        let files = &config.credential_files;
        let server = helper_server(registry);
        match helpers::get(helper, server, &files.helper_dirs, config.timeouts.helper).await {
            Ok(Some(credential)) => {
                let source = format!("docker-credential-{helper}, named in {}", file.display());
                return Ok((credential, source));
            }
            Ok(None) => why = format!("docker-credential-{helper} has no entry"),
            Err(error) => why = format!("docker-credential-{helper} {error}"),
        }
        tracing::debug!(why, "credential helper gave nothing");
    }
    match parsed.entry(registry, repository) {
        Entry::Found(credential) => Ok((credential, file.display().to_string())),
        Entry::Missing => Err(why),
        Entry::Unusable(what) => Err(what),
    }
}

/// The name under which Docker's own tools file a registry with helpers.
fn helper_server(registry: &str) -> &str {
    if registry == "docker.io" {
        "https://index.docker.io/v1/"
    } else {
        registry
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::auth::credential::Login;
    use crate::config::CredentialFiles;

    fn basic(username: &str) -> Credential {
        Credential::Basic {
            username: username.into(),
            password: "pw".into(),
        }
    }

    /// `bTpwdw==` and so on are `m:pw`.
    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> (Self, Config) {
            let home = Self(tempfile::tempdir().unwrap());
            let at = |name: &str| home.0.path().join(name);
            let credential_files = CredentialFiles {
                docker: Some(at("config.json")),
                podman: vec![at("auth1.json"), at("auth2.json")],
                helper_dirs: vec![at("bin")],
            };
            std::fs::create_dir(at("bin")).unwrap();
            (
                home,
                Config {
                    credential_files,
                    ..Config::default()
                },
            )
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.0.path().join(name), text).unwrap();
        }

        fn helper(&self, name: &str, script: &str) {
            let path = self
                .0
                .path()
                .join("bin")
                .join(format!("docker-credential-{name}"));
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[tokio::test]
    async fn order_is_explicit_docker_podman() {
        let (home, mut config) = Home::new();
        home.write(
            "auth2.json",
            r#"{"auths":{"r.example":{"auth":"cDI6cHc="}}}"#,
        );
        let found = find(&config, "r.example", "a").await;
        assert_eq!(found.credential, Some(basic("p2")));
        home.write(
            "auth1.json",
            r#"{"auths":{"r.example":{"auth":"cDE6cHc="}}}"#,
        );
        assert_eq!(
            find(&config, "r.example", "a").await.credential,
            Some(basic("p1"))
        );
        home.write(
            "config.json",
            r#"{"auths":{"r.example":{"auth":"ZDpwdw=="}}}"#,
        );
        assert_eq!(
            find(&config, "r.example", "a").await.credential,
            Some(basic("d"))
        );
        config
            .credentials
            .push(Login::new("r.example", basic("e"), "the provider block").unwrap());
        config
            .credentials
            .push(Login::new("r.example/team", basic("t"), "the provider block").unwrap());
        let found = find(&config, "r.example", "a").await;
        assert_eq!(found.credential, Some(basic("e")));
        assert!(found.describe("r.example").contains("the provider block"));
        assert_eq!(
            find(&config, "r.example", "team/x").await.credential,
            Some(basic("t"))
        );
        assert_eq!(
            find(&config, "r.example", "teamx").await.credential,
            Some(basic("e"))
        );
    }

    #[tokio::test]
    async fn asks_helpers() {
        let (home, config) = Home::new();
        home.helper("ok", r#"read server; test "$1 $server" = "get r.example" || exit 1; echo '{"ServerURL":"x","Username":"h","Secret":"pw"}'"#);
        home.helper("idt", r#"echo '{"Username":"<token>","Secret":"refresh"}'"#);
        home.helper(
            "none",
            "echo 'credentials not found in native keychain'; exit 1",
        );
        home.write(
            "config.json",
            r#"{"credHelpers":{"r.example":"ok"},"credsStore":"idt"}"#,
        );
        let found = find(&config, "r.example", "a").await;
        assert_eq!(found.credential, Some(basic("h")));
        assert!(found.describe("r.example").contains("docker-credential-ok"));
        let other = find(&config, "other.example", "a").await.credential;
        assert_eq!(other, Some(Credential::IdentityToken("refresh".into())));
        home.write(
            "config.json",
            r#"{"credsStore":"none","auths":{"r.example":{"auth":"ZDpwdw=="}}}"#,
        );
        assert_eq!(
            find(&config, "r.example", "a").await.credential,
            Some(basic("d"))
        );
    }

    #[tokio::test]
    async fn an_account_of_the_search() {
        let (home, config) = Home::new();
        home.write("config.json", r#"{"credsStore":"desktop"}"#);
        home.write("auth1.json", "{");
        let found = find(&config, "r.example", "a").await;
        let text = found.describe("r.example");
        for part in [
            "docker-credential-desktop",
            "not found",
            "auth1.json",
            "not JSON",
            "auth2.json",
            "no such file",
            "docker login r.example",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
