//! One element of a list, turned into an entry, or into the reason why it is none.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::json::{Json, RawMembers, Without, compact_into, kind_of};
use super::official::{Sent, Unknown, push_member};
use super::{Context, legacy, shape};
use crate::catalog::entry::{Digest, Entry, Form, Name, OFFICIAL_KEY, Official, check_key};
use crate::catalog::search::push_lowercase;

/// The largest entry, in bytes of JSON. The largest real ones have 157 KB.
const MAX_ENTRY_BYTES: usize = 256 << 10;

/// `PulseMCP` has no official block; it says the same things here (registry-api.md §8.2).
pub(super) const PULSE_KEY: &str = "com.pulsemcp/server-version";

/// Why an element is no entry.
pub(super) enum Failure {
    /// It has nothing of any known format.
    Unrecognised(String),
    /// It is an entry that clients could not decode.
    Broken(String),
}

impl Failure {
    pub(super) fn reason(self) -> String {
        match self {
            Self::Unrecognised(reason) | Self::Broken(reason) => reason,
        }
    }
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Broken(reason)
    }
}

/// A decoded entry whose `server` object still lies in the page's arena.
pub(super) struct Draft {
    name: Name,
    version: Box<str>,
    server: Range<usize>,
    official: Official,
    extra_meta: Box<str>,
    legacy_ids: Option<Box<str>>,
    digest: Digest,
    form: Form,
    search_text: Arc<str>,
    fetched_at: Timestamp,
}

impl Draft {
    pub(super) fn finish(self, arena: &Bytes) -> (Name, Entry) {
        let entry = Entry {
            version: self.version,
            server: arena.slice(self.server),
            official: self.official,
            extra_meta: self.extra_meta,
            legacy_ids: self.legacy_ids,
            digest: self.digest,
            form: self.form,
            search_text: self.search_text,
            fetched_at: self.fetched_at,
        };
        (self.name, entry)
    }
}

pub(super) fn decode(element: &RawValue, arena: &mut Vec<u8>, context: &Context<'_>) -> Result<Draft, Failure> {
    if kind_of(element) != "an object" {
        return Err(Failure::Unrecognised(format!("is {}; expected an object", kind_of(element))));
    }
    if element.get().len() > MAX_ENTRY_BYTES {
        let length = element.get().len();
        return Err(format!("has {length} bytes; an entry may have {MAX_ENTRY_BYTES}").into());
    }
    let members: RawMembers<'_> =
        serde_json::from_str(element.get()).map_err(|error| format!("has a {}", without_position(&error)))?;
    let wrapped = members.get("server").is_some_and(|server| kind_of(server) == "an object");
    if wrapped && legacy::WRAPPER_MARKS.iter().all(|mark| members.get(mark).is_none()) {
        return decode_current(&members, arena, context);
    }
    let has_old_parts = wrapped || members.get("name").is_some() || members.get("version_detail").is_some();
    if !has_old_parts {
        return Err(Failure::Unrecognised("has neither `server` nor `name`".to_owned()));
    }
    decode_legacy(element, wrapped, arena, context)
}

/// serde's sentence without the line and column, which count from the start of the entry.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

fn decode_current(members: &RawMembers<'_>, arena: &mut Vec<u8>, context: &Context<'_>) -> Result<Draft, Failure> {
    let server = members.get("server").map_or("", |server| server.get());
    let meta = match members.get("_meta") {
        None => RawMembers::empty(),
        Some(meta) if kind_of(meta) == "null" => RawMembers::empty(),
        Some(meta) => serde_json::from_str(meta.get()).map_err(|error| match kind_of(meta) {
            "an object" => format!("has, in `_meta`, a {}", without_position(&error)),
            kind => format!("has a `_meta` that is {kind}; expected an object"),
        })?,
    };
    decode_parts(server, &meta, arena, context)
}

fn decode_legacy(
    element: &RawValue,
    wrapped: bool,
    arena: &mut Vec<u8>,
    context: &Context<'_>,
) -> Result<Draft, Failure> {
    // Checked here because the rewriting would silently keep the last of two equal keys.
    serde_json::from_str::<Json<'_>>(element.get()).map_err(|error| format!("has a {}", without_position(&error)))?;
    let object = serde_json::from_str(element.get()).map_err(|error| format!("has a {}", without_position(&error)))?;
    let modern = if wrapped { legacy::from_wrapper(object) } else { legacy::from_flat(object) };
    let server = serde_json::Value::from(modern.server).to_string();
    let meta = serde_json::Value::from(modern.meta).to_string();
    let meta: RawMembers<'_> = serde_json::from_str(&meta).map_err(|error| error.to_string())?;
    decode_parts(&server, &meta, arena, context)
}

