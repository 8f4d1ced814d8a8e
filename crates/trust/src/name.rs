//! Names of repositories as a policy compares them.
//!
//! One repository has several names: Docker Hub's hosts, `docker.io/nginx`, upper case in a host,
//! the default port. A policy that compared texts could be passed by spelling a name differently.

/// The one name of a repository or of a prefix of repositories (`ghcr.io/acme`, `builtin`).
pub fn canonical(name: &str) -> String {
    let (host, path) = match name.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (name, None),
    };
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    let host = host.trim_end_matches('.');
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => "docker.io",
        other => other,
    };
    match path {
        None => host.to_owned(),
        Some(path) => format!("{host}/{path}"),
    }
}

/// [`canonical`] of a whole repository: Docker Hub keeps `docker.io/nginx` below `library`.
pub fn repository(name: &str) -> String {
    let name = canonical(name);
    match name.strip_prefix("docker.io/") {
        Some(path) if !path.contains('/') => format!("docker.io/library/{path}"),
        _ => name,
    }
}

/// Whether `prefix` is the repository or whole components at its front; both are canonical.
pub fn fits(prefix: &str, repository: &str) -> bool {
    repository
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_has_one_name() {
        for name in [
            "docker.io/nginx",
            "docker.io/library/nginx",
            "index.docker.io/library/nginx",
            "Registry-1.Docker.IO/nginx",
            "docker.io:443/nginx",
            "docker.io./nginx",
        ] {
            assert_eq!(repository(name), "docker.io/library/nginx", "{name}");
        }
        assert_eq!(repository("GHCR.io/acme"), "ghcr.io/acme");
        assert_eq!(repository("localhost:5000/a"), "localhost:5000/a");
        assert_eq!(repository("builtin"), "builtin");
        assert_eq!(canonical("docker.io/acme"), "docker.io/acme");
    }

    #[test]
    fn prefixes_end_at_components() {
        assert!(fits("ghcr.io/acme", "ghcr.io/acme/node"));
        assert!(fits("ghcr.io/acme", "ghcr.io/acme"));
        assert!(!fits("ghcr.io/acme", "ghcr.io/acme-evil/node"));
        assert!(!fits("ghcr.io", "ghcr.io.evil.example/acme"));
        assert!(!fits("localhost", "localhost:5000/a"));
    }
}
