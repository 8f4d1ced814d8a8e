//! Real parts to test against.

pub mod machine;
