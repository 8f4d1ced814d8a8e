//! Disk formats: a canonical disk to the bytes of a file, in one pass and in bounded memory.
//!
//! Every block is hashed again and compared with the block map on its way, so a file of the store
//! that was damaged ends in an error that names it, never in an image.

mod aside;
mod error;
mod pipeline;
mod progress;
pub mod raw;
mod verify;

pub use aside::{Aside, AsideError};
pub use error::FormatError;
pub use progress::Progress;
