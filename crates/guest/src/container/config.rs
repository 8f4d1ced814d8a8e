//! What init reads of a bundle: `runtime.json`, and the annotations of `config.json`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Doing, Error, Result};

/// Largest file read, bytes.
const LIMIT: u64 = 8 << 20;

/// `runtime.json`: what to do around the container. A missing or null list is empty.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct RuntimeConfig {
    /// Cgroups to make.
    pub(crate) cgroups: Option<Vec<String>>,
    /// Mounts to make before, the root's first.
    pub(crate) mounts: Option<Vec<Mount>>,
    /// Folders to make.
    pub(crate) mkdir: Option<Vec<String>>,
    /// Network devices to make or to move.
    pub(crate) interfaces: Option<Vec<Interface>>,
    /// Namespaces to keep by binding them.
    #[serde(rename = "bindNS")]
    pub(crate) bind_ns: Option<BindNs>,
    /// containerd's namespace; without a meaning here.
    pub(crate) namespace: Option<String>,
}

/// One mount. A relative destination is inside the container's root.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Mount {
    /// Where.
    pub(crate) destination: String,
    /// File system type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What.
    pub(crate) source: String,
    /// How.
    pub(crate) options: Option<Vec<String>>,
}

/// One network device.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Interface {
    /// Its name.
    pub(crate) name: String,
    /// The type to make; empty: it is there and moves.
    pub(crate) add: String,
    /// The other end of a veth, which is the one that moves.
    pub(crate) peer: String,
    /// Made outside, then moved.
    #[serde(rename = "createInRoot")]
    pub(crate) create_in_root: bool,
}

/// Paths to bind the container's namespaces to; empty for none.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct BindNs {
    pub(crate) cgroup: String,
    pub(crate) ipc: String,
    pub(crate) mnt: String,
    pub(crate) net: String,
    pub(crate) pid: String,
    pub(crate) user: String,
    pub(crate) uts: String,
}

impl BindNs {
    /// Kinds, as named in /proc/PID/ns, with their paths.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("cgroup", &self.cgroup),
            ("ipc", &self.ipc),
            ("mnt", &self.mnt),
            ("net", &self.net),
            ("pid", &self.pid),
            ("user", &self.user),
            ("uts", &self.uts),
        ]
        .into_iter()
        .filter(|(_, path)| !path.is_empty())
        .map(|(kind, path)| (kind, path.as_str()))
    }
}

/// What a failing onboot container does to the boot: `nodeimage.onfailure`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// It is told, the boot goes on.
    #[default]
    Continue,
    /// The boot ends: no later container runs.
    Stop,
    /// It is run again, a few times, and then the boot ends.
    Retry,
}

/// When a service is started again: `nodeimage.restart`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Restart {
    /// When it failed.
    #[default]
    OnFailure,
    /// Whenever it ended.
    Always,
    /// Not.
    Never,
}

/// Our annotations of a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// For onboot.
    pub(crate) on_failure: OnFailure,
    /// For services.
    pub(crate) restart: Restart,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OciConfig {
    annotations: Option<BTreeMap<String, String>>,
}

/// Reads `runtime.json`; its absence means nothing is to be done.
pub(crate) fn runtime(bundle: &Path) -> Result<RuntimeConfig> {
    Ok(read(&bundle.join("runtime.json"))?.unwrap_or_default())
}

/// Reads our annotations; an unknown value is an error, which leaves the defaults.
pub(crate) fn policy(bundle: &Path) -> (Policy, Option<Error>) {
    let path = bundle.join("config.json");
    let config: OciConfig = match read(&path) {
        Ok(config) => config.unwrap_or_default(),
        Err(error) => return (Policy::default(), Some(error)),
    };
    let mut policy = Policy::default();
    let annotations = config.annotations.unwrap_or_default();
    let mut fault = None;
    let value = |name: &str| annotations.get(name).map(String::as_str);
    match value("nodeimage.onfailure") {
        None | Some("continue") => {}
        Some("stop") => policy.on_failure = OnFailure::Stop,
        Some("retry") => policy.on_failure = OnFailure::Retry,
        Some(other) => {
            fault = Some(unknown(
                &path,
                "nodeimage.onfailure",
                other,
                "continue, stop or retry",
            ));
        }
    }
    match value("nodeimage.restart") {
        None | Some("on-failure") => {}
        Some("always") => policy.restart = Restart::Always,
        Some("never") => policy.restart = Restart::Never,
        Some(other) => {
            fault = Some(unknown(
                &path,
                "nodeimage.restart",
                other,
                "on-failure, always or never",
            ));
        }
    }
    (policy, fault)
}

