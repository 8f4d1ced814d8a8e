//! Acceptance tests: a provider in this process, and the real `terraform`.
//!
//! ```no_run
//! # use tfplugin::testing::{Reattach, Terraform};
//! # fn test(provider: impl tfplugin::Provider) {
//! let server = Reattach::start("registry.terraform.io/acme/toy", provider);
//! let mut terraform = Terraform::new();
//! terraform.reattach(&server);
//! terraform.write("main.tf", r#"resource "toy_thing" "a" { name = "x" }"#);
//! terraform.apply();
//! terraform.assert_no_changes();
//! assert_eq!(terraform.resource("toy_thing.a")["name"], "x");
//! terraform.destroy();
//! # }
//! ```
//!
//! Everything here panics with the command and its output when it fails, as
//! tests do.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "helpers of tests: a panic is how they fail"
)]

mod reattach;
mod terraform;

pub use reattach::Reattach;
pub use terraform::{Action, Output, Terraform};

/// Every schema's faults; a provider's unit tests should see none.
///
/// # Errors
/// The faults.
pub fn check_schemas<P: crate::Provider>(provider: P) -> Result<(), crate::schema::SchemaError> {
    crate::provider::AnyProvider::new(provider).map(|_| ())
}
