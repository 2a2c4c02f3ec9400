//! One version as a line of a listing's file. What is JSON already stands in it as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jiff::Timestamp;
use memchr::{memchr, memchr_iter};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::problem::Problem;
use crate::catalog::entry::{
    Digest, Entry, Form, KnownFacets, OFFICIAL_KEY, Official, Outline, Parts, Scanner, Status, check_key,
};
use crate::catalog::facets::Facets;
use crate::registry::limits::HIGHEST_ENTRY_SIZE;
use crate::registry::wire::MAX_DEPTH;

/// The longest line of a version: what stands beside the entry takes less room than the largest one.
pub(super) const MAX_LINE_BYTES: usize = 2 * HIGHEST_ENTRY_SIZE;
/// How much room is made for what stands beside the entry.
const USUAL_REST_BYTES: usize = 512;
/// The line itself is a level around the entry's parts.
const MAX_LINE_DEPTH: usize = MAX_DEPTH + 2;
/// How many times the room of `server` the facets may take, which are made of it.
const MAX_MADE: usize = 4;

/// The longest thing that stands in base64 is a digest; and a byte to see that something is longer.
const LONGEST_BYTES: usize = 33;

/// What every line begins with: the `server` object follows, and then the rest.
const BEGINNING: &str = r#"{"server":"#;

/// What stands in a line besides `server`.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    official: &'a RawValue,
    #[serde(borrow, default)]
    extra_meta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    upstream: Option<&'a RawValue>,
    #[serde(borrow, default)]
    legacy_ids: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    published_at: Timestamp,
    updated_at: Timestamp,
    fetched_at: Timestamp,
    /// Base64, as the form.
    #[serde(borrow)]
    digest: Cow<'a, str>,
    #[serde(borrow)]
    form: Cow<'a, str>,
    #[serde(borrow)]
    facets: Cow<'a, str>,
}

/// What of it the entry does not hold as JSON, as it is written.
#[derive(Serialize)]
struct Rest<'a> {
    status: &'a str,
    published_at: Timestamp,
    updated_at: Timestamp,
    fetched_at: Timestamp,
    digest: String,
    form: String,
    facets: &'a str,
}

