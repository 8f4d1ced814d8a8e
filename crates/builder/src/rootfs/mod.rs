//! The root file system as an ordered list of components, laid out as LinuxKit lays it out.
//!
//! [`plan`] needs only facts that are small and kept (manifest digests, image configurations,
//! labels, the top level of `init` images): it says what components there are, what decides the
//! bytes of each ([`Inputs`]) and how each is made ([`Build`]). Only a component whose segment is
//! not in the store is then made, from the trees of its images.
//!
//! Order is precedence: a later component overrides an earlier one. kernel, init, volumes, onboot,
//! onshutdown, services, files.

mod apk;
mod boot;
mod bundles;
mod component;
mod edit;
mod error;
mod facts;
mod faults;
mod files;
mod inputs;
mod kernel;
mod links;
mod nodes;
mod oci_layout;
mod origin;
mod path;
mod place;
mod plan;
mod volume;

#[cfg(test)]
mod testing;

pub use boot::without_boot;
pub use component::{Build, Component};
pub use error::{BoxError, Error, FileError};
pub use facts::{ImageFacts, ImageInfo, RootFacts, Trees};
pub use inputs::Inputs;
pub use kernel::{KernelParts, kernel_parts};
pub(crate) use links::Above;
pub use links::{LinkError, Links};
pub use nodes::MTIME;
pub use oci_layout::Layout;
pub use origin::{Origin, Origins};
pub use path::PathError;
pub use place::Resolver;
pub use plan::plan;