fn unknown(path: &Path, name: &str, value: &str, right: &str) -> Error {
    Error::invalid(
        format!("annotation {name} in {}", path.display()),
        format!("it is {value:?}; use {right}"),
    )
}

/// Reads a JSON file; `None` when there is none.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let what = || format!("read {}", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).doing(what),
    };
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).doing(what)?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::invalid(
            path.display().to_string(),
            format!("it is larger than {LIMIT} bytes"),
        ));
    }
    parse(&bytes)
        .map(Some)
        .map_err(|error| Error::invalid(path.display().to_string(), error.to_string()))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_json_as_linuxkit_writes_it() {
        let text = br#"{
            "cgroups": ["podruntime"],
            "mounts": [
                {"destination": "/b/tmp", "type": "tmpfs", "source": "tmpfs"},
                {"destination": "/b/tmp", "options": ["remount", "private"]},
                {"destination": "/b/rootfs", "type": "overlay", "source": "overlay",
                 "options": ["lowerdir=/a/lower", "upperdir=/b/tmp/upper", "workdir=/b/tmp/work"]}
            ],
            "mkdir": ["/var/lib/x", "rel"],
            "interfaces": [{"name": "veth0", "add": "veth", "peer": "eth1", "createInRoot": true}],
            "bindNS": {"cgroup": "", "ipc": "", "mnt": "", "net": "/run/netns/x", "pid": "",
                       "user": "", "uts": ""},
            "namespace": ""
        }"#;
        let config: RuntimeConfig = parse(text).unwrap();
        let mounts = config.mounts.unwrap();
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[2].kind, "overlay");
        assert_eq!(mounts[1].options.as_ref().unwrap().len(), 2);
        let bind = config.bind_ns.unwrap();
        assert_eq!(bind.wanted().collect::<Vec<_>>(), [("net", "/run/netns/x")]);
        assert!(config.interfaces.unwrap()[0].create_in_root);
    }

    #[test]
    fn nulls_and_missing_keys_are_empty() {
        let config: RuntimeConfig =
            parse(br#"{"mounts": null, "bindNS": {"net": "/x"}, "interfaces": [{"name": "e"}]}"#)
                .unwrap();
        assert!(config.mounts.is_none() && config.cgroups.is_none());
        assert!(parse::<RuntimeConfig>(b"{}").unwrap() == RuntimeConfig::default());
        assert!(parse::<RuntimeConfig>(b"[1]").is_err());
    }

    fn policy_of(config: &str) -> (Policy, Option<Error>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), config).unwrap();
        policy(dir.path())
    }

    #[test]
    fn annotations() {
        let (policy, fault) = policy_of(
            r#"{"process": {}, "annotations": {"nodeimage.onfailure": "retry",
                "nodeimage.restart": "always", "other": "x"}}"#,
        );
        assert!(fault.is_none());
        assert_eq!(policy.on_failure, OnFailure::Retry);
        assert_eq!(policy.restart, Restart::Always);
        assert_eq!(policy_of("{}").0, Policy::default());
    }

    #[test]
    fn an_unknown_annotation_is_told_and_changes_nothing() {
        let (policy, fault) = policy_of(
            r#"{"annotations": {"nodeimage.onfailure": "panic", "nodeimage.restart": "never"}}"#,
        );
        assert_eq!(policy.on_failure, OnFailure::Continue);
        assert_eq!(policy.restart, Restart::Never);
        let text = fault.unwrap().to_string();
        assert!(
            text.contains("\"panic\"; use continue, stop or retry"),
            "{text}"
        );
        assert!(policy_of("nonsense").1.is_some());
    }
}
