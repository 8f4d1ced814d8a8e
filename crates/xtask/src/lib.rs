//! The project's own commands, as a library so that tests can call them.

pub mod base_images;
pub mod bench;
mod cargo;
pub mod demo;
pub mod dist;
pub mod docs;
mod layout;
pub mod matrix;
mod process;
pub mod setup;
mod steps;
mod terraform;
pub mod testing;
pub mod workspace;
