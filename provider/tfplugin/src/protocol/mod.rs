//! The messages of Terraform's plugin protocol 6 that this framework speaks,
//! and the routing of its calls.
//!
//! The names and numbers are those of protocol 6.11. Messages are written here
//! as Rust types: fields we never read or set are left out, which the encoding
//! allows, so no generator and no protobuf compiler is needed.

pub(crate) mod message;
pub(crate) mod route;
