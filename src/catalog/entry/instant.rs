//! Instants in the room that they need: a million entries hold some millions of them.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

const PRINTER: DateTimePrinter = DateTimePrinter::new();
/// The length of `2025-12-09T00:18:46Z`.
const LENGTH_TO_THE_SECOND: usize = 20;

/// A [`Timestamp`] in twelve bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(Rust, packed(4))]
pub(super) struct Instant {
    second: i64,
    nanosecond: i32,
}

impl From<Timestamp> for Instant {
    fn from(at: Timestamp) -> Self {
        Self { second: at.as_second(), nanosecond: at.subsec_nanosecond() }
    }
}

impl From<Instant> for Timestamp {
    fn from(at: Instant) -> Self {
        Self::new(at.second, at.nanosecond).expect("it was a timestamp before")
    }
}

/// A [`Timestamp`] to the second in four bytes: between 1970 and 2106.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Second(u32);

impl From<Timestamp> for Second {
    fn from(at: Timestamp) -> Self {
        Self(u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX))
    }
}

impl From<Second> for Timestamp {
    fn from(at: Second) -> Self {
        Self::constant(i64::from(at.0), 0)
    }
}

/// Appends an instant as RFC 3339, in UTC with `Z`.
pub(in crate::catalog) fn write(out: &mut Vec<u8>, at: Timestamp) {
    PRINTER.print_timestamp(&at, out).expect("a vector has room");
}

/// The length of what [`write()`] appends, from the year 0 on.
pub(in crate::catalog) fn length(at: Timestamp) -> usize {
    let (mut digits, mut fraction) = (9, at.subsec_nanosecond());
    if fraction == 0 {
        return LENGTH_TO_THE_SECOND;
    }
    while fraction % 10 == 0 {
        (digits, fraction) = (digits - 1, fraction / 10);
    }
    LENGTH_TO_THE_SECOND + 1 + digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_comes_back_and_is_as_long_as_it_is_said_to_be() {
        for text in ["1969-12-31T23:59:59.000000001Z", "2025-12-09T00:18:46.7529Z", "9999-12-30T22:00:00Z"] {
            let at: Timestamp = text.parse().expect("a timestamp");
            assert_eq!(Timestamp::from(Instant::from(at)), at);
            let mut out = Vec::new();
            write(&mut out, at);
            assert_eq!((out.as_slice(), length(at)), (text.as_bytes(), text.len()));
        }
        assert_eq!(size_of::<Instant>(), 12);
    }

    #[test]
    fn a_second_is_clamped_to_what_it_can_hold() {
        for (at, expected) in [(-5, 0), (1_800_000_000, 1_800_000_000), (1 << 33, i64::from(u32::MAX))] {
            let at = Timestamp::from_second(at).expect("in range");
            assert_eq!(Timestamp::from(Second::from(at)).as_second(), expected);
        }
    }
}
