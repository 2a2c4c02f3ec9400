//! Instants in the room that they need: a million entries hold some millions of them.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::Offset;

const PRINTER: DateTimePrinter = DateTimePrinter::new();
/// An instant of the year 0 with all that the others differ in.
const PATTERN: &[u8; LENGTH_TO_THE_SECOND + ".000000000".len()] = b"0000-00-00T00:00:00.000000000Z";
/// The length of `2025-12-09T00:18:46Z`, and where its last character stands.
const LENGTH_TO_THE_SECOND: usize = 20;
const ZONE: usize = LENGTH_TO_THE_SECOND - 1;

/// The numbers below a hundred, in two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

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

impl Instant {
    /// Twelve bytes that no other instant has.
    pub(super) fn to_le_bytes(self) -> [u8; 12] {
        let Self { second, nanosecond } = self;
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&second.to_le_bytes());
        bytes[8..].copy_from_slice(&nanosecond.to_le_bytes());
        bytes
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

impl Second {
    /// Four bytes that no other one has.
    pub(super) fn to_le_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }
}

impl From<Second> for Timestamp {
    fn from(at: Second) -> Self {
        Self::constant(i64::from(at.0), 0)
    }
}

/// An instant as text.
#[derive(Clone, Copy)]
pub(in crate::catalog) struct Text {
    bytes: [u8; PATTERN.len()],
    length: usize,
}

impl Text {
    /// An instant as RFC 3339, in UTC with `Z`: what jiff's own printer would write, which takes as long for the
    /// instants of a page as all the rest of the page does. None before the year 0, which has a form of its own.
    pub(in crate::catalog) fn of(at: Timestamp) -> Option<Self> {
        let civil = Offset::UTC.to_datetime(at);
        let year = u32::try_from(civil.year()).ok()?;
        let mut bytes = *PATTERN;
        put(&mut bytes, 0, year / 100);
        put(&mut bytes, 2, year % 100);
        let parts = [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()].map(i8::unsigned_abs);
        for (place, part) in [5, 8, 11, 14, 17].into_iter().zip(parts) {
            put(&mut bytes, place, part.into());
        }
        let nanosecond = civil.subsec_nanosecond().unsigned_abs();
        let mut end = ZONE;
        if nanosecond != 0 {
            for (place, unit) in [(20, 10_000_000), (22, 100_000), (24, 1_000), (26, 10)] {
                put(&mut bytes, place, nanosecond / unit % 100);
            }
            bytes[28] = PAIRS[(nanosecond % 10) as usize][1];
            end = bytes[..29].iter().rposition(|digit| *digit != b'0').map_or(ZONE, |last| last + 1);
        }
        bytes[end] = b'Z';
        Some(Self { bytes, length: end + 1 })
    }
}

/// A text that is short, put together where it costs no call: of parts whose lengths are known when this is compiled.
pub(in crate::catalog) struct Short {
    bytes: [u8; Self::MAX_BYTES],
    length: usize,
}

impl Short {
    /// The longest: an official block, with a margin.
    const MAX_BYTES: usize = 256;

    pub(in crate::catalog) fn new() -> Self {
        Self { bytes: [0; Self::MAX_BYTES], length: 0 }
    }

    pub(in crate::catalog) fn push<const LENGTH: usize>(&mut self, part: &[u8; LENGTH]) {
        self.bytes[self.length..self.length + LENGTH].copy_from_slice(part);
        self.length += LENGTH;
    }

    pub(in crate::catalog) fn push_instant(&mut self, text: &Text) {
        self.push(&text.bytes);
        // What is behind it is no part of it.
        self.length -= text.bytes.len() - text.length;
    }

    pub(in crate::catalog) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Appends an instant as [`Text::of`] writes it, or in its own form.
pub(in crate::catalog) fn write(out: &mut Vec<u8>, at: Timestamp) {
    match Text::of(at) {
        Some(text) => out.extend_from_slice(&text.bytes[..text.length]),
        None => PRINTER.print_timestamp(&at, out).expect("a vector has room"),
    }
}

/// Writes a number below a hundred into its place.
fn put(text: &mut [u8; PATTERN.len()], place: usize, number: u32) {
    text[place..place + 2].copy_from_slice(&PAIRS[number as usize]);
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
