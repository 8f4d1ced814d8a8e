//! From a locked spec to kernel, initrd and disk.
//!
//! | module | what |
//! |---|---|
//! | [`locking`] | references → lock |
//! | [`rootfs`], [`runtime`] | the root file system as LinuxKit lays it out, by component |
//! | [`segment`] | a component's tree → one compressed cpio |
//! | [`boot_parts`] | GRUB and EFI stubs from the boot image |
//! | [`image`] | all of it: [`Builder`] |
//! | [`lint`] | what lints ask of images |
//! | [`diff`] | what differs between two images |
//! | [`quantity`] | sizes in messages |

pub mod boot_parts;
mod budget;
pub mod diff;
mod error;
pub mod facts;
pub mod image;
mod initrd;
pub mod inline;
pub mod kernel;
pub mod lint;
pub mod locking;
pub mod memory;
mod overrides;
mod own_segment;
mod parallel;
pub mod quantity;
mod remote;
pub mod rootfs;
pub mod runtime;
pub mod segment;
pub mod setup;
mod stop;
pub mod stored_segment;

pub use error::{BuildError, explain};
pub use image::{Builder, Machine};
pub use remote::Registries;
pub use setup::{Settings, SetupError};
pub use stored_segment::StoredSegment;
