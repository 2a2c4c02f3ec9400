//! Content codings: which one a client wants, and how a body gets it.

use std::io::{self, Write as _};

use bytes::Bytes;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue};

/// Below this many bytes, an encoded body saves less than its headers cost.
const WORTH_ENCODING: usize = 1 << 10;
/// Levels at which a page of fifty entries takes about a millisecond or less; above them it grows much faster
/// than the page shrinks (engineering.md §1.4).
const ZSTD_LEVEL: i32 = 3;
const BROTLI_LEVEL: u32 = 5;
const GZIP_LEVEL: u32 = 6;
/// Brotli's window, 2^22 bytes: its default.
const BROTLI_WINDOW: u32 = 22;
const BROTLI_BUFFER: usize = 4 << 10;

/// A content coding (RFC 9110 §8.4.1), in the order in which we choose among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
    /// As it is.
    Identity,
}

impl Coding {
    pub(super) const ALL: [Self; 4] = [Self::Zstd, Self::Brotli, Self::Gzip, Self::Identity];

    /// The name in `Content-Encoding` and `Accept-Encoding`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }

    fn is_named(self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.name()) || self == Self::Gzip && name.eq_ignore_ascii_case("x-gzip")
    }

    /// Encodes a body. Takes milliseconds: not for the runtime's threads.
    ///
    /// # Errors
    /// None that is known; the encoders write to memory.
    pub(super) fn encode(self, body: &Bytes) -> io::Result<Bytes> {
        match self {
            Self::Identity => Ok(body.clone()),
            Self::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL).map(Bytes::from),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL));
                encoder.write_all(body)?;
                encoder.finish().map(Bytes::from)
            }
            Self::Brotli => {
                let mut encoder = brotli::CompressorWriter::new(Vec::new(), BROTLI_BUFFER, BROTLI_LEVEL, BROTLI_WINDOW);
                encoder.write_all(body)?;
                Ok(encoder.into_inner().into())
            }
        }
    }
}

/// What `Accept-Encoding` says (RFC 9110 §12.5.3), weights in thousandths.
#[derive(Default)]
struct Accepted {
    named: [Option<u16>; 4],
    others: Option<u16>,
}

impl Accepted {
    fn read<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> Self {
        let mut accepted = Self::default();
        let members = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        for (name, weight) in members.filter_map(member) {
            if name == "*" {
                accepted.others = accepted.others.or(Some(weight));
            }
            for (coding, slot) in Coding::ALL.into_iter().zip(&mut accepted.named) {
                if coding.is_named(name) {
                    *slot = slot.or(Some(weight));
                }
            }
        }
        accepted
    }

    /// The weight of a coding; none where it is not acceptable. What is not named is not acceptable, but for
    /// identity, which is the last resort unless it is refused.
    fn weight(&self, coding: Coding) -> Option<u16> {
        let last_resort = (coding == Coding::Identity).then_some(0);
        match self.named[coding as usize].or(self.others) {
            Some(0) => None,
            Some(weight) => Some(weight),
            None => last_resort,
        }
    }
}

/// A member of the list: a name and its weight. One that is malformed is as good as absent.
fn member(text: &str) -> Option<(&str, u16)> {
    let (name, parameters) = text.split_once(';').map_or((text, None), |(name, rest)| (name, Some(rest)));
    let weight = match parameters {
        None => 1000,
        Some(parameters) => weight(parameters.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim())?,
    };
    Some((name.trim(), weight))
}

