//! Cursors of the feed: the incarnation and the number of an event, sealed as those of lists are. They carry no filter:
//! the feed is one, whatever of it is shown.

use super::super::cursor::{seal, unseal};
use crate::catalog::feed::Cursor;

/// A cursor as clients see it.
pub(super) fn encode(cursor: Cursor) -> String {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&cursor.incarnation.to_be_bytes());
    bytes[8..].copy_from_slice(&cursor.sequence.to_be_bytes());
    seal(&bytes)
}

/// Reads a cursor that [`encode`] made.
pub(super) fn decode(text: &str) -> Option<Cursor> {
    let bytes: [u8; 16] = unseal(text)?.try_into().ok()?;
    let number = |part: &[u8]| part.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    Some(Cursor { incarnation: number(&bytes[..8]), sequence: number(&bytes[8..]) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::page::{Filter, Position};

    #[test]
    fn a_cursor_reads_as_what_it_was_made_of_and_nothing_else_is_one() {
        for (incarnation, sequence) in [(0, 0), (1, u64::MAX), (0x0123_4567_89ab_cdef, 42)] {
            let cursor = Cursor { incarnation, sequence };
            let text = encode(cursor);
            assert_eq!(decode(&text), Some(cursor));
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{text}");
            assert_eq!(decode(&text[1..]), None);
            assert_eq!(super::super::super::cursor::decode(&text), None, "it is none of a list");
        }
        let position = Position { name: "a/b".into(), version: None };
        assert_eq!(decode(&super::super::super::cursor::encode(&Filter::default(), &position)), None);
        assert_eq!(decode(""), None);
    }
}