fn decode_parts(
    server: &str,
    meta: &RawMembers<'_>,
    arena: &mut Vec<u8>,
    context: &Context<'_>,
) -> Result<Draft, Failure> {
    let tree: Json<'_> =
        serde_json::from_str(server).map_err(|error| format!("has, in `server`, a {}", without_position(&error)))?;
    shape::check_server(&tree)?;
    let name = required(&tree, "name")?;
    let name = Name::new(name).map_err(|error| format!("has a `server.name` that {error}"))?;
    let version = required(&tree, "version")?;
    check_key(version).map_err(|error| format!("has a `server.version` that {error}"))?;
    if required(&tree, "description")?.is_empty() {
        return Err("has a `server.description` that is empty".to_owned().into());
    }
    let sent = read_official(meta)?;
    let extra_meta = extra_meta(meta, context.provenance_key);
    let start = arena.len();
    compact_into(arena, server);
    let form = form(&arena[start..], &sent, &extra_meta);
    let previous = context.previous.and_then(|listing| listing.entry(name.as_str(), version));
    Ok(Draft {
        version: version.into(),
        server: start..arena.len(),
        legacy_ids: sent.legacy_ids(),
        official: sent.complete(context.now, previous.map(AsRef::as_ref)),
        extra_meta: extra_meta.into(),
        digest: digest(&tree)?,
        form,
        search_text: search_text(&tree, previous.map(AsRef::as_ref)),
        fetched_at: context.now,
        name,
    })
}

fn required<'a>(server: &'a Json<'_>, field: &str) -> Result<&'a str, String> {
    server.get(field).and_then(Json::text).ok_or_else(|| format!("has no `server.{field}`"))
}

fn read_official(meta: &RawMembers<'_>) -> Result<Sent, String> {
    let (key, unknown) = match meta.get(OFFICIAL_KEY) {
        Some(_) => (OFFICIAL_KEY, Unknown::Keep),
        None => (PULSE_KEY, Unknown::Drop),
    };
    let Some(block) = meta.get(key).filter(|block| kind_of(block) != "null") else {
        return Ok(Sent::default());
    };
    let block: RawMembers<'_> = serde_json::from_str(block.get()).map_err(|error| match kind_of(block) {
        "an object" => format!("has, in `_meta[{key:?}]`, a {}", without_position(&error)),
        kind => format!("has a `_meta[{key:?}]` that is {kind}; expected an object"),
    })?;
    Sent::read(&block, unknown)
}

fn extra_meta(meta: &RawMembers<'_>, provenance_key: &str) -> String {
    let mut extra = String::new();
    for (key, value) in meta.iter().filter(|(key, _)| *key != OFFICIAL_KEY && *key != provenance_key) {
        push_member(&mut extra, key, value);
    }
    extra
}

fn form(server: &[u8], sent: &Sent, extra_meta: &str) -> Form {
    let mut hash = Sha256::new();
    for part in [server].into_iter().chain(sent.fingerprint()).chain([extra_meta.as_bytes()]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut form = [0; 16];
    form.copy_from_slice(&digest[..16]);
    Form(form)
}

fn digest(server: &Json<'_>) -> Result<Digest, String> {
    let canonical = serde_json_canonicalizer::to_vec(&Without(server, "_meta"))
        .map_err(|error| format!("has a `server` that has no canonical form: {error}"))?;
    Ok(Digest(Sha256::digest(canonical).into()))
}

/// Title and description as searches read them; shared with the previous entry where they are the same.
fn search_text(server: &Json<'_>, previous: Option<&Entry>) -> Arc<str> {
    let field = |name: &str| server.get(name).and_then(Json::text).unwrap_or_default();
    let mut text = String::new();
    push_lowercase(&mut text, field("title"));
    text.push('\0');
    push_lowercase(&mut text, field("description"));
    match previous {
        Some(previous) if *previous.search_text == *text => Arc::clone(&previous.search_text),
        _ => text.into(),
    }
}
