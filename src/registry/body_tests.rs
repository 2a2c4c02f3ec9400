use std::io::Write as _;

use super::*;

const LIMITS: (usize, usize) = (1 << 20, 64 << 10);

fn limits() -> Limits {
    let (max_response_size, max_compressed_size) = LIMITS;
    Limits { max_response_size, max_compressed_size, ..Limits::default() }
}

fn headers(codings: &[&'static str]) -> HeaderMap {
    codings.iter().map(|coding| (CONTENT_ENCODING, HeaderValue::from_static(coding))).collect()
}

/// Feeds a body in chunks of so many bytes.
fn read(codings: &[&'static str], bytes: &[u8], chunk: usize) -> Result<Vec<u8>, FetchError> {
    let mut body = IncomingBody::new(&headers(codings), limits())?;
    for chunk in bytes.chunks(chunk) {
        body.push(chunk)?;
    }
    body.finish()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn brotli(text: &[u8]) -> Vec<u8> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
    encoder.write_all(text).expect("memory");
    encoder.into_inner()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(text, 3).expect("memory")
}

fn all(text: &[u8]) -> [(&'static str, Vec<u8>); 3] {
    [("gzip", gzip(text)), ("br", brotli(text)), ("zstd", zstd(text))]
}

/// Text that fills several steps and does not compress to nothing.
fn text(bytes: usize) -> Vec<u8> {
    let mut text: Vec<u8> =
        (0..bytes as u64 / 8).flat_map(|n| format!("{:08x}", n * n % 0xffff_fff1).into_bytes()).collect();
    text.truncate(bytes);
    text
}

#[test]
fn every_coding_is_read_however_it_is_cut() {
    for length in [0, 1, 1_000, STEP_BYTES, 3 * STEP_BYTES] {
        let text = text(length);
        for (coding, bytes) in all(&text) {
            for chunk in [1, 7, 1_000, usize::MAX] {
                assert!(read(&[coding], &bytes, chunk).is_ok_and(|body| body == text), "{coding} {length} by {chunk}");
            }
        }
        assert!(read(&[], &text, 100).is_ok_and(|body| body == text), "{length}");
        assert!(read(&["identity"], &text, 100).is_ok_and(|body| body == text), "{length}");
    }
}

#[test]
fn gzip_has_two_names_and_streams_may_follow_one_another() {
    assert!(read(&["X-GZip"], &gzip(b"a"), 5).is_ok_and(|body| body == b"a"));
    for (coding, one, two) in [("gzip", gzip(b"a"), gzip(b"b")), ("zstd", zstd(b"a"), zstd(b"b"))] {
        for chunk in [1, usize::MAX] {
            assert!(read(&[coding], &[one.clone(), two.clone()].concat(), chunk).is_ok_and(|body| body == b"ab"));
        }
    }
}

#[test]
fn a_bomb_is_stopped_at_the_bound_and_takes_no_more_memory_than_that() {
    let bomb = vec![b' '; 16 << 20];
    for (coding, bytes) in all(&bomb) {
        let mut body = IncomingBody::new(&headers(&[coding]), limits()).expect("a coding");
        let error = body.push(&bytes).expect_err("it is too large");
        assert!(matches!(error, FetchError::TooLarge(limit) if limit == LIMITS.0), "{coding}: {error}");
        assert!(body.body.capacity() <= LIMITS.0, "{coding}: {}", body.body.capacity());
    }
}

#[test]
fn what_comes_is_bounded_before_it_is_decompressed() {
    // Empty streams, one after the other: many bytes that stand for nothing.
    for (coding, bytes) in [("gzip", gzip(b"")), ("zstd", zstd(b""))] {
        let error = read(&[coding], &bytes.repeat(LIMITS.1 / bytes.len() + 1), 1_000).expect_err("it is too large");
        assert!(matches!(error, FetchError::TooLargeCompressed(limit) if limit == LIMITS.1), "{coding}: {error}");
    }
}

#[test]
fn both_bounds_can_be_filled_to_the_byte() {
    let most = vec![b' '; LIMITS.0];
    for (coding, bytes) in all(&most) {
        assert!(read(&[coding], &bytes, 100).is_ok_and(|body| body == most), "{coding}");
    }
    assert!(read(&[], &most, 1_000).is_ok_and(|body| body == most));
    assert!(matches!(read(&[], &[most, vec![b' ']].concat(), 1_000), Err(FetchError::TooLarge(_))));
}

#[test]
fn streams_that_break_off_or_go_on_or_are_none_are_errors() {
    let text = text(5_000);
    for (coding, bytes) in all(&text) {
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            let error = read(&[coding], &bytes[..length], 100).map(|body| body.len()).expect_err("it breaks off");
            assert!(error.to_string().contains("breaks off"), "{coding} {length}: {error}");
        }
        for (what, wrong) in [
            ("garbage behind it", [&bytes[..], b"garbage"].concat()),
            ("a byte behind it", [&bytes[..], b"\x01"].concat()),
            ("plain text", b"{\"servers\":[]}".to_vec()),
        ] {
            for chunk in [1, usize::MAX] {
                let error = read(&[coding], &wrong, chunk).map(|body| body.len()).expect_err(what);
                assert!(matches!(error, FetchError::Coding(_)), "{coding}, {what}: {error}");
            }
        }
    }
}

#[test]
fn a_checksum_that_is_wrong_is_an_error() {
    let mut bytes = gzip(&text(5_000));
    let at = bytes.len() - 8;
    bytes[at] ^= 1;
    assert!(matches!(read(&["gzip"], &bytes, 100), Err(FetchError::Coding(_))));
}

#[test]
fn windows_are_bounded() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
    encoder.window_log(ZSTD_WINDOW_LOG + 1).expect("a window");
    encoder.write_all(b"small").expect("memory");
    assert!(matches!(read(&["zstd"], &encoder.finish().expect("memory"), 100), Err(FetchError::Coding(_))));
    // A large-window header: 2^30 bytes.
    assert!(matches!(read(&["br"], b"\x11\x1e\x03", 100), Err(FetchError::Coding(_))));
}

#[test]
fn codings_that_were_not_offered_or_are_stacked_are_refused() {
    for codings in [&["deflate"][..], &["compress"], &["gzip, gzip"], &["gzip", "br"], &["aws-chunked"], &["g zip"]] {
        assert!(matches!(IncomingBody::new(&headers(codings), limits()), Err(FetchError::Coding(_))), "{codings:?}");
    }
    for codings in [&[][..], &[""], &["identity"], &["identity, gzip"], &["GZIP"], &["br"], &["zstd"]] {
        assert!(IncomingBody::new(&headers(codings), limits()).is_ok(), "{codings:?}");
    }
}
