//! Made-up files that compress like those of a root file system: programs,
//! text, and some that do not compress at all. The same everywhere.

/// What a file is, and so how it compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Program,
    Text,
    Packed,
}

/// A generator of numbers (splitmix64), not a random one.
#[derive(Clone, Debug)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is small.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Small numbers far more often than large ones, as words and
    /// instructions are.
    fn skewed(&mut self, end: u64) -> u64 {
        let span = self.below(end) + 1;
        let span = self.below(span) + 1;
        self.below(span)
    }

    /// A file's size: from 512 bytes to 2 MiB, each octave as often.
    pub(super) fn size(&mut self) -> usize {
        let octave = 512_u64 << self.below(12);
        (octave + self.below(octave)) as usize
    }

    /// What a file is.
    pub(super) fn kind(&mut self) -> Kind {
        match self.below(20) {
            0..=11 => Kind::Program,
            12..=17 => Kind::Text,
            _ => Kind::Packed,
        }
    }

    /// A file of `size` bytes.
    pub(super) fn file(&mut self, kind: Kind, size: usize) -> Vec<u8> {
        match kind {
            Kind::Program => self.program(size),
            Kind::Text => self.text(size),
            Kind::Packed => self.packed(size),
        }
    }

    /// Code: short runs that come again, with fresh operands in between.
    fn program(&mut self, size: usize) -> Vec<u8> {
        let runs = self.words(1500, 2, 12, |numbers| numbers.next() as u8);
        self.mix(size, &runs, |numbers, bytes| {
            if numbers.below(4) == 0 {
                let operand = numbers.next().to_le_bytes();
                bytes.extend_from_slice(&operand[..2]);
            }
        })
    }

    fn text(&mut self, size: usize) -> Vec<u8> {
        let letter = |numbers: &mut Self| b'a' + numbers.skewed(26) as u8;
        let words = self.words(3000, 2, 10, letter);
        self.mix(size, &words, |numbers, bytes| {
            bytes.push(if numbers.below(12) == 0 { b'\n' } else { b' ' });
        })
    }

    /// As if compressed already.
    fn packed(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(size);
        bytes
    }

    fn words(
        &mut self,
        count: u64,
        shortest: u64,
        longest: u64,
        mut letter: impl FnMut(&mut Self) -> u8,
    ) -> Vec<Vec<u8>> {
        (0..count)
            .map(|_| {
                let length = shortest + self.below(longest - shortest + 1);
                (0..length).map(|_| letter(self)).collect()
            })
            .collect()
    }

    fn mix(
        &mut self,
        size: usize,
        words: &[Vec<u8>],
        mut between: impl FnMut(&mut Self, &mut Vec<u8>),
    ) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size + 32);
        while bytes.len() < size {
            let word = self.skewed(words.len() as u64) as usize;
            bytes.extend_from_slice(&words[word]);
            between(self, &mut bytes);
        }
        bytes.truncate(size);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn many() -> Vec<u8> {
        let mut numbers = Numbers::new(7);
        let mut all = Vec::new();
        while all.len() < 8 << 20 {
            let (kind, size) = (numbers.kind(), numbers.size());
            all.extend(numbers.file(kind, size));
        }
        all
    }

    #[test]
    fn it_is_the_same_every_time() {
        for kind in [Kind::Program, Kind::Text, Kind::Packed] {
            let file = |seed| Numbers::new(seed).file(kind, 5000);
            assert_eq!(file(1), file(1));
            assert_ne!(file(1), file(2));
            assert_eq!(file(3).len(), 5000);
        }
    }

    #[test]
    fn it_compresses_like_usr() {
        let all = many();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        gzip.write_all(&all).unwrap();
        let ratio = all.len() as f64 / gzip.finish().unwrap().len() as f64;
        assert!((2.0..3.5).contains(&ratio), "{ratio}");
    }
}
