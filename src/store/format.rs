//! The container of what is kept in files: a line that names what it is and the version of the format, a zstd
//! stream, and the SHA-256 of all that. A reader says which of these is wrong. It gives nothing away before the sum
//! is right, but to who reads a long list and promises to look at the sum in the end.

use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use memchr::memchr;
use ring::digest::{Context as Hash, SHA256};

use super::problem::Problem;

/// The version of the format that this release writes, and the only one that it reads.
pub(super) const VERSION: u32 = 2;
/// What every head begins with.
const MAGIC: &str = "mcp-registry-proxy ";
/// The longest head: the magic, what it is, the version, the line's end.
pub(super) const MAX_HEAD_BYTES: u64 = 64;
/// The length of the sum.
const SUM_BYTES: usize = 32;
/// The largest file: more than the largest listing takes, were nothing in it compressible. It is read piece by
/// piece, and how much of it is believed has bounds of its own.
const MAX_FILE_BYTES: u64 = 8 << 30;
/// The largest window that a stream may ask a reader to keep, as a power of two: 8 MiB. Ours has 512 KiB.
const MAX_WINDOW_LOG: u32 = 23;
/// Speed counts: what is written is read once, if ever.
const LEVEL: i32 = 1;
/// How much is read at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One registry's listing.
    Listing,
    /// Since when versions count as changed.
    Effects,
    /// What happened between catalogs.
    Changes,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Listing => "listing",
            Self::Effects => "effects",
            Self::Changes => "changes",
        }
    }
}

/// Writes a container around what `body` writes.
pub(super) fn write<W: Write>(
    out: &mut W,
    kind: Kind,
    body: impl FnOnce(&mut dyn Write) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut summed = Summed { out, hash: Hash::new(&SHA256) };
    summed.write_all(format!("{MAGIC}{} {VERSION}\n", kind.as_str()).as_bytes()).map_err(Problem::written)?;
    let mut stream = zstd::stream::write::Encoder::new(&mut summed, LEVEL).map_err(Problem::written)?;
    body(&mut stream)?;
    stream.finish().map_err(Problem::written)?;
    let Summed { out, hash } = summed;
    out.write_all(hash.finish().as_ref()).and_then(|()| out.flush()).map_err(Problem::written)
}

/// Passes on what it sums up.
struct Summed<'a, W> {
    out: &'a mut W,
    hash: Hash,
}

impl<W: Write> Write for Summed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Opens a container whose sum is right.
pub(super) fn open<R: Read + Seek>(mut input: R, kind: Kind) -> Result<Content<impl BufRead>, Problem> {
    check(&mut input, kind)?;
    open_unproven(input, kind)
}

/// Makes sure that the sum of a container is right.
pub(super) fn check<R: Read + Seek>(input: &mut R, kind: Kind) -> Result<(), Problem> {
    let Extent { sum_at, .. } = extent(input, kind)?;
    input.seek(SeekFrom::Start(0))?;
    check_sum(input, sum_at)
}

/// Opens a container whose sum is made while it is read: whatever it gives may be believed once [`Content::end`] has
/// been reached.
pub(super) fn open_unproven<R: Read + Seek>(mut input: R, kind: Kind) -> Result<Content<impl BufRead>, Problem> {
    let Extent { head, sum_at } = extent(&mut input, kind)?;
    let mut sum = [0; SUM_BYTES];
    input.seek(SeekFrom::Start(sum_at))?;
    input.read_exact(&mut sum)?;
    input.seek(SeekFrom::Start(0))?;
    let hash = Arc::new(Mutex::new(Hash::new(&SHA256)));
    let mut summing = Summing { input: input.take(sum_at), hash: Arc::clone(&hash) };
    std::io::copy(&mut summing.by_ref().take(head), &mut std::io::sink())?;
    let compressed = BufReader::with_capacity(BUFFER_BYTES, summing);
    let mut stream = zstd::stream::read::Decoder::with_buffer(compressed)?;
    stream.window_log_max(MAX_WINDOW_LOG)?;
    Ok(Content { stream: BufReader::with_capacity(BUFFER_BYTES, stream), line: Vec::new(), sum, hash })
}

/// Where in a container what is.
struct Extent {
    /// The length of its head.
    head: u64,
    /// Where its sum begins.
    sum_at: u64,
}

fn extent<R: Read + Seek>(input: &mut R, kind: Kind) -> Result<Extent, Problem> {
    let length = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(0))?;
    let head = read_head(input, kind)?;
    let sum_at = length.checked_sub(SUM_BYTES as u64).filter(|sum_at| head <= *sum_at);
    let sum_at = sum_at.ok_or_else(|| Problem::damaged("it is cut short"))?;
    if MAX_FILE_BYTES < length {
        return Err(Problem::damaged("it is larger than any file of ours"));
    }
    Ok(Extent { head, sum_at })
}