/// A weight (RFC 9110 §12.4.2): from 0 to 1, with three decimals at most.
pub(super) fn weight(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if 3 < decimals.len() || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// The coding for a body of this many bytes; none where the client takes nothing that there is.
pub(super) fn negotiate(headers: &HeaderMap, bytes: usize) -> Option<Coding> {
    if !headers.contains_key(ACCEPT_ENCODING) {
        return Some(Coding::Identity);
    }
    let accepted = Accepted::read(headers.get_all(ACCEPT_ENCODING).iter());
    if bytes < WORTH_ENCODING && accepted.weight(Coding::Identity).is_some() {
        return Some(Coding::Identity);
    }
    let weighed = Coding::ALL.into_iter().filter_map(|coding| Some((accepted.weight(coding)?, coding)));
    // Among equals, the first one that is kept is ours to prefer.
    weighed.reduce(|best, next| if best.0 < next.0 { next } else { best }).map(|(_, coding)| coding)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn chosen(accept: &str, bytes: usize) -> Option<&'static str> {
        let value = HeaderValue::from_str(accept).expect("a header");
        negotiate(&HeaderMap::from_iter([(ACCEPT_ENCODING, value)]), bytes).map(Coding::name)
    }

    #[test]
    fn the_weights_decide_and_among_equals_our_order() {
        let rows = [
            ("", Some("identity")),
            ("gzip", Some("gzip")),
            ("br", Some("br")),
            ("zstd", Some("zstd")),
            ("gzip, deflate", Some("gzip")),
            ("gzip, deflate, br", Some("br")),
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("GZIP", Some("gzip")),
            ("x-gzip", Some("gzip")),
            ("gzip;q=1.0, br;q=0.5", Some("gzip")),
            ("gzip; q=0.8 , zstd;Q=0.801", Some("zstd")),
            ("gzip;q=0", Some("identity")),
            ("gzip;q=0.5, identity", Some("identity")),
            ("gzip;q=0.5, identity;q=0.5", Some("gzip")),
            ("*", Some("zstd")),
            ("*;q=0.5, gzip;q=1", Some("gzip")),
            ("zstd;q=0, *", Some("br")),
            ("*;q=0", None),
            ("identity;q=0", None),
            ("identity;q=0, gzip;q=0.001", Some("gzip")),
            ("*;q=0, identity", Some("identity")),
            ("deflate, compress", Some("identity")),
            ("gzip;q=2, br;q=nonsense, zstd;level=3", Some("identity")),
            ("gzip;q=0.0000", Some("identity")),
            (",, gzip ,", Some("gzip")),
        ];
        for (accept, expected) in rows {
            assert_eq!(chosen(accept, 5_000), expected, "{accept:?}");
        }
        assert_eq!(negotiate(&HeaderMap::new(), 5_000), Some(Coding::Identity));
    }

    #[test]
    fn lines_of_the_header_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("br"));
        assert_eq!(negotiate(&headers, 5_000), Some(Coding::Brotli));
    }

    #[test]
    fn small_bodies_stay_as_they_are_unless_that_is_refused() {
        assert_eq!(chosen("zstd, gzip", 1_023), Some("identity"));
        assert_eq!(chosen("zstd, gzip", 1_024), Some("zstd"));
        assert_eq!(chosen("gzip, identity;q=0", 10), Some("gzip"));
    }

    #[test]
    fn every_coding_decodes_to_what_was_encoded() {
        let body = Bytes::from("{\"servers\":[]}".repeat(500));
        for coding in Coding::ALL {
            let encoded = coding.encode(&body).expect("memory");
            let mut decoded = Vec::new();
            match coding {
                Coding::Identity => decoded.extend_from_slice(&encoded),
                Coding::Zstd => decoded = zstd::decode_all(&encoded[..]).expect("zstd"),
                Coding::Gzip => {
                    flate2::read::GzDecoder::new(&encoded[..]).read_to_end(&mut decoded).expect("gzip");
                }
                Coding::Brotli => {
                    brotli::Decompressor::new(&encoded[..], 4096).read_to_end(&mut decoded).expect("brotli");
                }
            }
            assert_eq!(decoded, body, "{}", coding.name());
            assert!(coding == Coding::Identity || encoded.len() * 4 < body.len(), "{}", coding.name());
        }
    }
}
