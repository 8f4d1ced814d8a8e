//! Where the bytes of a file go.

mod file;
mod overlay;
mod stream;

pub(crate) use file::FileSink;
pub(crate) use stream::{Recorder, StreamSink};