/// Sums up what is read.
struct Summing<R> {
    input: R,
    hash: Arc<Mutex<Hash>>,
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let read = loop {
            match self.input.read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.hash.lock().unwrap_or_else(PoisonError::into_inner).update(&room[..read]);
        Ok(read)
    }
}

/// Reads the head; returns its length.
fn read_head(input: &mut impl Read, kind: Kind) -> Result<u64, Problem> {
    let mut head = Vec::new();
    input.take(MAX_HEAD_BYTES).read_to_end(&mut head)?;
    let (found, version) = parse_head(&head).filter(|(found, _)| *found == kind.as_str()).ok_or(Problem::Foreign)?;
    if version != VERSION.to_string() {
        return Err(Problem::OtherVersion(version.to_owned()));
    }
    Ok((MAGIC.len() + found.len() + 1 + version.len() + 1) as u64)
}

/// What a head says: what the file is, and the version of its format.
fn parse_head(head: &[u8]) -> Option<(&str, &str)> {
    let end = head.iter().position(|byte| *byte == b'\n')?;
    let text = std::str::from_utf8(head.get(..end)?).ok()?;
    let (kind, version) = text.strip_prefix(MAGIC)?.split_once(' ')?;
    let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((kind, version))
}

/// Whether another release may read a file that begins so.
pub(super) fn is_of_another_release(head: &[u8]) -> bool {
    parse_head(head).is_some_and(|(_, version)| version != VERSION.to_string())
}

/// Compares the sum of the first `length` bytes with what follows them.
fn check_sum(input: &mut impl Read, length: u64) -> Result<(), Problem> {
    let mut hash = Hash::new(&SHA256);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut summed = input.by_ref().take(length);
    loop {
        match summed.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let mut sum = [0; SUM_BYTES];
    input.read_exact(&mut sum)?;
    compare(hash, sum)
}

fn compare(hash: Hash, sum: [u8; SUM_BYTES]) -> Result<(), Problem> {
    if hash.finish().as_ref() == sum { Ok(()) } else { Err(Problem::damaged("its checksum is wrong")) }
}

/// What a container holds, to be read from its start to its end.
pub(super) struct Content<R> {
    stream: R,
    line: Vec<u8>,
    /// The sum, and what has been summed up so far.
    sum: [u8; SUM_BYTES],
    hash: Arc<Mutex<Hash>>,
}

impl<R: BufRead> Content<R> {
    /// The next line, of so many bytes at most, without its end; none after the last one.
    pub(super) fn line(&mut self, limit: usize) -> Result<Option<&str>, Problem> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let is_there = self.append_line(&mut line, limit)?;
        self.line = line;
        let Some((_, line)) = self.line.split_last().filter(|_| is_there) else { return Ok(None) };
        std::str::from_utf8(line).map(Some).map_err(|_| Problem::damaged("a line in it is not UTF-8"))
    }

    /// Appends the next line with its end, of so many bytes at most. Says whether there was one.
    pub(super) fn append_line(&mut self, lines: &mut Vec<u8>, limit: usize) -> Result<bool, Problem> {
        let (before, mut is_whole) = (lines.len(), false);
        while !is_whole {
            let known = self.stream.fill_buf().map_err(broken)?;
            let room = limit - (lines.len() - before);
            let known = &known[..known.len().min(room)];
            if known.is_empty() {
                break;
            }
            let end = memchr(b'\n', known);
            is_whole = end.is_some();
            let taken = end.map_or(known.len(), |end| end + 1);
            lines.extend_from_slice(&known[..taken]);
            self.stream.consume(taken);
        }
        let is_there = before < lines.len();
        if is_there && !is_whole {
            return Err(Problem::damaged("a line in it is too long or not whole"));
        }
        Ok(is_there)
    }

    /// The next bytes, exactly as many as there is room for.
    pub(super) fn bytes(&mut self, room: &mut [u8]) -> Result<(), Problem> {
        self.stream.read_exact(room).map_err(broken)
    }

    /// Makes sure that nothing follows, and that the sum of all that was read is right.
    pub(super) fn end(&mut self) -> Result<(), Problem> {
        if !self.stream.fill_buf().map_err(broken)?.is_empty() {
            return Err(Problem::damaged("it goes on after its end"));
        }
        let hash = self.hash.lock().unwrap_or_else(PoisonError::into_inner).clone();
        compare(hash, self.sum)
    }
}

/// An error of the stream, after the sum was right: it was written so. One of the disk looks alike; then the next
/// attempt tells.
fn broken(error: std::io::Error) -> Problem {
    if error.raw_os_error().is_some() {
        return Problem::Inaccessible { action: "read", error };
    }
    Problem::damaged(&format!("it cannot be decompressed: {error}"))
}
