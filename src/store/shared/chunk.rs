//! Chunks: what a generation is made of, compressed, each under the hash of what it holds. Whoever has a chunk has it for
//! good; what did not change is not sent again, by whatever release of the compressor it was packed.
//!
//! A listing is cut at names whose hash says so, some 64 of them to a chunk: a name that comes or goes changes one chunk
//! and leaves the others as they are.

use std::fmt;
use std::io::Read as _;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::problem::Problem;

/// One name in so many ends a chunk, on average.
const NAMES: u8 = 64;
/// A chunk that has this many bytes before they are compressed ends with the name at hand.
pub(super) const MAX_USUAL_BYTES: usize = 4 << 20;
/// The most that a chunk may have compressed: Redis takes no more than 512 MiB in one.
const MAX_COMPRESSED_BYTES: usize = 256 << 20;
/// The most that a chunk of names may have: one name may have many large versions, and is never cut.
pub(super) const MAX_NAMES_BYTES: usize = 1 << 30;
/// The most that any other chunk, and the manifest, may have.
pub(super) const MAX_SMALL_BYTES: usize = 64 << 20;
/// The largest window that a chunk may ask a reader to keep, as a power of two.
const MAX_WINDOW_LOG: u32 = 23;
/// Speed counts: the leader waits for it.
const LEVEL: i32 = 1;

/// Identifies a chunk: BLAKE3 of what it holds, before that is compressed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId([u8; 32]);

impl ChunkId {
    pub(super) fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// The id, or another digest that travels as one, with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Whether it has these bytes.
    #[must_use]
    pub fn has_bytes(&self, bytes: &[u8; 32]) -> bool {
        self.0 == *bytes
    }

    /// As it stands in keys.
    pub(super) fn as_text(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or_default());
            }
            text
        })
    }

    /// Reads what [`ChunkId::as_text`] made.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .chars()
            .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()?;
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        (digits.len() == 64).then_some(())?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for ChunkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.as_text()[..12])
    }
}

impl Serialize for ChunkId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.as_text())
    }
}

impl<'de> Deserialize<'de> for ChunkId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("is no chunk's id"))
    }
}

/// A chunk as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its id.
    pub id: ChunkId,
    /// Its bytes, compressed.
    pub bytes: Vec<u8>,
}

impl Chunk {
    /// Compresses what is to be kept.
    ///
    /// # Errors
    /// When it has more than `limit` bytes, or more than can be kept.
    pub fn pack(content: &[u8], limit: usize) -> Result<Self, Problem> {
        let bytes = compress(content, limit)?;
        Ok(Self { id: ChunkId::of(content), bytes })
    }

    /// What the chunk holds.
    ///
    /// # Errors
    /// When that has more than `limit` bytes, or is not what the id says.
    pub fn unpack(&self, limit: usize) -> Result<Vec<u8>, Problem> {
        let content = decompress(&self.bytes, limit)?;
        if ChunkId::of(&content) == self.id {
            Ok(content)
        } else {
            Err(Problem::damaged("a chunk holds something else than its name says"))
        }
    }
}

/// Compresses what is to be kept, which has no more than `limit` bytes.
pub(super) fn compress(content: &[u8], limit: usize) -> Result<Vec<u8>, Problem> {
    let bytes = zstd::bulk::compress(content, LEVEL).map_err(Problem::written)?;
    if limit < content.len() || MAX_COMPRESSED_BYTES < bytes.len() {
        return Err(Problem::Unfit(format!("a part of it has {} bytes, and may have {limit}", content.len())));
    }
    Ok(bytes)
}

/// Decompresses what was kept, as far as it has no more than `limit` bytes.
pub(super) fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Problem> {
    let broken = |error: std::io::Error| Problem::Damaged(format!("a part of it cannot be decompressed: {error}"));
    let mut stream = zstd::stream::read::Decoder::new(bytes).map_err(broken)?;
    stream.window_log_max(MAX_WINDOW_LOG).map_err(broken)?;
    let mut content = Vec::new();
    stream.take(limit as u64 + 1).read_to_end(&mut content).map_err(broken)?;
    if limit < content.len() {
        return Err(Problem::damaged("a part of it is larger than any of ours"));
    }
    Ok(content)
}

/// Whether a chunk ends with a name.
pub(super) fn ends_with(name: &str) -> bool {
    blake3::hash(name.as_bytes()).as_bytes()[0] < u8::MAX / NAMES + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_what_was_packed_or_an_error() {
        let content = b"content".repeat(100);
        let chunk = Chunk::pack(&content, content.len()).expect("it is small");
        assert_eq!(chunk.unpack(content.len()).expect("whole"), content);
        assert_eq!(ChunkId::parse(&chunk.id.as_text()), Some(chunk.id));
        let mut broken = 0;
        for at in 0..chunk.bytes.len() {
            let mut flipped = chunk.clone();
            flipped.bytes[at] ^= 1;
            // A bit that means nothing may be another one; what comes out is what went in, or nothing.
            broken += usize::from(flipped.unpack(content.len()).map_or(true, |found| {
                assert_eq!(found, content, "flipped at {at}");
                false
            }));
            let cut = Chunk { id: chunk.id, bytes: chunk.bytes[..at].to_vec() };
            assert!(cut.unpack(content.len()).is_err(), "cut at {at}");
        }
        assert!(chunk.bytes.len() / 2 < broken, "{broken} of {}", chunk.bytes.len());
        let other = Chunk { id: ChunkId::of(b"other"), bytes: chunk.bytes.clone() };
        assert!(other.unpack(content.len()).is_err(), "it holds something else than its id says");
        for text in ["", "0", "zz", &"0".repeat(63), &"g".repeat(64)] {
            assert_eq!(ChunkId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_larger_than_its_kind_may_be_is_neither_packed_nor_unpacked() {
        let content = [0; 1_000];
        assert!(Chunk::pack(&content, 999).is_err());
        let chunk = Chunk::pack(&content, 1_000).expect("it fits");
        assert!(chunk.unpack(999).is_err());
        assert_eq!(chunk.unpack(1_000).expect("it fits"), content);
    }

    #[test]
    fn one_name_in_sixty_four_ends_a_chunk() {
        let ends = (0..64_000).filter(|number| ends_with(&format!("com.example/server-{number}"))).count();
        assert!((800..1_200).contains(&ends), "{ends}");
    }
}
