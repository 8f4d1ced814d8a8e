//! The project's own commands, as a library so that tests can call them.

pub mod base_images;
mod process;
pub mod setup;
pub mod workspace;
