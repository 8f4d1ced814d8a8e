//! `[registries]` for the registry client. Secrets are read here and nowhere kept.

use std::io::Read;

use nodeimage_registry::{Credential, Login, Secret};

use super::{Config, PasswordFrom, RegistryConfig};

/// Longest password file, in bytes.
const MAX_PASSWORD: u64 = 64 << 10;

/// A registry's entry that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[registries.{host:?}] of nodeimage.toml: {why}")]
pub struct LoginError {
    /// The registry.
    pub host: String,
    /// What is wrong and what to do.
    pub why: String,
}

impl Config {
    /// Adds credentials and certificates to the configuration of a registry client; `env` looks up
    /// environment variables. Certificates hold for all registries.
    pub fn apply_to(
        &self,
        client: &mut nodeimage_registry::Config,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<(), LoginError> {
        for (host, registry) in &self.registries {
            client.ca_files.extend(registry.ca_file.clone());
            let fail = |why: String| LoginError {
                host: host.clone(),
                why,
            };
            if let Some(credential) = credential(registry, &env).map_err(fail)? {
                let login = Login::new(host, credential, "nodeimage.toml");
                client
                    .credentials
                    .push(login.map_err(|error| fail(error.to_string()))?);
            }
        }
        Ok(())
    }
}

fn credential(
    registry: &RegistryConfig,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<Credential>, String> {
    let (username, from) = match (&registry.username, &registry.password) {
        (None, None) => return Ok(None),
        (Some(_), None) => {
            return Err("there is no password; add password_env or password_file".into());
        }
        (None, Some(_)) => return Err("there is no username; add it".into()),
        (Some(username), Some(from)) => (username.clone(), from),
    };
    let password = match from {
        PasswordFrom::Env(name) => {
            env(name).ok_or_else(|| format!("the environment variable {name} is not set"))?
        }
        PasswordFrom::File(path) => {
            let mut text = String::new();
            let file = std::fs::File::open(path);
            file.and_then(|file| file.take(MAX_PASSWORD).read_to_string(&mut text))
                .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            let line = text.strip_suffix('\n').unwrap_or(&text);
            line.strip_suffix('\r').unwrap_or(line).to_owned()
        }
    };
    Ok(Some(Credential::Basic {
        username,
        password: Secret::new(password),
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn apply(text: &str) -> Result<nodeimage_registry::Config, String> {
        let config = Config::parse(text, Path::new("/x/nodeimage.toml")).unwrap();
        let mut client = nodeimage_registry::Config::default();
        let env = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
        config
            .apply_to(&mut client, env)
            .map_err(|error| error.to_string())?;
        Ok(client)
    }

    fn login(password: &str) -> Login {
        let password = Secret::new(password);
        let credential = Credential::Basic {
            username: "ci".into(),
            password,
        };
        Login::new("a.example", credential, "nodeimage.toml").unwrap()
    }

    #[test]
    fn passwords_come_from_variables_and_files() {
        let head = "[registries.\"a.example\"]\nusername = \"ci\"\nca_file = \"ca.pem\"\n";
        let client = apply(&format!("{head}password_env = \"TOKEN\"")).unwrap();
        assert_eq!(client.credentials, [login("hunter2")]);
        assert_eq!(client.ca_files, [Path::new("/x/ca.pem")]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "two words \r\n").unwrap();
        let client = apply(&format!("{head}password_file = {:?}", file.path())).unwrap();
        assert_eq!(client.credentials, [login("two words ")]);
        let error = apply(&format!("{head}password_env = \"NONE\"")).unwrap_err();
        assert!(
            error.contains("a.example") && error.contains("NONE is not set"),
            "{error}"
        );
        let error = apply(&format!("{head}password_file = \"none\"")).unwrap_err();
        assert!(error.contains("/x/none cannot be read"), "{error}");
        assert!(apply(head).unwrap_err().contains("no password"));
    }
}
