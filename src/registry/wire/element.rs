//! One element of a list, turned into an entry, or into the reason why it is none.

use std::sync::Arc;

use ring::digest::SHA256;

use super::canonical::write_without;
use super::json::{Json, Raw, RawMembers, compact, kind_of};
use super::official::{Sent, Unknown, push_member};
use super::quick::{Meta, Wrapped};
use super::{Context, legacy, shape, upstream};
use crate::catalog::entry::{Digest, Entry, Form, KnownFacets, Name, OFFICIAL_KEY, Parts, Places, check_key};
use crate::catalog::facets::{Facet, Facets, Kind};

/// The deepest nesting of an entry. Real ones have 10; clients' decoders give up somewhere above 100.
pub const MAX_DEPTH: usize = 64;

/// How much room is made for what a form covers besides `server`.
const USUAL_REST_BYTES: usize = 512;

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

/// An entry and the name that it is listed under.
pub(super) type Decoded = (Name, Arc<Entry>);

/// Decodes one element in whatever format it has.
pub(super) fn decode(element: Raw<'_>, context: &Context<'_>, known: &mut KnownFacets) -> Result<Decoded, Failure> {
    if kind_of(element) != "an object" {
        return Err(Failure::Unrecognised(format!("is {}; expected an object", kind_of(element))));
    }
    check_size(element.get().len(), context)?;
    let members: RawMembers<'_> = parse(element.get())?;
    let is_wrapped = members.get("server").is_some_and(|server| kind_of(*server) == "an object");
    if is_wrapped && legacy::WRAPPER_MARKS.iter().all(|mark| members.get(mark).is_none()) {
        return decode_current(&members, context, known);
    }
    for (_, value) in members.iter() {
        parse_sound(value.get())?;
    }
    let has_old_parts = is_wrapped || members.get("name").is_some() || members.get("version_detail").is_some();
    if !has_old_parts {
        return Err(Failure::Unrecognised("has neither `server` nor `name`".to_owned()));
    }
    decode_legacy(element, is_wrapped, context, known)
}

/// Decodes one element that has been read.
pub(super) fn decode_wrapped(
    element: &Wrapped<'_>,
    context: &Context<'_>,
    known: &mut KnownFacets,
) -> Result<Decoded, Failure> {
    check_size(element.raw.get().len(), context)?;
    decode_parts(element.text, &element.server, &element.meta, context, known)
}