/// Writes a version.
pub(super) fn write_entry(out: &mut dyn Write, entry: &Entry) -> Result<(), Problem> {
    let rest = Rest {
        status: entry.status().as_str(),
        published_at: entry.published_at(),
        updated_at: entry.updated_at(),
        fetched_at: entry.fetched_at(),
        digest: BASE64.encode(entry.digest().0),
        form: BASE64.encode(entry.form().0),
        facets: entry.facets().as_text(),
    };
    let mut line = Vec::with_capacity(entry.bytes() + USUAL_REST_BYTES);
    let [beginning, server] = entry.server_in_two();
    for part in [BEGINNING, beginning, server, r#","official":{"#] {
        line.extend_from_slice(part.as_bytes());
    }
    entry.write_official(&mut line);
    line.push(b'}');
    let extra_meta = (!entry.extra_meta().is_empty()).then(|| format!("{{{}}}", entry.extra_meta()));
    for (name, part) in [
        (r#","extra_meta":"#, extra_meta.as_deref()),
        (r#","upstream":"#, entry.upstream()),
        (r#","legacy_ids":"#, entry.legacy_ids()),
    ] {
        for part in part.map(|part| [name, part]).iter().flatten() {
            line.extend_from_slice(part.as_bytes());
        }
    }
    // The rest is an object of its own, whose members go on here.
    let brace = line.len();
    serde_json::to_writer(&mut line, &rest).map_err(|error| Problem::Unfit(error.to_string()))?;
    line[brace] = b',';
    finish_line(out, line, MAX_LINE_BYTES)
}

/// Writes anything as one line.
pub(super) fn write_line(out: &mut dyn Write, line: &impl Serialize, limit: usize) -> Result<(), Problem> {
    finish_line(out, serde_json::to_vec(line).map_err(|error| Problem::Unfit(error.to_string()))?, limit)
}

fn finish_line(out: &mut dyn Write, mut line: Vec<u8>, limit: usize) -> Result<(), Problem> {
    let is_one = memchr(b'\n', &line).is_none();
    line.push(b'\n');
    if limit < line.len() || !is_one {
        return Err(Problem::Unfit(format!("a part of it has {} bytes, or more than one line", line.len())));
    }
    out.write_all(&line).map_err(Problem::written)
}

/// Reads the lines of versions, one after the other.
pub(super) struct Lines<'k> {
    provenance_key: &'k str,
    known: KnownFacets,
    /// The facets of the line before, and how they stand there: most have the same.
    last: Option<(String, Facets)>,
    /// When the version of the line before was fetched, and how that stands there.
    last_fetched: Option<(String, Timestamp)>,
    /// What follows `server` in a line, as an object of its own.
    rest: String,
}

impl<'k> Lines<'k> {
    pub(super) fn new(provenance_key: &'k str) -> Self {
        Self { provenance_key, known: KnownFacets::default(), last: None, last_fetched: None, rest: String::new() }
    }

    /// Reads a version, and the name that it is listed under.
    pub(super) fn read<'a>(&mut self, line: &'a str) -> Result<(Cow<'a, str>, Entry), Problem> {
        let after = line.strip_prefix(BEGINNING).ok_or_else(|| Problem::damaged("a line in it is no version"))?;
        if let Some(entry) = self.read_usual(after) {
            return Ok(entry);
        }
        check_depth(line)?;
        let found = Outline::of_first(after).ok_or_else(|| Problem::damaged("an entry in it is none"))?;
        let (outline, server, rest) = found;
        let rest = rest.strip_prefix(',').ok_or_else(|| Problem::damaged("a line in it has an entry only"))?;
        check_key(&outline.version).map_err(|error| Problem::Damaged(format!("a version in it {error}")))?;
        self.rest.clear();
        self.rest.push('{');
        self.rest.push_str(rest);
        let line: Line<'_> = parse(&self.rest)?;
        let facets = facets(&line.facets, server.len(), &mut self.known)?;
        let parts = parts(server, &line, facets, self.provenance_key)?;
        Ok((outline.name, Entry::with_places(parts, outline.places)))
    }

    /// Reads a line that is as we write it of most entries, from `server` on. None says nothing of it. Nothing is
    /// nested deeper in it than an entry may be.
    fn read_usual<'a>(&mut self, line: &'a str) -> Option<(Cow<'a, str>, Entry)> {
        let (outline, server, rest) = Outline::of_usual(line)?;
        check_key(&outline.version).ok()?;
        let parts = self.usual_parts(server, rest)?;
        Some((outline.name, Entry::with_places(parts, outline.places)))
    }

    fn usual_parts<'a>(&mut self, server: &'a str, rest: &'a str) -> Option<Parts<'a>> {
        let mut scanner = Scanner::new(rest);
        scanner.expect(r#","official":"#)?;
        let official = scanner.value(MAX_DEPTH)?.strip_prefix('{')?.strip_suffix('}').filter(|it| !it.is_empty())?;
        let mut text = |name: &str| {
            scanner.expect(name)?;
            scanner.plain()
        };
        let status = text(r#","status":"#).filter(|status| status.len() < official.len())?;
        let published = text(r#","published_at":"#)?;
        let updated = text(r#","updated_at":"#)?;
        let fetched = text(r#","fetched_at":"#)?;
        let digest = Digest(bytes_of(text(r#","digest":"#)?).ok()?);
        let form = Form(bytes_of(text(r#","form":"#)?).ok()?);
        scanner.expect(r#","facets":"#)?;
        let facets = scanner.value(1)?;
        (scanner.rest() == "}").then_some(())?;
        let published_at = published.parse().ok()?;
        Some(Parts {
            server: server.into(),
            official: Official {
                status: Status::from_wire(status),
                published_at,
                updated_at: if updated == published { published_at } else { updated.parse().ok()? },
                rendered: official.into(),
            },
            extra_meta: String::new(),
            upstream: None,
            legacy_ids: None,
            digest,
            form,
            facets: self.usual_facets(facets, server.len())?,
            fetched_at: self.usual_fetched_at(fetched)?,
        })
    }
}

impl Lines<'_> {
    fn usual_facets(&mut self, json: &str, server_length: usize) -> Option<Facets> {
        if let Some((_, facets)) = self.last.as_ref().filter(|(known, _)| known == json) {
            return Some(facets.clone());
        }
        let text: Cow<'_, str> = serde_json::from_str(json).ok()?;
        let facets = facets(&text, server_length, &mut self.known).ok()?;
        self.last = Some((json.to_owned(), facets.clone()));
        Some(facets)
    }

    fn usual_fetched_at(&mut self, text: &str) -> Option<Timestamp> {
        if let Some((_, at)) = self.last_fetched.as_ref().filter(|(known, _)| known == text) {
            return Some(*at);
        }
        let at = text.parse().ok()?;
        self.last_fetched = Some((text.to_owned(), at));
        Some(at)
    }
}

fn facets(text: &str, server_length: usize, known: &mut KnownFacets) -> Result<Facets, Problem> {
    let facets = if MAX_MADE * server_length < text.len() { None } else { Facets::from_text(text) };
    let facets = facets.ok_or_else(|| Problem::damaged("an entry in it has facets that are none"))?;
    Ok(known.share(facets))
}

/// The parts of an entry, besides its places.
fn parts<'a>(server: &'a str, line: &'a Line<'_>, facets: Facets, provenance_key: &str) -> Result<Parts<'a>, Problem> {
    let Line { status, published_at, updated_at, fetched_at, digest, form, .. } = line;
    if line.official.get().len() < status.len() {
        return Err(Problem::damaged("it says more of an entry than there is"));
    }
    let extra_meta = line.extra_meta.map(|meta| extra_meta(meta, provenance_key)).transpose()?;
    Ok(Parts {
        server: server.into(),
        official: Official {
            status: Status::from_wire(status),
            published_at: *published_at,
            updated_at: *updated_at,
            rendered: members(line.official)?.into(),
        },
        extra_meta: extra_meta.unwrap_or_default().to_owned(),
        upstream: line.upstream.map(object).transpose()?.map(Into::into),
        legacy_ids: line.legacy_ids.map(object).transpose()?.map(Into::into),
        digest: Digest(bytes_of(digest)?),
        form: Form(bytes_of(form)?),
        facets,
        fetched_at: *fetched_at,
    })
}

/// The other members of `_meta`: what is ours to say is not among them.
fn extra_meta<'a>(meta: &'a RawValue, provenance_key: &str) -> Result<&'a str, Problem> {
    let known: BTreeMap<String, &RawValue> = parse(meta.get())?;
    if known.contains_key(OFFICIAL_KEY) || known.contains_key(provenance_key) {
        return Err(Problem::damaged("an entry in it says what is ours to say"));
    }
    members(meta)
}

/// The text of an object.
fn object(raw: &RawValue) -> Result<&str, Problem> {
    let text = raw.get();
    if text.starts_with('{') { Ok(text) } else { Err(Problem::damaged("a part of an entry is not an object")) }
}

/// The members of an object that has some, without the braces.
fn members(raw: &RawValue) -> Result<&str, Problem> {
    let inner = object(raw)?.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default().trim();
    if inner.is_empty() { Err(Problem::damaged("a part of an entry is empty")) } else { Ok(inner) }
}

pub(super) fn bytes_of<const N: usize>(text: &str) -> Result<[u8; N], Problem> {
    let mut room = [0; LONGEST_BYTES];
    let read = BASE64.decode_slice(text, &mut room).ok().and_then(|length| room.get(..length));
    let bytes = read.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Problem::damaged("a digest in it is none"))
}

pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| Problem::Damaged(format!("a line in it cannot be read: {error}")))
}

/// Refuses JSON that is nested deeper than an entry may be. Most lines have too few brackets for that.
pub(super) fn check_depth(line: &str) -> Result<(), Problem> {
    let openings = [b'{', b'['].iter().map(|bracket| memchr_iter(*bracket, line.as_bytes()).count());
    if openings.sum::<usize>() <= MAX_LINE_DEPTH {
        return Ok(());
    }
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in line.bytes() {
        if in_text {
            in_text = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if MAX_LINE_DEPTH < depth {
            return Err(Problem::damaged("an entry in it is nested too deep"));
        }
    }
    Ok(())
}
