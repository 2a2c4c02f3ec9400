//! The line ends of HTTP/1. Hyper takes a bare LF for one, as RFC 9112 §2.2 allows. A proxy before us may take it for
//! a part of a header's value, and then what hyper takes for the next request for a part of this one: the answers that
//! follow go to the wrong clients. So a bare LF in a head becomes a byte that no head may hold, and hyper refuses the
//! request and ends the connection, as it does with every other head that cannot be read.
//!
//! Bodies are not looked at. Behind one whose end only hyper knows (chunks), nothing is looked at any more: such a
//! request is the last one of its connection (`posted`).

use memchr::memchr;

/// What no head may hold.
const FORBIDDEN: u8 = 0;
/// What announces a body; in lower case.
const LENGTH: &[u8] = b"content-length:";
const CODING: &[u8] = b"transfer-encoding:";

/// What the bytes that come next belong to.
#[derive(Clone, Copy, Debug)]
enum Place {
    Head,
    /// So many bytes of a body are still to come.
    Body(u64),
    /// A body whose end is not known here.
    Unknown,
}

/// Looks at what comes on one connection.
#[derive(Debug)]
pub(super) struct Lines {
    place: Place,
    last: u8,
    /// Whether a line of this head has ended that was not empty.
    has_begun: bool,
    /// How long the present line is, and how it begins; in lower case.
    length: usize,
    start: [u8; CODING.len()],
    /// The length that this head announces for a body.
    body: Option<u64>,
    has_coding: bool,
}

impl Default for Lines {
    fn default() -> Self {
        let start = [0; CODING.len()];
        Self { place: Place::Head, last: 0, has_begun: false, length: 0, start, body: None, has_coding: false }
    }
}

impl Lines {
    /// Makes what comes refusable where a line of a head ends with a bare LF.
    pub(super) fn forbid_bare_ends(&mut self, mut bytes: &mut [u8]) {
        loop {
            match self.place {
                Place::Unknown => return,
                Place::Body(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let left = left - here as u64;
                    self.place = if left == 0 { Place::Head } else { Place::Body(left) };
                    bytes = bytes.get_mut(here..).unwrap_or_default();
                }
                Place::Head => {
                    let read = self.read_head(bytes);
                    bytes = bytes.get_mut(read..).unwrap_or_default();
                }
            }
            if bytes.is_empty() {
                return;
            }
        }
    }

    /// Whether all that came was whole requests, as far as that is known.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.place, Place::Head) && !self.has_begun && self.length == 0
    }

    /// Reads to the end of a head, or of what there is; returns how much that was.
    fn read_head(&mut self, bytes: &mut [u8]) -> usize {
        let mut read = 0;
        while let Some(end) = memchr(b'\n', &bytes[read..]).map(|length| read + length) {
            if self.length == 0 && says_nothing(&bytes[read..end]) {
                (self.has_begun, self.last, read) = (true, b'\n', end + 1);
                continue;
            }
            self.read_part(&bytes[read..end]);
            read = end + 1;
            if self.last == b'\r' {
                self.last = b'\n';
                if self.ends_head() {
                    return read;
                }
            } else {
                bytes[end] = FORBIDDEN;
                self.read_part(&[FORBIDDEN]);
            }
        }
        self.read_part(&bytes[read..]);
        bytes.len()
    }

    /// Reads a part of a line, without its LF.
    fn read_part(&mut self, part: &[u8]) {
        let start = self.start.get_mut(self.length..).unwrap_or_default();
        start.iter_mut().zip(part).for_each(|(place, byte)| *place = byte.to_ascii_lowercase());
        let name_left = LENGTH.len().saturating_sub(self.length);
        if let Some(value) = part.get(name_left..).filter(|_| self.start.starts_with(LENGTH)) {
            if name_left > 0 {
                // A second one that differs, hyper refuses.
                self.body = None;
            }
            for digit in value.iter().filter(|byte| byte.is_ascii_digit()) {
                let digit = u64::from(digit - b'0');
                self.body = Some(self.body.unwrap_or_default().saturating_mul(10).saturating_add(digit));
            }
        }
        self.length += part.len();
        self.last = part.last().copied().unwrap_or(self.last);
    }

    /// A line has ended; says whether the head has.
    fn ends_head(&mut self) -> bool {
        // Of the line's end, the CR was counted.
        let is_empty = self.length == 1;
        self.has_coding |= self.start == *CODING;
        self.length = 0;
        self.start = [0; CODING.len()];
        if !is_empty || !self.has_begun {
            self.has_begun |= !is_empty;
            return false;
        }
        self.place = match (self.has_coding, self.body) {
            (true, _) => Place::Unknown,
            (false, Some(length @ 1..)) => Place::Body(length),
            (false, _) => Place::Head,
        };
        (self.has_begun, self.body, self.has_coding) = (false, None, false);
        true
    }
}

/// Whether a line, without its LF, ends as it should and is not empty, and announces no body: what most are.
fn says_nothing(line: &[u8]) -> bool {
    matches!(line, [first, .., b'\r'] if !matches!(first.to_ascii_lowercase(), b'c' | b't'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of it, in one piece and byte for byte.
    fn seen(text: &str) -> String {
        let whole = &mut text.as_bytes().to_vec();
        Lines::default().forbid_bare_ends(whole);
        let mut lines = Lines::default();
        let mut bytes = text.as_bytes().to_vec();
        bytes.chunks_mut(1).for_each(|byte| lines.forbid_bare_ends(byte));
        assert_eq!(*whole, bytes, "{text:?}");
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn between_requests_nothing_has_begun() {
        let whole = format!("{GET}POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
        for (text, is_between) in [
            (GET, true),
            (&*whole, true),
            (&whole[..whole.len() - 1], false),
            (&GET[..3], false),
            (&GET[..GET.len() - 2], false),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false),
        ] {
            let mut lines = Lines::default();
            lines.forbid_bare_ends(&mut text.as_bytes().to_vec());
            assert_eq!(lines.is_between(), is_between, "{text:?}");
        }
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn what_ends_as_it_should_stays_as_it_is() {
        for text in [
            GET.to_owned(),
            format!("\r\n\r\n{GET}{GET}"),
            format!("POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH: 5\r\n\r\n\n\n\n\n\n{GET}"),
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\n\n\r\n0\r\n\r\n".to_owned(),
        ] {
            assert_eq!(seen(&text), text);
        }
    }

    #[test]
    fn bare_ends_of_heads_are_made_refusable() {
        for text in [
            "GET / HTTP/1.1|Host: a\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a|\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\r\nX: y||".to_owned(),
            format!("|{GET}"),
            format!("{GET}GET / HTTP/1.1|"),
            format!("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1|{GET}"),
            "POST / HTTP/1.1\r\nX-Content-Length: 5\r\n\r\n|||||".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n|".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx|".to_owned(),
        ] {
            assert_eq!(seen(&text.replace('|', "\n")), text.replace('|', "\0"));
        }
    }
}
