//! Instants in the room that they need: a million entries hold some millions of them.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::Offset;

const PRINTER: DateTimePrinter = DateTimePrinter::new();
/// An instant of the year 0 with all that the others differ in.
const PATTERN: &[u8; LENGTH_TO_THE_SECOND] = b"0000-00-00T00:00:00Z";
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

/// Appends an instant as RFC 3339, in UTC with `Z`: what jiff's own printer would, which takes as long for the instants
/// of a page as all the rest of the page does.
pub(in crate::catalog) fn write(out: &mut Vec<u8>, at: Timestamp) {
    let civil = Offset::UTC.to_datetime(at);
    let Ok(year) = u32::try_from(civil.year()) else {
        // Before the year 0, which has a form of its own.
        PRINTER.print_timestamp(&at, out).expect("a vector has room");
        return;
    };
    let parts = [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()].map(i8::unsigned_abs);
    let mut text = *PATTERN;
    put(&mut text[..4], year);
    for (place, part) in [5, 8, 11, 14, 17].into_iter().zip(parts) {
        put(&mut text[place..place + 2], u32::from(part));
    }
    let (zone, to_the_second) = text.split_last().expect("it ends with Z");
    out.extend_from_slice(to_the_second);
    let nanosecond = civil.subsec_nanosecond().unsigned_abs();
    if nanosecond != 0 {
        let mut fraction = *b".000000000";
        put(&mut fraction[1..], nanosecond);
        out.extend_from_slice(&fraction[..length(at) - LENGTH_TO_THE_SECOND]);
    }
    out.push(*zone);
}

/// Writes a number into a place, with as many digits as that has.
fn put(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
    }
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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn an_instant_is_written_as_its_own_printer_would(
            second in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(),
            nanosecond in prop_oneof![Just(0), 0..1_000_000_000, (0..1_000_000).prop_map(|micro| micro * 1_000)],
        ) {
            let at = Timestamp::new(second, nanosecond).unwrap_or(Timestamp::MAX);
            let mut out = Vec::new();
            write(&mut out, at);
            prop_assert_eq!(String::from_utf8(out).expect("UTF-8"), at.to_string());
        }
    }

    #[test]
    fn a_second_is_clamped_to_what_it_can_hold() {
        for (at, expected) in [(-5, 0), (1_800_000_000, 1_800_000_000), (1 << 33, i64::from(u32::MAX))] {
            let at = Timestamp::from_second(at).expect("in range");
            assert_eq!(Timestamp::from(Second::from(at)).as_second(), expected);
        }
    }
}
