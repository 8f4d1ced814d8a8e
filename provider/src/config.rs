//! The provider block.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use nodeimage_builder::Settings;
use nodeimage_images::store::StoreLimits;
use nodeimage_registry::{Credential, Login, Secret};
use nodeimage_trust::Policy;
use tfplugin::{Diagnose, Diagnostic, Diagnostics, Path, Val, model, path};

model! {
    /// Where images are read, and how much of this machine may be used. Nothing here changes an
    /// image.
    pub struct Config {
        /// Directory of the store, a cache shared by all runs on this machine. Default:
        /// `$XDG_CACHE_HOME/nodeimage`, or `~/.cache/nodeimage`.
        cache_dir: String = optional(),
        /// How large the store may become, in MiB; what was used least recently goes. Default: 20480.
        cache_max_size: i64 = optional().range(1..=1 << 40),
        /// Path of a `nodeimage.toml`, which says where images are read on this machine. Default: the
        /// one in the root module's directory, if there is one.
        config_file: String = optional(),
        /// Where references are read: a registry with an optional path (`docker.io/library`) to a
        /// mirror (`mirror.example/hub`), `oci:DIR`, `oci-archive:FILE` or `docker-archive:FILE`.
        /// The longest prefix wins. Entries here go before those of `config_file`.
        sources: BTreeMap<String, String> = optional(),
        /// Credentials by registry (`ghcr.io`) or repository (`quay.io/acme`). They go before
        /// those of Docker's and podman's own files, which are read as well.
        registries: BTreeMap<String, RegistryLogin> = optional(),
        /// Never ask a registry: everything is in the store or in `sources`.
        offline: bool = optional(),
        /// What it takes for an image to be used: the lines of a `[trust]` section of `nodeimage.toml`,
        /// say `file("trust.toml")`. Paths of keys are relative to the root module's directory. A
        /// policy in `config_file` holds as well: an image must pass both.
        trust_policy: String = optional(),
        /// How many threads may work at once. Default: all cores. No effect on the bytes.
        threads: i64 = optional().range(1..=1024),
    }

    /// A login.
    pub struct RegistryLogin {
        /// User name.
        username: String = required(),
        /// Password, or an access token. Take it from a variable or an ephemeral resource.
        password: String = required().sensitive(),
    }
}

/// What is known and wrong.
pub(crate) fn validate(config: &Config) -> Result<(), Diagnostics> {
    let mut found = Diagnostics::new();
    for (prefix, login) in config.registries.known().into_iter().flatten() {
        if let Err(error) = login_of(prefix, login) {
            let at = path!("registries").key(prefix);
            found.push(Diagnostic::error("Not a registry", error).at(at));
        }
    }
    if let Val::Known(sources) = &config.sources
        && let Err(error) = toml(sources)
    {
        found.push(Diagnostic::error("Not a source", error).at(path!("sources")));
    }
    if let Some(text) = config.trust_policy.known()
        && let Err(error) = policy(text)
    {
        found.extend(error);
    }
    found.into_result()
}

/// A policy that can't be read lets no image pass.
fn policy(text: &str) -> Result<Policy, Diagnostics> {
    Policy::parse(text, "trust_policy", FilePath::new(".")).map_err(|error| {
        Diagnostic::error("Invalid trust policy", error.to_string())
            .at(path!("trust_policy"))
            .into()
    })
}

/// The settings a configuration asks for, when all of it is known.
pub(crate) fn settings(config: &Config) -> Result<Settings, Diagnostics> {
    known(&config.cache_dir, "cache_dir")?;
    let mut settings = match config.cache_dir.known() {
        Some(dir) => Settings::with_store(dir),
        None => Settings::from_env().diagnose("Can't find a place for the store")?,
    };
    known(&config.cache_max_size, "cache_max_size")?;
    if let Some(mib) = config.cache_max_size.known() {
        let bytes = u64::try_from(*mib)
            .ok()
            .and_then(|mib| mib.checked_mul(1 << 20));
        settings.limits = StoreLimits { bytes };
    }
    known(&config.config_file, "config_file")?;
    let loaded = match config.config_file.known() {
        Some(file) => settings.load_config(&PathBuf::from(file)),
        None => settings.load_config_beside(&PathBuf::from(".")),
    };
    loaded.diagnose_at(path!("config_file"), "Can't read nodeimage.toml")?;
    known(&config.sources, "sources")?;
    if let Some(sources) = config.sources.known() {
        let wrong = |error| Diagnostic::error("Not a source", error).at(path!("sources"));
        let parsed = toml(sources).map_err(wrong)?;
        settings.config.prefer(parsed.sources);
    }
    known(&config.registries, "registries")?;
    for (prefix, login) in config.registries.known().into_iter().flatten() {
        let at = path!("registries").key(prefix);
        known_at(&login.username, || at.attribute("username"))?;
        known_at(&login.password, || at.attribute("password"))?;
        let wrong = |error| Diagnostic::error("Not a registry", error).at(at.clone());
        settings
            .logins
            .push(login_of(prefix, login).map_err(wrong)?);
    }
    known(&config.trust_policy, "trust_policy")?;
    if let Some(text) = config.trust_policy.known() {
        settings.config.trust.push(policy(text)?);
    }
    known(&config.offline, "offline")?;
    settings.offline = config.offline.known().copied().unwrap_or(false);
    known(&config.threads, "threads")?;
    let threads = config
        .threads
        .known()
        .and_then(|threads| usize::try_from(*threads).ok());
    if let Some(threads) = threads.and_then(std::num::NonZeroUsize::new) {
        settings.threads = threads;
    }
    Ok(settings)
}

fn known<T>(value: &Val<T>, name: &str) -> Result<(), Diagnostics> {
    known_at(value, || Path::root().attribute(name))
}

fn known_at<T>(value: &Val<T>, at: impl FnOnce() -> Path) -> Result<(), Diagnostics> {
    if value.is_unknown() {
        let text = "This part of the provider's configuration is not known yet, but something has \
                    to be built with it. Give it a value that is known, or apply what it comes from \
                    first (`terraform apply -target`).";
        return Err(
            Diagnostic::error("The provider is not configured yet", text)
                .at(at())
                .into(),
        );
    }
    Ok(())
}

fn login_of(prefix: &str, login: &RegistryLogin) -> Result<Login, String> {
    let text = |value: &Val<String>| value.known().cloned().unwrap_or_default();
    let credential = Credential::Basic {
        username: text(&login.username),
        password: Secret::new(text(&login.password)),
    };
    Login::new(prefix, credential, "the provider block").map_err(|error| error.to_string())
}

/// Sources have one grammar: that of `nodeimage.toml`.
fn toml(sources: &BTreeMap<String, String>) -> Result<nodeimage_images::Config, String> {
    let quoted = |text: &str| {
        let escaped: String = text
            .chars()
            .flat_map(|c| match c {
                '"' | '\\' => vec!['\\', c],
                c if c.is_control() => vec!['\u{fffd}'],
                c => vec![c],
            })
            .collect();
        format!("\"{escaped}\"")
    };
    let mut text = "[sources]\n".to_owned();
    for (prefix, source) in sources {
        text.push_str(&format!("{} = {}\n", quoted(prefix), quoted(source)));
    }
    let name = PathBuf::from("sources");
    nodeimage_images::Config::parse(&text, &name).map_err(|error| error.to_string())
}
