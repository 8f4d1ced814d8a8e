//! Text to [`Config`]; every fault of the file is found in one go.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::Reader;
use super::{Config, Fault, PasswordFrom, RegistryConfig, Source};
use crate::limits::Limits;
use nodeimage_trust::Policy;

pub(super) fn parse(text: &str, path: &Path) -> Result<Config, Vec<Fault>> {
    let base = path.parent().unwrap_or(Path::new(""));
    let mut reader = Reader::new(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reader.fault(error.span().unwrap_or(0..0), error.message());
    }
    let mut config = Config::default();
    if errors.is_empty() {
        for (key, value) in document.get_ref() {
            match key.get_ref().as_ref() {
                "sources" => sources(&mut reader, &mut config, value, base),
                "registries" => registries(&mut reader, &mut config, value, base),
                "limits" => limits(&mut reader, &mut config.limits, value),
                "trust" => trust(&mut reader, &mut config, key.span(), value, text, path),
                unknown => {
                    let known = ["sources", "registries", "limits", "trust"];
                    reader.unknown(key.span(), unknown, &known);
                }
            }
        }
    }
    let faults = reader.into_faults();
    if faults.is_empty() {
        Ok(config)
    } else {
        Err(faults)
    }
}

fn trust(
    reader: &mut Reader<'_>,
    config: &mut Config,
    heading: std::ops::Range<usize>,
    value: &Spanned<DeValue<'_>>,
    text: &str,
    path: &Path,
) {
    let Some(table) = reader.table("trust", value) else {
        return;
    };
    let (file, base) = (path.display().to_string(), path.parent());
    let base = base.unwrap_or(Path::new(""));
    match Policy::from_table(table, text, heading.start, &file, base) {
        Ok(policy) => config.trust.push(policy),
        Err(faults) => {
            for fault in faults {
                reader.fault(fault.span, fault.message);
            }
        }
    }
}

fn sources(
    reader: &mut Reader<'_>,
    config: &mut Config,
    value: &Spanned<DeValue<'_>>,
    base: &Path,
) {
    let Some(table) = reader.table("sources", value) else {
        return;
    };
    for (key, value) in table {
        let prefix = key.get_ref().as_ref();
        if let Err(why) = check_prefix(prefix) {
            reader.fault(key.span(), format!("prefix {prefix:?} {why}"));
        }
        let Some(text) = reader.string(prefix, value) else {
            continue;
        };
        match source(text, base) {
            Ok(source) => drop(config.sources.insert(prefix.to_owned(), source)),
            Err(why) => reader.fault(value.span(), format!("{text:?} {why}")),
        }
    }
}

fn check_prefix(prefix: &str) -> Result<(), &'static str> {
    if prefix.is_empty() || prefix.split('/').any(str::is_empty) {
        return Err("has an empty part");
    }
    let last = prefix.rsplit('/').next().unwrap_or_default();
    if prefix.contains('@') || (last.contains(':') && prefix.contains('/')) {
        return Err("must not have a tag or digest");
    }
    let first = prefix.split('/').next().unwrap_or_default();
    if first != "builtin" && !is_host(first) {
        return Err("does not begin with a registry; write docker.io/… for Docker Hub");
    }
    Ok(())
}

/// `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`, `https://host/prefix` or `host/prefix`.
fn source(text: &str, base: &Path) -> Result<Source, &'static str> {
    let path = |path: &str| match path {
        "" => Err("has no path"),
        path => Ok(base.join(path)),
    };
    if let Some(dir) = text.strip_prefix("oci:") {
        return path(dir).map(Source::Oci);
    }
    if let Some(file) = text.strip_prefix("oci-archive:") {
        return path(file).map(Source::OciArchive);
    }
    if let Some(file) = text.strip_prefix("docker-archive:") {
        return path(file).map(Source::DockerArchive);
    }
    if text.starts_with("http://") {
        return Err(
            "is http; write the host alone, and plain_http = true in [registries] if it is \
                    on this machine",
        );
    }
    let mirror = text
        .strip_prefix("https://")
        .unwrap_or(text)
        .trim_end_matches('/');
    let host = mirror.split('/').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:/[]".contains(c);
    if !is_host(host) || !mirror.chars().all(plain) || mirror.split('/').any(str::is_empty) {
        return Err(
            "is no source; write oci:DIR, oci-archive:FILE, docker-archive:FILE or \
                    host/prefix of a registry",
        );
    }
    Ok(Source::Mirror(mirror.to_owned()))
}

