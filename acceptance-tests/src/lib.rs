//! Real parts to test against.

pub mod cli;
pub mod codecs;
pub mod fixture;
pub mod group;
pub mod linuxkit;
pub mod machine;
pub mod proxy;
pub mod registry;
pub mod small_disk;
pub mod tool;
