//! Values in MessagePack, driven by their type, as cty writes them.
//!
//! Objects and maps are maps, lists, tuples and sets arrays. An unknown value
//! is extension 0 with one zero byte; extension 12 carries what is known of it;
//! any other extension is an unknown value too. A number that neither an
//! integer nor a double holds exactly is a decimal string. A dynamic value is
//! `[type in JSON, value]`.

mod decode;
mod encode;
mod read;

pub use decode::{DecodeError, decode};
pub use encode::encode;

#[cfg(test)]
mod tests;
