//! Since when versions count as changed, as a file: a header line, then twelve bytes of time and eight of
//! fingerprint for each.

use std::io::{Read, Seek, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::format::{self, Kind};
use super::problem::Problem;
use crate::catalog::effects::{Effect, Effects, MAX_EFFECTS};

/// The longest header.
const MAX_HEADER_BYTES: usize = 1 << 10;
/// A fingerprint, seconds and nanoseconds.
const RECORD_BYTES: usize = 8 + 8 + 4;
/// How much room is made before anything was read: no more than a small file needs.
const FIRST_ROOM: usize = 1 << 16;

#[derive(Serialize, Deserialize)]
struct Header {
    newest_update: Timestamp,
    effects: usize,
}

/// Effects as the bytes of a file.
///
/// # Errors
/// None that happen in memory.
pub fn encode(effects: &Effects) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    write(effects, &mut bytes)?;
    Ok(bytes)
}

/// The effects in the bytes of a file.
///
/// # Errors
/// What is wrong with them.
pub fn decode(bytes: &[u8]) -> Result<Effects, Problem> {
    read(std::io::Cursor::new(bytes))
}

pub(super) fn write(effects: &Effects, out: &mut impl Write) -> Result<(), Problem> {
    format::write(out, Kind::Effects, |out| {
        let header = Header { newest_update: effects.newest_update, effects: effects.known().len() };
        let header = serde_json::to_string(&header).map_err(|error| Problem::Unfit(error.to_string()))? + "\n";
        out.write_all(header.as_bytes()).map_err(Problem::written)?;
        for Effect { fingerprint, at } in effects.known() {
            let mut record = [0; RECORD_BYTES];
            record[..8].copy_from_slice(&fingerprint.to_le_bytes());
            record[8..16].copy_from_slice(&at.as_second().to_le_bytes());
            record[16..].copy_from_slice(&at.subsec_nanosecond().to_le_bytes());
            out.write_all(&record).map_err(Problem::written)?;
        }
        Ok(())
    })
}

pub(super) fn read<R: Read + Seek>(input: R) -> Result<Effects, Problem> {
    let mut content = format::open(input, Kind::Effects)?;
    let header = content.line(MAX_HEADER_BYTES)?.unwrap_or_default();
    let header: Header = serde_json::from_str(header)
        .map_err(|error| Problem::Damaged(format!("its header cannot be read: {error}")))?;
    if MAX_EFFECTS < header.effects {
        return Err(Problem::damaged("it counts more than there can be"));
    }
    let mut known = Vec::with_capacity(header.effects.min(FIRST_ROOM));
    for _ in 0..header.effects {
        let mut record = [0; RECORD_BYTES];
        content.bytes(&mut record)?;
        known.push(effect(&record)?);
    }
    content.end()?;
    Ok(Effects::new(header.newest_update, known))
}

fn effect(record: &[u8; RECORD_BYTES]) -> Result<Effect, Problem> {
    fn part<const N: usize>(record: &[u8], from: usize) -> [u8; N] {
        let mut part = [0; N];
        part.copy_from_slice(&record[from..from + N]);
        part
    }
    let (seconds, nanoseconds) = (i64::from_le_bytes(part(record, 8)), i32::from_le_bytes(part(record, 16)));
    let at = Timestamp::new(seconds, nanoseconds).map_err(|_| Problem::damaged("a time in it is none"))?;
    Ok(Effect { fingerprint: u64::from_le_bytes(part(record, 0)), at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects() -> Effects {
        let at = |seconds, nanoseconds| Timestamp::new(seconds, nanoseconds).expect("in range");
        let known = [(7, at(1_700_000_000, 5)), (u64::MAX, Timestamp::MIN), (0, Timestamp::MAX), (3, at(-1, -999))];
        let known = known.map(|(fingerprint, at)| Effect { fingerprint, at });
        Effects::new(at(1_800_000_000, 1), known.to_vec())
    }

    #[test]
    fn what_was_written_is_read() {
        for effects in [Effects::default(), effects()] {
            assert_eq!(decode(&encode(&effects).expect("it fits")).expect("it is whole"), effects);
        }
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let bytes = encode(&effects()).expect("it fits");
        for at in 0..bytes.len() {
            assert!(decode(&bytes[..at]).is_err(), "cut at {at}");
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(decode(&flipped).is_err(), "flipped at {at}");
        }
    }
}
