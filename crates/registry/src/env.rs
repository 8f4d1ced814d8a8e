//! The configuration that the environment asks for; the one place that reads it.
//!
//! Variables and default places are Docker's, podman's (`containers-auth.json(5)`)
//! and curl's (`*_PROXY`).

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::{Config, CredentialFiles, Proxies};
use crate::secret::Secret;

impl Config {
    /// Reads `DOCKER_CONFIG`, `REGISTRY_AUTH_FILE`, `XDG_RUNTIME_DIR`,
    /// `XDG_CONFIG_HOME`, `HOME`, `PATH`, `HTTPS_PROXY`, `ALL_PROXY` and
    /// `NO_PROXY` (the last three in lower case too). `HTTP_PROXY` has nothing to
    /// say: plain `http` is for loopback only.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    fn from_lookup(var: impl Fn(&str) -> Option<OsString>) -> Self {
        let get = |name: &str| var(name).filter(|value| !value.is_empty());
        Self {
            credential_files: credential_files(&get),
            proxies: proxies(&get),
            ..Self::default()
        }
    }
}

fn credential_files(get: &impl Fn(&str) -> Option<OsString>) -> CredentialFiles {
    let path = |name: &str| get(name).map(PathBuf::from);
    let home = path("HOME");
    let docker = path("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker")));
    let podman = match path("REGISTRY_AUTH_FILE") {
        Some(file) => vec![file],
        None => {
            let runtime = path("XDG_RUNTIME_DIR");
            let config = path("XDG_CONFIG_HOME").or_else(|| Some(home?.join(".config")));
            let places = [runtime, config].into_iter().flatten();
            places
                .map(|place| place.join("containers/auth.json"))
                .collect()
        }
    };
    let helper_dirs = get("PATH")
        .map(|path| {
            std::env::split_paths(&path)
                .filter(|dir| dir.is_absolute())
                .collect()
        })
        .unwrap_or_default();
    CredentialFiles {
        docker: docker.map(|dir| dir.join("config.json")),
        podman,
        helper_dirs,
    }
}

fn proxies(get: &impl Fn(&str) -> Option<OsString>) -> Proxies {
    let text = |name: &str| {
        get(&name.to_ascii_lowercase())
            .or_else(|| get(name))?
            .into_string()
            .ok()
    };
    Proxies {
        https: text("HTTPS_PROXY")
            .or_else(|| text("ALL_PROXY"))
            .map(Secret::new),
        no_proxy: text("NO_PROXY").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(vars: &[(&str, &str)]) -> Config {
        Config::from_lookup(|name| {
            let found = vars.iter().find(|(key, _)| *key == name)?;
            Some(found.1.into())
        })
    }

    #[test]
    fn default_places() {
        let files = config(&[
            ("HOME", "/h"),
            ("XDG_RUNTIME_DIR", "/run/u"),
            ("PATH", "/a:b:/c"),
        ])
        .credential_files;
        assert_eq!(files.docker, Some("/h/.docker/config.json".into()));
        let podman = [
            "/run/u/containers/auth.json",
            "/h/.config/containers/auth.json",
        ];
        assert_eq!(files.podman, podman.map(PathBuf::from));
        assert_eq!(
            files.helper_dirs,
            ["/a", "/c"].map(PathBuf::from),
            "relative ones are unsafe"
        );
    }

    #[test]
    fn named_places() {
        let files = config(&[
            ("HOME", "/h"),
            ("DOCKER_CONFIG", "/d"),
            ("REGISTRY_AUTH_FILE", "/p.json"),
        ])
        .credential_files;
        assert_eq!(files.docker, Some("/d/config.json".into()));
        assert_eq!(files.podman, [PathBuf::from("/p.json")]);
        let none = config(&[("DOCKER_CONFIG", "")]).credential_files;
        assert!(none.docker.is_none() && none.podman.is_empty());
    }

    #[test]
    fn proxies_prefer_lower_case_and_the_specific() {
        let proxies = config(&[
            ("HTTPS_PROXY", "http://upper"),
            ("https_proxy", "http://u:pw@lower"),
            ("ALL_PROXY", "http://all"),
            ("NO_PROXY", "a,b"),
        ])
        .proxies;
        assert_eq!(
            proxies.https.as_ref().unwrap().expose(),
            "http://u:pw@lower"
        );
        assert_eq!(proxies.no_proxy, "a,b");
        assert!(!format!("{proxies:?}").contains("pw"));
        let proxies = config(&[("ALL_PROXY", "http://all")]).proxies;
        assert_eq!(proxies.https.unwrap().expose(), "http://all");
    }
}
