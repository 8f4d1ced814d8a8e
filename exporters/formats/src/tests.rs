//! What holds for every format: these tests go over the list.

mod driver;
mod golden;
mod hostile;
mod round_trip;
pub(crate) mod sample;
