//! The body of an answer, out of its content coding: counted before and after decompression, and given up as soon
//! as a bound is passed. Nothing is allocated for what a registry only announces. Pure: chunks in, a body out.
//!
//! The codings are decoded here and not by the HTTP client because that one bounds neither side.

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use flate2::{Decompress, FlushDecompress, Status};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, Operation as _};

use super::error::FetchError;
use super::limits::Limits;

/// The codings that requests offer, the best first.
pub(super) const OFFERED: HeaderValue = HeaderValue::from_static("zstd, br, gzip");

/// The largest window of zstd, as a power of two: 8 MiB (RFC 9659). Brotli's own is 16 MiB, gzip's 32 KiB.
const ZSTD_WINDOW_LOG: u32 = 23;
/// gzip's window, as a power of two.
const GZIP_WINDOW_BITS: u8 = 15;
/// How much is decompressed at a time: by so much, at most, memory passes the bound.
const STEP_BYTES: usize = 32 << 10;

/// A body that is arriving.
pub(super) struct IncomingBody {
    coding: Option<Coding>,
    limits: Limits,
    received: usize,
    body: Vec<u8>,
}

/// A compressed stream that is being read.
struct Coding {
    name: &'static str,
    decoder: Decoder,
    /// Whether what has come is a whole number of streams, and at least one.
    is_complete: bool,
    step: Box<[u8]>,
}

enum Decoder {
    Gzip(Decompress),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(ZstdDecoder<'static>),
}

/// What one step of a decoder did.
struct Step {
    consumed: usize,
    produced: usize,
    /// Whether a stream ended with it.
    ends: bool,
}

impl IncomingBody {
    /// A body that is coded as its headers say.
    ///
    /// # Errors
    /// When that is more than one coding, or one that was not offered.
    pub(super) fn new(headers: &HeaderMap, limits: Limits) -> Result<Self, FetchError> {
        let coding = coding(headers)?;
        Ok(Self { coding, limits, received: 0, body: Vec::new() })
    }

    /// Takes in what has arrived.
    ///
    /// # Errors
    /// When a bound is passed, or when the compressed stream is broken.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        let Self { coding, limits, received, body } = self;
        let Some(coding) = coding else { return append(body, chunk, limits.max_response_size) };
        *received += chunk.len();
        if limits.max_compressed_size < *received {
            return Err(FetchError::TooLargeCompressed(limits.max_compressed_size));
        }
        coding.decode(chunk, |decoded| append(body, decoded, limits.max_response_size))
    }

    /// The whole body.
    ///
    /// # Errors
    /// When its compressed stream has not ended.
    pub(super) fn finish(self) -> Result<Vec<u8>, FetchError> {
        match self.coding {
            Some(Coding { name, is_complete: false, .. }) => {
                Err(FetchError::Coding(format!("{name} data that breaks off")))
            }
            _ => Ok(self.body),
        }
    }
}

/// Adds to a body within its bound. Vectors double: near the bound that would pass it.
fn append(body: &mut Vec<u8>, more: &[u8], limit: usize) -> Result<(), FetchError> {
    let length = body.len() + more.len();
    if limit < length {
        return Err(FetchError::TooLarge(limit));
    }
    if body.capacity() < length {
        let doubled = body.capacity().saturating_mul(2).clamp(length, limit);
        body.reserve_exact(doubled - body.len());
    }
    body.extend_from_slice(more);
    Ok(())
}

/// The coding of a body (RFC 9110 §8.4): none, or one of those that were offered, once.
fn coding(headers: &HeaderMap) -> Result<Option<Coding>, FetchError> {
    let unknown = || FetchError::Coding("a content coding that was not offered; zstd, br and gzip are".to_owned());
    let mut name = None;
    for value in headers.get_all(CONTENT_ENCODING) {
        for part in value.to_str().map_err(|_| unknown())?.split(',').map(str::trim) {
            if part.is_empty() || part.eq_ignore_ascii_case("identity") {
                continue;
            }
            if name.replace(part.to_ascii_lowercase()).is_some() {
                return Err(FetchError::Coding("several content codings at once; one is understood".to_owned()));
            }
        }
    }
    let (name, decoder) = match name.as_deref() {
        None => return Ok(None),
        Some("gzip" | "x-gzip") => ("gzip", Decoder::gzip()),
        Some("br") => ("br", Decoder::brotli()),
        Some("zstd") => ("zstd", Decoder::zstd().map_err(|error| broken("zstd", error.to_string()))?),
        Some(_) => return Err(unknown()),
    };
    Ok(Some(Coding { name, decoder, is_complete: false, step: vec![0; STEP_BYTES].into() }))
}

