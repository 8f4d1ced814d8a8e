//! Image configurations (OCI image specification, "Image Configuration"; Docker's are the same).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use nodeimage_spec::Digest;

/// The parts of a configuration that say how to run the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// Architecture it is built for: `amd64`.
    pub architecture: String,
    /// Operating system.
    pub os: String,
    /// Variant of the architecture: `v8`.
    pub variant: Option<String>,
    /// Command in front of `cmd`.
    pub entrypoint: Vec<String>,
    /// Command, or arguments of `entrypoint`.
    pub cmd: Vec<String>,
    /// `NAME=VALUE`, in order.
    pub env: Vec<String>,
    /// Directory to start in; empty when not given.
    pub working_dir: String,
    /// `user`, `uid`, `user:group` …; empty when not given.
    pub user: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Signal that stops it.
    pub stop_signal: Option<String>,
    /// Digest of each layer's uncompressed tar, the lowest first.
    pub diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default, deserialize_with = "nullable")]
    architecture: String,
    #[serde(default, deserialize_with = "nullable")]
    os: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    config: RawConfig,
    rootfs: RawRootFs,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawConfig {
    #[serde(default, deserialize_with = "nullable")]
    entrypoint: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    cmd: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    env: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    working_dir: String,
    #[serde(default, deserialize_with = "nullable")]
    user: String,
    #[serde(default, deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    stop_signal: Option<String>,
}

#[derive(Deserialize)]
struct RawRootFs {
    #[serde(default, deserialize_with = "nullable")]
    diff_ids: Vec<Digest>,
}

/// Docker writes `null` for whatever is empty.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl ImageConfig {
    pub(super) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let raw: Raw = serde_json::from_slice(json)?;
        Ok(Self {
            architecture: raw.architecture,
            os: raw.os,
            variant: raw.variant.filter(|variant| !variant.is_empty()),
            entrypoint: raw.config.entrypoint,
            cmd: raw.config.cmd,
            env: raw.config.env,
            working_dir: raw.config.working_dir,
            user: raw.config.user,
            labels: raw.config.labels,
            stop_signal: raw.config.stop_signal.filter(|signal| !signal.is_empty()),
            diff_ids: raw.rootfs.diff_ids,
        })
    }
}
