//! A small framework for Terraform providers: protocol 6, no code generator.
//!
//! - [`model!`] declares a Rust type and its schema at once; doc comments
//!   become descriptions.
//! - [`Resource`], [`DataSource`], [`Function`] and [`Provider`] are what a
//!   provider implements, in blocking code.
//! - [`serve`](serve::serve) speaks the plugin handshake and runs until
//!   Terraform is done.
//! - [`testing`] runs the real `terraform` against a provider, [`docs`] writes
//!   the registry's pages.
//!
//! The framework checks what Terraform itself would only report as a
//! provider's bug: see [`resource`].

pub mod cx;
pub mod data;
pub mod diag;
pub mod docs;
pub mod function;
pub mod log;
mod protocol;
pub mod provider;
pub mod resource;
pub mod schema;
pub mod serve;
mod server;
pub mod testing;
pub mod value;

pub use cx::{Cancel, Cx};
pub use data::DataSource;
pub use diag::{Diagnose, Diagnostic, Diagnostics, Path};
pub use function::{Function, FunctionError};
pub use provider::{Provider, Registry};
pub use resource::Resource;
pub use schema::{Dynamic, Val};
pub use serve::{Launch, serve};
pub use value::Value;
