//! From a container entry to the two files of its bundle: `config.json` for the OCI runtime and
//! `runtime.json` for the init that prepares its mounts, directories and interfaces.
//!
//! Every key comes from the YAML, else from the image's `org.mobyproject.config` label, else (for
//! command, environment and working directory) from the image's configuration, else from
//! LinuxKit's default. Both files equal LinuxKit's byte for byte: OCI runtime specification 1.2.1
//! in Go's field order.

mod bundle;
mod capabilities;
mod devices;
mod error;
mod gojson;
mod ids;
mod merge;
mod mounts;
mod namespaces;
mod oci;
mod octal;
mod prepare;
mod resources;
mod rlimits;
mod section;
mod volumes;

pub use bundle::{Bundle, Request, render};
pub use error::{Error, ErrorKind};
pub(crate) use gojson::to_vec as to_go_json;
pub use ids::NamedIds;
pub use octal::OctalError;
pub(crate) use octal::parse as parse_octal;
pub use section::Section;
pub use volumes::Volumes;
