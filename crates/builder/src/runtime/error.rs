//! What is wrong with a container entry.

use super::octal::OctalError;

/// A container entry, or its image's label, that no runtime configuration can be made of.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{container}: {key}: {kind}")]
pub struct Error {
    /// Section, index and name: `services[1] (web)`.
    pub container: String,
    /// The key, as written in YAML.
    pub key: &'static str,
    /// What is wrong with its value.
    pub kind: ErrorKind,
}

/// What is wrong with one value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The name makes no directory inside the section's.
    #[error("`{name}` cannot name a directory: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// Not a capability of the known set.
    #[error("unknown capability: {value}{}", hint.as_ref().map(|h| format!("; write {h}")).unwrap_or_default())]
    UnknownCapability {
        /// What was written.
        value: String,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// Not a resource limit.
    #[error("{message}{}", help.as_ref().map(|h| format!("; {h}")).unwrap_or_default())]
    Rlimit {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// A bind without a destination.
    #[error("cannot parse bind, missing ':': {value}; write SOURCE:DESTINATION[:OPTIONS]")]
    BindTooFew {
        /// What was written.
        value: String,
    },
    /// More than three parts.
    #[error("cannot parse bind, too many ':': {value}; write SOURCE:DESTINATION[:OPTIONS]")]
    BindTooMany {
        /// What was written.
        value: String,
    },
    /// More than two parts.
    #[error("cannot parse tmpfs, too many ':': {value}; write DESTINATION[:OPTIONS]")]
    TmpfsTooMany {
        /// What was written.
        value: String,
    },
    /// The type cannot be guessed.
    #[error("mount for destination {destination} is missing type; add `type`")]
    MountType {
        /// Where it would be mounted.
        destination: String,
    },
    /// The destination cannot be guessed.
    #[error("mount type {kind} is missing destination; add `destination`")]
    MountDestination {
        /// Its type.
        kind: String,
    },
    /// No such container in this spec.
    #[error(
        "cannot find id: {name}; a name must be `root` or that of a container of this spec, numbers go without quotes"
    )]
    UnknownId {
        /// What was written.
        name: String,
    },
    /// Not an octal number.
    #[error("cannot parse device mode of {path} as octal value: {reason}")]
    DeviceMode {
        /// The device.
        path: String,
        /// Why not.
        reason: OctalError,
    },
    /// Not a declared volume.
    #[error("volume {name} not found; declare it under `volumes` or begin a path with `/`")]
    UnknownVolume {
        /// What was written.
        name: String,
    },
    /// A read-only volume mounted for writing.
    #[error(
        "volume {name} is read-only, but attempting to write into container read-write; add the option `ro`"
    )]
    ReadOnlyVolume {
        /// The volume.
        name: String,
    },
    /// The resources are not of the runtime specification's form.
    #[error("not resources of the OCI runtime specification: {reason}")]
    Resources {
        /// What serde says.
        reason: String,
    },
    /// Never for the types used here; kept so that nothing is unwrapped.
    #[error("cannot be written as JSON: {reason}")]
    Json {
        /// What serde says.
        reason: String,
    },
}
