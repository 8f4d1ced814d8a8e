//! Container images made from code: small, and the same bytes every time.

mod layer;
mod layout;
mod parts;

pub use layer::Layer;
pub use layout::{Blob, Codec, Image, Layout};
pub use parts::{MACHINE, machine};
