//! One version as a line of a listing's file. What is JSON already stands in it as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jiff::Timestamp;
use memchr::memchr_iter;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::problem::Problem;
use crate::catalog::entry::{Digest, Entry, Form, OFFICIAL_KEY, Official, Status, check_key};
use crate::catalog::facets::Facets;
use crate::registry::limits::HIGHEST_ENTRY_SIZE;
use crate::registry::wire::MAX_DEPTH;

/// The longest line of a version. Its texts stand in it a second time as they are searched: in lower case, which
/// may take more room.
pub(super) const MAX_LINE_BYTES: usize = 2 * HIGHEST_ENTRY_SIZE;
/// The line itself is a level around the entry's parts.
const MAX_LINE_DEPTH: usize = MAX_DEPTH + 2;
/// How many times the room of `server` may be taken by what is made of it: the texts in lower case, the facets.
const MAX_MADE: usize = 4;

/// What stands in a line.
#[derive(Serialize, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    pub(super) server: &'a RawValue,
    #[serde(borrow)]
    official: &'a RawValue,
    status: Cow<'a, str>,
    published_at: Timestamp,
    updated_at: Timestamp,
    fetched_at: Timestamp,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    extra_meta: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    upstream: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    legacy_ids: Option<&'a RawValue>,
    /// Base64, as the form.
    digest: Cow<'a, str>,
    form: Cow<'a, str>,
    /// As in the line before, where it is missing; so too the facets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    search: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facets: Option<Cow<'a, str>>,
}

/// What identifies the version: it stands in `server` and nowhere else.
#[derive(Deserialize)]
struct Key<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
}

/// Writes a version that follows `before`.
pub(super) fn write_entry(out: &mut dyn Write, entry: &Entry, before: Option<&Entry>) -> Result<(), Problem> {
    let official = format!("{{{}}}", entry.official.rendered);
    let extra_meta = (!entry.extra_meta.is_empty()).then(|| format!("{{{}}}", entry.extra_meta));
    let line = Line {
        server: raw(&entry.server)?,
        official: raw(&official)?,
        status: entry.official.status.as_str().into(),
        published_at: entry.official.published_at,
        updated_at: entry.official.updated_at,
        fetched_at: entry.fetched_at,
        extra_meta: optional_raw(extra_meta.as_deref())?,
        upstream: optional_raw(entry.upstream.as_deref())?,
        legacy_ids: optional_raw(entry.legacy_ids.as_deref())?,
        digest: BASE64.encode(entry.digest.0).into(),
        form: BASE64.encode(entry.form.0).into(),
        search: before.is_none_or(|it| it.search_text != entry.search_text).then(|| (&*entry.search_text).into()),
        facets: before.is_none_or(|it| it.facets != entry.facets).then(|| entry.facets.as_text().into()),
    };
    write_line(out, &line, MAX_LINE_BYTES)
}

/// Writes anything as one line.
pub(super) fn write_line(out: &mut dyn Write, line: &impl Serialize, limit: usize) -> Result<(), Problem> {
    let mut line = serde_json::to_vec(line).map_err(|error| Problem::Unfit(error.to_string()))?;
    line.push(b'\n');
    if limit < line.len() || memchr_iter(b'\n', &line).count() != 1 {
        return Err(Problem::Unfit(format!("a part of it has {} bytes, or more than one line", line.len())));
    }
    out.write_all(&line).map_err(Problem::written)
}

pub(super) fn raw(text: &str) -> Result<&RawValue, Problem> {
    serde_json::from_str(text).map_err(|error| Problem::Unfit(format!("a part of an entry is not JSON: {error}")))
}

fn optional_raw(text: Option<&str>) -> Result<Option<&RawValue>, Problem> {
    text.map(raw).transpose()
}

/// Reads a version that follows `before`, and the name that it is listed under.
pub(super) fn read_entry<'a>(
    line: &'a str,
    before: Option<&Arc<Entry>>,
    provenance_key: &str,
) -> Result<(Cow<'a, str>, Entry), Problem> {
    check_depth(line)?;
    let line: Line<'a> = parse(line)?;
    let key: Key<'a> = parse(line.server.get())?;
    let entry = entry(&line, &key, before, provenance_key)?;
    Ok((key.name, entry))
}

fn entry(line: &Line<'_>, key: &Key<'_>, before: Option<&Arc<Entry>>, provenance_key: &str) -> Result<Entry, Problem> {
    check_key(&key.version).map_err(|error| Problem::Damaged(format!("a version in it {error}")))?;
    let made = [&line.search, &line.facets].into_iter().flatten().map(|text| text.len()).sum::<usize>();
    if MAX_MADE * line.server.get().len() < made || line.official.get().len() < line.status.len() {
        return Err(Problem::damaged("it says more of an entry than there is"));
    }
    let missing = || Problem::damaged("a version in it refers to none before it");
    let search_text = match &line.search {
        Some(text) if text.matches('\0').count() == 1 => Arc::from(&**text),
        Some(_) => return Err(Problem::damaged("a text in it cannot be searched")),
        None => before.map(|before| Arc::clone(&before.search_text)).ok_or_else(missing)?,
    };
    let facets = match &line.facets {
        Some(text) => Facets::from_text(text).ok_or_else(|| Problem::damaged("it has facets that are none"))?,
        None => before.map(|before| before.facets.clone()).ok_or_else(missing)?,
    };
    Ok(Entry {
        version: key.version.as_ref().into(),
        server: object(line.server)?.into(),
        official: Official {
            status: Status::from_wire(&line.status),
            published_at: line.published_at,
            updated_at: line.updated_at,
            rendered: members(line.official)?.into(),
        },
        extra_meta: line
            .extra_meta
            .map(|meta| extra_meta(meta, provenance_key))
            .transpose()?
            .unwrap_or_default()
            .into(),
        upstream: line.upstream.map(object).transpose()?.map(Into::into),
        legacy_ids: line.legacy_ids.map(object).transpose()?.map(Into::into),
        digest: Digest(bytes_of(&line.digest)?),
        form: Form(bytes_of(&line.form)?),
        search_text,
        facets,
        fetched_at: line.fetched_at,
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
    let bytes = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
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
