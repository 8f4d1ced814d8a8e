//! The part of the OCI runtime specification 1.2.1 that LinuxKit uses.
//!
//! Own types, and not a crate's: the order of the fields and what is left out when empty must be
//! those of the Go structs, because the bytes decide the image.

use std::collections::BTreeMap;

use nodeimage_spec::model::IdMapping;
use serde::Serialize;

use super::resources::Resources;

/// The version written into every `config.json`.
pub(super) const VERSION: &str = "1.2.1";

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_false(value: &bool) -> bool {
    !value
}

/// `config.json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    pub(super) oci_version: &'static str,
    pub(super) process: Process,
    pub(super) root: Root,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) hostname: String,
    pub(super) mounts: Vec<Mount>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) linux: Linux,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Process {
    pub(super) user: User,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) args: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) env: Vec<String>,
    pub(super) cwd: String,
    pub(super) capabilities: Capabilities,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rlimits: Vec<Rlimit>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) no_new_privileges: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oom_score_adj: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) additional_gids: Vec<u32>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Capabilities {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) bounding: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) effective: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) inheritable: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) permitted: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ambient: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Rlimit {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) hard: u64,
    pub(super) soft: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Root {
    pub(super) path: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) readonly: bool,
}

/// A mount, of `config.json` and of `runtime.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mount {
    pub(super) destination: String,
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub(super) kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) source: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) options: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) uid_mappings: Vec<IdMapping>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gid_mappings: Vec<IdMapping>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Linux {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) uid_mappings: Vec<IdMapping>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gid_mappings: Vec<IdMapping>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) sysctl: BTreeMap<String, String>,
    pub(super) resources: Resources,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) cgroups_path: String,
    pub(super) namespaces: Vec<Namespace>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) devices: Vec<Device>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) rootfs_propagation: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) masked_paths: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) readonly_paths: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Namespace {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) path: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Device {
    pub(super) path: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) major: i64,
    pub(super) minor: i64,
    pub(super) file_mode: u32,
}
