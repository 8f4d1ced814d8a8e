//! A stream that takes no way back, for writers that do.
//!
//! The last [`WINDOW`] bytes wait before they are sent, so a writer may still change them. What is
//! written later than that is recorded by a first run, whose other bytes go nowhere, and put in its
//! place by the second.

use std::collections::VecDeque;
use std::io::Write;

use sha2::{Digest, Sha256};

use super::overlay::Overlay;
use crate::writer::WINDOW;
use crate::{FormatError, Sink, zero};

/// The first run.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    end: u64,
    late: Overlay,
}

impl Recorder {
    /// What was written late.
    pub(crate) fn late(self) -> Overlay {
        self.late
    }
}

impl Sink for Recorder {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FormatError> {
        let sent = self.end.saturating_sub(WINDOW);
        let late = sent.saturating_sub(offset).min(bytes.len() as u64);
        self.late.put(offset, &bytes[..late as usize])?;
        self.end = self.end.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn set_len(&mut self, _: u64) -> Result<(), FormatError> {
        Ok(())
    }
}

/// The run that counts.
pub(crate) struct StreamSink<'a> {
    out: &'a mut dyn Write,
    /// What the first run recorded, if there was one.
    late: Option<Overlay>,
    hasher: Option<Sha256>,
    /// Bytes that are out.
    sent: u64,
    /// Those that follow and wait.
    waiting: VecDeque<u8>,
    len: u64,
    piece: Vec<u8>,
}

impl<'a> StreamSink<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, late: Option<Overlay>, sha256: bool) -> Self {
        Self {
            out,
            late,
            hasher: sha256.then(Sha256::new),
            sent: 0,
            waiting: VecDeque::new(),
            len: 0,
            piece: Vec::new(),
        }
    }

    /// Sends the rest; returns the number of bytes and their sha256.
    pub(crate) fn finish(mut self) -> Result<(u64, Option<[u8; 32]>), FormatError> {
        self.reach(self.len)?;
        self.send(self.waiting.len())?;
        self.out.flush().map_err(FormatError::Stream)?;
        Ok((self.sent, self.hasher.map(|it| it.finalize().into())))
    }

    /// Makes zeros wait up to `end`.
    fn reach(&mut self, end: u64) -> Result<(), FormatError> {
        let have = self.sent + self.waiting.len() as u64;
        zero::pieces(end.saturating_sub(have), |zeros| {
            self.waiting.extend(zeros);
            self.send(self.waiting.len().saturating_sub(WINDOW as usize))
        })
    }

    /// Sends the oldest `count` bytes.
    fn send(&mut self, count: usize) -> Result<(), FormatError> {
        if count == 0 {
            return Ok(());
        }
        let (front, behind) = self.waiting.as_slices();
        let in_front = front.len().min(count);
        self.piece.clear();
        self.piece.extend_from_slice(&front[..in_front]);
        self.piece.extend_from_slice(&behind[..count - in_front]);
        self.waiting.drain(..count);
        if let Some(late) = &self.late {
            late.apply(self.sent, &mut self.piece);
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&self.piece);
        }
        self.out
            .write_all(&self.piece)
            .map_err(FormatError::Stream)?;
        self.sent += count as u64;
        Ok(())
    }
}

impl Sink for StreamSink<'_> {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FormatError> {
        self.reach(offset)?;
        let late = self.sent.saturating_sub(offset).min(bytes.len() as u64);
        // What is out already was right if the first run saw this.
        if late > 0 && self.late.is_none() {
            let what = "the format went back and had said that it does not";
            return Err(FormatError::Stream(std::io::Error::other(what)));
        }
        let bytes = &bytes[late as usize..];
        if bytes.is_empty() {
            return Ok(());
        }
        let start = (offset + late - self.sent) as usize;
        let known = (self.waiting.len() - start.min(self.waiting.len())).min(bytes.len());
        let (old, new) = bytes.split_at(known);
        let (front, behind) = self.waiting.as_mut_slices();
        let in_front = front.len().saturating_sub(start).min(old.len());
        if in_front > 0 {
            front[start..start + in_front].copy_from_slice(&old[..in_front]);
        }
        if in_front < old.len() {
            let from = start + in_front - front.len();
            behind[from..from + old.len() - in_front].copy_from_slice(&old[in_front..]);
        }
        self.waiting.extend(new);
        self.send(self.waiting.len().saturating_sub(WINDOW as usize))
    }

    fn set_len(&mut self, len: u64) -> Result<(), FormatError> {
        self.len = self.len.max(len);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: usize = 1 << 20;

    /// Writes, and what a file would have then.
    fn model(writes: &[(usize, usize, u8)], len: usize) -> Vec<u8> {
        let mut file = Vec::new();
        for (offset, len, byte) in writes {
            file.resize(file.len().max(offset + len), 0);
            file[*offset..offset + len].fill(*byte);
        }
        file.resize(file.len().max(len), 0);
        file
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn a_stream_has_what_a_file_has(
            writes in proptest::collection::vec(
                (0..48 * MIB, prop_oneof![0..100_usize, 0..3 * MIB], 1_u8..),
                1..12,
            ),
            len in 0..64 * MIB,
        ) {
            let expected = model(&writes, len);
            let mut recorder = Recorder::default();
            let run = |sink: &mut dyn Sink| {
                for (offset, len, byte) in &writes {
                    sink.write_at(*offset as u64, &vec![*byte; *len]).unwrap();
                }
                sink.set_len(len as u64).unwrap();
            };
            run(&mut recorder);
            let mut out = Vec::new();
            let mut sink = StreamSink::new(&mut out, Some(recorder.late()), true);
            run(&mut sink);
            let (sent, sha256) = sink.finish().unwrap();
            prop_assert_eq!(sent, expected.len() as u64);
            prop_assert_eq!(sha256, Some(Sha256::digest(&expected).into()));
            prop_assert!(out == expected);
        }
    }

    #[test]
    fn going_back_too_far_without_a_first_run_is_an_error() {
        let mut out = Vec::new();
        let mut sink = StreamSink::new(&mut out, None, false);
        for at in 0..20 {
            sink.write_at(at << 20, &vec![1; MIB]).unwrap();
        }
        sink.write_at(4 << 20, &[2]).unwrap();
        let error = sink.write_at((4 << 20) - 1, &[2, 2]).unwrap_err();
        assert!(error.to_string().contains("went back"), "{error}");
    }
}
