//! Outputs: what a machine is besides a disk.
//!
//! | module | files | what |
//! |---|---|---|
//! | [`kernel_initrd`] | `NAME-kernel`, `NAME-initrd.img`, `NAME-cmdline` | for direct boot and netboot |
//! | [`tar`] | `NAME.tar` | the root file system with `boot/`, later entries winning |

mod error;
mod file;
pub mod kernel_initrd;
mod pax;
pub mod tar;

pub use error::OutputError;
pub use file::Written;
