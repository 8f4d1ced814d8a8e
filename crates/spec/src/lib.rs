//! LinuxKit YAML as pure functions of text: parsing with every fault at once, merging, checking,
//! linting, image references, the lock and the locked spec. No file system, network, clock or
//! environment: whoever calls brings the text and gets plain data back.
//!
//! The data's way: [`parse()`] turns documents into a [`model::Spec`] with the place of
//! every value; [`lint::lint`] looks for what is valid and still a mistake;
//! [`lock_spec`] joins a spec with its digests and file contents into a
//! [`LockedSpec`], whose hash is the image id.

pub mod check;
mod disk;
pub mod fault;
pub mod lint;
pub mod lock;
mod lock_status;
pub mod locked;
pub mod metadata;
pub mod model;
pub mod parse;
pub mod pin;
pub mod reference;
mod schema;
mod secret;
mod suggest;
mod yaml;

pub use disk::{Architecture, Codec, DiskOptions, Firmware};
pub use fault::{Fault, Faults, Place, Severity};
pub use lock::{Lock, LockError};
pub use lock_status::{LockStatus, Missing, Stale};
pub use locked::{Boot, LockedError, LockedSpec, RECIPE};
pub use model::{Options, Spec};
pub use parse::{Document, Location, Locations, Parsed, Trust, parse, parse_label};
pub use pin::{Outcome, lock_spec, references, whole_images};
pub use reference::{Digest, Reference, ReferenceError};