/// `name`, `name:port` or `[address]:port`; a name has a dot, a port, or is `localhost`.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let numeric = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let named = name == "localhost" || name.contains('.') || name.starts_with('[');
    !name.is_empty() && port.is_none_or(numeric) && (named || port.is_some())
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let local = |name: &str| {
        name.parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
    };
    name == "localhost"
        || local(name)
        || local(host.trim_matches(['[', ']']))
        || local(name.trim_matches(['[', ']']))
}

fn registries(
    reader: &mut Reader<'_>,
    config: &mut Config,
    value: &Spanned<DeValue<'_>>,
    base: &Path,
) {
    let Some(table) = reader.table("registries", value) else {
        return;
    };
    for (host, value) in table {
        let name = host.get_ref().as_ref();
        if name.is_empty() || name.contains(['/', '@']) {
            reader.fault(
                host.span(),
                format!("registry {name:?} must be a host, or host:port"),
            );
        }
        let Some(table) = reader.table(name, value) else {
            continue;
        };
        let registry = registry(reader, name, table, base);
        config.registries.insert(name.to_owned(), registry);
    }
}

fn registry(
    reader: &mut Reader<'_>,
    host: &str,
    table: &DeTable<'_>,
    base: &Path,
) -> RegistryConfig {
    const KEYS: [&str; 5] = [
        "username",
        "password_env",
        "password_file",
        "ca_file",
        "plain_http",
    ];
    let mut registry = RegistryConfig::default();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let password = match name {
            "username" => {
                registry.username = reader.string(name, value).map(str::to_owned);
                None
            }
            "password_env" => reader
                .string(name, value)
                .map(|name| PasswordFrom::Env(name.to_owned())),
            "password_file" => reader
                .string(name, value)
                .map(|path| PasswordFrom::File(base.join(path))),
            "ca_file" => {
                registry.ca_file = reader.string(name, value).map(|path| base.join(path));
                None
            }
            "plain_http" => {
                registry.plain_http = reader.bool(name, value).unwrap_or_default();
                if registry.plain_http && !is_loopback(host) {
                    let why = "plain_http is for registries on this machine; give others a \
                               certificate and name it in ca_file";
                    reader.fault(value.span(), why);
                }
                None
            }
            "password" => {
                // A secret in a file beside the YAML ends up in a repository.
                let hint = "passwords do not stand here; use password_env or password_file";
                reader.fault(key.span(), hint);
                None
            }
            unknown => {
                reader.unknown(key.span(), unknown, &KEYS);
                None
            }
        };
        if password.is_some() && registry.password.is_some() {
            reader.fault(
                key.span(),
                format!("{host} has both password_env and password_file"),
            );
        }
        registry.password = registry.password.or(password);
    }
    registry
}

fn limits(reader: &mut Reader<'_>, limits: &mut Limits, value: &Spanned<DeValue<'_>>) {
    let Some(table) = reader.table("limits", value) else {
        return;
    };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let (limit, most) = match name {
            "layer_bytes" => (&mut limits.layer_bytes, 1 << 46),
            "layer_ratio" => (&mut limits.layer_ratio, 1 << 30),
            "entries" => (&mut limits.entries, 1 << 30),
            "name_bytes" => (&mut limits.name_bytes, 1 << 40),
            unknown => {
                let known = ["layer_bytes", "layer_ratio", "entries", "name_bytes"];
                reader.unknown(key.span(), unknown, &known);
                continue;
            }
        };
        if let Some(number) = reader.count(name, value, most) {
            *limit = number;
        }
    }
}