/// How much of a text is an element that says what is known of a version already, in the words of the official registry.
/// Of `isLatest`, either is as good: we recompute it.
pub(super) fn length_of_known(text: &str, entry: &Entry, context: &Context<'_>) -> Option<usize> {
    let is_plain = entry.extra_meta().is_empty() && entry.upstream().is_none() && entry.legacy_ids().is_none();
    let [beginning, server] = entry.server_in_two();
    let rest = text.strip_prefix(r#"{"server":"#)?.strip_prefix(beginning)?.strip_prefix(server)?;
    let rest = rest.strip_prefix(r#","_meta":{""#)?.strip_prefix(OFFICIAL_KEY)?.strip_prefix(r#"":{"#)?;
    let rest = rest.as_bytes().strip_prefix(&*entry.official())?.strip_prefix(br#","isLatest":"#)?;
    let rest = rest.strip_prefix(b"true").or_else(|| rest.strip_prefix(b"false"))?.strip_prefix(b"}}}")?;
    let length = text.len() - rest.len();
    (is_plain && length <= context.max_entry_size).then_some(length)
}

/// Reads a member of an element. The whole of it must be sound: what a registry adds beside `server` reaches clients
/// too.
fn parse_sound(member: &str) -> Result<Json<'_>, String> {
    let tree: Json<'_> = parse(member)?;
    if MAX_DEPTH <= tree.depth() {
        return Err(format!("is nested deeper than {MAX_DEPTH} levels"));
    }
    Ok(tree)
}

fn check_size(length: usize, context: &Context<'_>) -> Result<(), String> {
    let most = context.max_entry_size;
    if length <= most {
        return Ok(());
    }
    Err(format!("has {length} bytes; an entry may have {most} (`limits.max_entry_size`)"))
}

fn parse<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    // Line and column would count from the start of the entry, which nobody sees.
    let without_position = |error: &serde_json::Error| error.to_string().split(" at line ").next().map(str::to_owned);
    serde_json::from_str(text).map_err(|error| {
        let found = without_position(&error).unwrap_or_default();
        match error.classify() {
            serde_json::error::Category::Data => format!("has a {found}"),
            _ => format!("is JSON that cannot be read: {found}"),
        }
    })
}

fn decode_current(
    members: &RawMembers<'_>,
    context: &Context<'_>,
    known: &mut KnownFacets,
) -> Result<Decoded, Failure> {
    for (_, value) in members.iter().filter(|(key, _)| *key != "server") {
        parse_sound(value.get())?;
    }
    let text = compact(members.get("server").ok_or_else(|| "has no `server`".to_owned())?.get());
    let server = parse_sound(&text)?;
    let meta = match members.get("_meta").copied() {
        Some(meta) if kind_of(meta) == "an object" => Meta { members: parse(meta.get())?, official: None },
        None => Meta::empty(),
        Some(meta) if kind_of(meta) == "null" => Meta::empty(),
        Some(other) => return Err(format!("has a `_meta` that is {}; expected an object", kind_of(other)).into()),
    };
    decode_parts(&text, &server, &meta, context, known)
}

fn decode_legacy(
    element: Raw<'_>,
    is_wrapped: bool,
    context: &Context<'_>,
    known: &mut KnownFacets,
) -> Result<Decoded, Failure> {
    let object = parse(element.get())?;
    let modern = if is_wrapped { legacy::from_wrapper(object) } else { legacy::from_flat(object) };
    let server = serde_json::Value::from(modern.server).to_string();
    let meta = serde_json::Value::from(modern.meta).to_string();
    // What older formats leave out is written out: a package of two bytes becomes one of 32.
    check_size(server.len() + meta.len(), context)?;
    let meta = Meta { members: parse(&meta)?, official: None };
    decode_parts(&server, &parse(&server)?, &meta, context, known)
}

/// `text` and `server` are the same object, as text without white space and as the tree that was read from it.
fn decode_parts(
    text: &str,
    server: &Json<'_>,
    meta: &Meta<'_>,
    context: &Context<'_>,
    known: &mut KnownFacets,
) -> Result<Decoded, Failure> {
    shape::check_server(server)?;
    let name = Name::new(required(server, "name")?).map_err(|error| format!("has a `server.name` that {error}"))?;
    let version = required(server, "version")?;
    check_key(version).map_err(|error| format!("has a `server.version` that {error}"))?;
    if required(server, "description")?.is_empty() {
        return Err("has a `server.description` that is empty".to_owned().into());
    }
    let sent = read_official(meta)?;
    let extra_meta = extra_meta(&meta.members, context.provenance_key);
    let upstream = meta.members.get(context.provenance_key).and_then(|inner| upstream::limit(*inner));
    let form = form(text, &sent, [extra_meta.as_str(), upstream.as_deref().unwrap_or_default()]);
    let previous = context.previous.and_then(|listing| listing.entry(name.as_str(), version));
    if let Some(unchanged) = previous.filter(|previous| previous.form() == form) {
        return Ok((name, Arc::clone(unchanged)));
    }
    let previous = previous.map(AsRef::as_ref);
    let parts = Parts {
        server: text.into(),
        legacy_ids: sent.legacy_ids(),
        official: sent.complete(context.now, previous),
        extra_meta,
        upstream,
        digest: digest(server, text.len())?,
        form,
        facets: known.share(facets(server)),
        fetched_at: context.now,
    };
    let field = |field: &str| server.get(field).and_then(Json::text);
    let entry = match Places::of(text, version, field("title"), field("description")) {
        Some(places) => Some(Entry::with_places(parts, places)),
        // A text with escapes is not the one that stands there.
        None => Entry::new(parts),
    };
    Ok((name, Arc::new(entry.ok_or_else(|| "has a `server` that cannot be read".to_owned())?)))
}

fn required<'a>(server: &'a Json<'_>, field: &str) -> Result<&'a str, String> {
    server.get(field).and_then(Json::text).ok_or_else(|| format!("has no `server.{field}`"))
}

fn read_official<'a>(meta: &Meta<'a>) -> Result<Sent<'a>, String> {
    if let Some(official) = &meta.official {
        return Sent::read(official, Unknown::Keep);
    }
    let (key, unknown) = match meta.members.get(OFFICIAL_KEY) {
        Some(_) => (OFFICIAL_KEY, Unknown::Keep),
        None => (PULSE_KEY, Unknown::Drop),
    };
    let Some(block) = meta.members.get(key).copied().filter(|block| kind_of(*block) != "null") else {
        return Ok(Sent::default());
    };
    if kind_of(block) != "an object" {
        return Err(format!("has a `_meta[{key:?}]` that is {}; expected an object", kind_of(block)));
    }
    Sent::read(&parse(block.get())?, unknown)
}

fn extra_meta(meta: &RawMembers<'_>, provenance_key: &str) -> String {
    let mut extra = String::new();
    for (key, value) in meta.iter().filter(|(key, _)| *key != OFFICIAL_KEY && *key != provenance_key) {
        push_member(&mut extra, key, *value);
    }
    extra
}

/// With a hash that nobody can make two things meet in, and faster than the one of digests.
fn form(server: &str, sent: &Sent<'_>, rest: [&str; 2]) -> Form {
    let mut all = Vec::with_capacity(server.len() + USUAL_REST_BYTES);
    let parts = std::iter::once(server.as_bytes()).chain(sent.fingerprint()).chain(rest.map(str::as_bytes));
    for part in parts {
        all.extend_from_slice(&(part.len() as u64).to_le_bytes());
        all.extend_from_slice(part);
    }
    let mut form = [0; 16];
    form.copy_from_slice(&blake3::hash(&all).as_bytes()[..16]);
    Form(form)
}

fn digest(server: &Json<'_>, length: usize) -> Result<Digest, String> {
    let mut canonical = Vec::with_capacity(length);
    write_without(&mut canonical, server, "_meta")
        .map_err(|error| format!("has a `server` that has no canonical form: {error}"))?;
    let mut digest = [0; 32];
    digest.copy_from_slice(ring::digest::digest(&SHA256, &canonical).as_ref());
    Ok(Digest(digest))
}

/// What filters read.
fn facets(server: &Json<'_>) -> Facets {
    let list = |field: &str| match server.get(field) {
        Some(Json::List(items)) => items.as_slice(),
        _ => &[],
    };
    let (packages, remotes) = (list("packages"), list("remotes"));
    let kinds = [(Kind::Package, packages), (Kind::Remote, remotes)];
    let kinds = kinds.into_iter().filter(|(_, items)| !items.is_empty()).map(|(kind, _)| Facet::Kind(kind));
    let types = packages.iter().filter_map(|package| package.get("registryType")?.text()).map(Facet::PackageType);
    let transports = packages.iter().filter_map(|package| package.get("transport")).chain(remotes);
    let transports = transports.filter_map(|transport| transport.get("type")?.text()).map(Facet::Transport);
    Facets::new(kinds.chain(types).chain(transports))
}
