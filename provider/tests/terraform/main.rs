//! The real provider with the real Terraform.
//!
//! Most tests serve the provider from this process; those for which processes matter let Terraform
//! start the `nodeimage` executable. Images are stand-ins made in the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod changes;
mod docs;
mod faults;
mod file;
mod function;
mod image;
mod pins;
mod processes;
mod registry;
mod state;
mod trust;
mod unknown;
mod wiring;
mod world;
