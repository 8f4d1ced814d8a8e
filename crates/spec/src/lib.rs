//! LinuxKit YAML.

pub mod model;