fn broken(name: &str, reason: impl std::fmt::Display) -> FetchError {
    FetchError::Coding(format!("{name} data that cannot be decompressed: {reason}"))
}

impl Coding {
    /// Decodes a chunk, step by step, and everything that can be decoded with it.
    fn decode(
        &mut self,
        mut chunk: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), FetchError>,
    ) -> Result<(), FetchError> {
        let mut has_more = false;
        while !chunk.is_empty() || has_more {
            let Step { consumed, produced, ends } =
                self.decoder.step(chunk, &mut self.step, self.is_complete).map_err(|why| broken(self.name, why))?;
            if consumed == 0 && produced == 0 && !chunk.is_empty() {
                return Err(broken(self.name, "it makes no progress"));
            }
            take(self.step.get(..produced).unwrap_or_default())?;
            chunk = chunk.get(consumed..).unwrap_or_default();
            self.is_complete = ends;
            // A decoder that filled the whole step may have more of the same input.
            has_more = produced == self.step.len() && !ends;
        }
        Ok(())
    }
}

impl Decoder {
    fn gzip() -> Self {
        Self::Gzip(Decompress::new_gzip(GZIP_WINDOW_BITS))
    }

    /// Without the extension of "large windows", of up to a GiB, which is no content coding (RFC 7932).
    fn brotli() -> Self {
        let allocator = StandardAlloc::default;
        Self::Brotli(Box::new(BrotliState::new_strict(allocator(), allocator(), allocator())))
    }

    fn zstd() -> std::io::Result<Self> {
        let mut decoder = ZstdDecoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
        Ok(Self::Zstd(decoder))
    }

    /// Decodes a part. `has_ended` says that a stream ended with the last step: gzip and zstd may have another one
    /// behind it (RFC 1952 §2.2, RFC 8878 §3).
    fn step(&mut self, input: &[u8], output: &mut [u8], has_ended: bool) -> Result<Step, String> {
        match self {
            Self::Gzip(_) if has_ended => {
                *self = Self::gzip();
                self.step(input, output, false)
            }
            Self::Gzip(gzip) => {
                let (before_in, before_out) = (gzip.total_in(), gzip.total_out());
                let status =
                    gzip.decompress(input, output, FlushDecompress::None).map_err(|error| error.to_string())?;
                let moved = |after: u64, before: u64| usize::try_from(after - before).unwrap_or(usize::MAX);
                let (consumed, produced) = (moved(gzip.total_in(), before_in), moved(gzip.total_out(), before_out));
                Ok(Step { consumed, produced, ends: status == Status::StreamEnd })
            }
            Self::Brotli(_) if has_ended => Err("something follows its end".to_owned()),
            Self::Brotli(state) => brotli_step(state, input, output),
            Self::Zstd(zstd) => {
                let status = zstd.run_on_buffers(input, output).map_err(|error| error.to_string())?;
                let (consumed, produced) = (status.bytes_read, status.bytes_written);
                Ok(Step { consumed, produced, ends: status.remaining == 0 })
            }
        }
    }
}

fn brotli_step(
    state: &mut BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    input: &[u8],
    output: &mut [u8],
) -> Result<Step, String> {
    let (mut left_in, mut left_out) = (input.len(), output.len());
    let (mut consumed, mut produced, mut total) = (0, 0, 0);
    let result = BrotliDecompressStream(
        &mut left_in,
        &mut consumed,
        input,
        &mut left_out,
        &mut produced,
        output,
        &mut total,
        state,
    );
    match result {
        BrotliResult::ResultFailure => Err("it is broken".to_owned()),
        BrotliResult::ResultSuccess => Ok(Step { consumed, produced, ends: true }),
        BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => Ok(Step { consumed, produced, ends: false }),
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
