//! From a generation in chunks to what it says. What is read is held to what files are held to: whoever wrote it, it
//! gives something that can be served, or an error.

use std::io::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::book::{Book, Held};
use super::chunk::{Chunk, ChunkId, MAX_NAMES_BYTES, MAX_SMALL_BYTES};
use super::manifest::{CatalogPart, ListingPart};
use crate::catalog::entry::{Entry, Name, check_key};
use crate::catalog::feed::{Event, Feed, Incarnation, MAX_EVENTS, Parts};
use crate::catalog::listing::{Listed, Listing};
use crate::catalog::times::{Time, Times};
use crate::registry::limits::HIGHEST_LISTING_VERSIONS;
use crate::registry::wire::{MAX_REFUSED, RefusedEntries};
use crate::store::changes::parse_event;
use crate::store::line::{Lines, parse};
use crate::store::problem::Problem;
use crate::store::servers::{add, push};

/// Reads the names of a chunk. What a listing before has in the same form stays where it was.
///
/// # Errors
/// What is wrong with them.
pub fn names(chunk: &Chunk, provenance_key: &str, previous: Option<&Listing>) -> Result<Arc<[Arc<Listed>]>, Problem> {
    let content = chunk.unpack(MAX_NAMES_BYTES)?;
    let text = std::str::from_utf8(&content).map_err(|_| Problem::damaged("a line in it is not UTF-8"))?;
    let mut reader = Lines::new(provenance_key);
    let mut names: Vec<Arc<Listed>> = Vec::new();
    let mut last: Option<Listed> = None;
    for line in text.split_terminator('\n') {
        let (name, entry) = reader.read(line)?;
        if let Some(last) = last.as_mut().filter(|last| last.name.as_str() == name) {
            add(last, Arc::new(entry))?;
            continue;
        }
        let name = Name::new(&name).map_err(|error| Problem::Damaged(format!("a name in it {error}")))?;
        if let Some(last) = last.replace(Listed { name, entries: vec![Arc::new(entry)] }) {
            push(&mut names, shared(last, previous))?;
        }
    }
    last.into_iter().try_for_each(|last| push(&mut names, shared(last, previous)))?;
    Ok(names.into())
}

/// The same as it stands in a listing, where that has it in the same form.
fn shared(listed: Listed, previous: Option<&Listing>) -> Arc<Listed> {
    let known = previous.and_then(|previous| previous.server(listed.name.as_str()));
    let is_same = |ours: &Arc<Entry>, theirs: &Arc<Entry>| {
        ours.version() == theirs.version()
            && ours.form() == theirs.form()
            && ours.digest() == theirs.digest()
            && ours.fetched_at() == theirs.fetched_at()
            && ours.has_official_of(theirs)
    };
    match known {
        Some(known)
            if known.entries.len() == listed.entries.len()
                && known.entries.iter().zip(&listed.entries).all(|(ours, theirs)| is_same(ours, theirs)) =>
        {
            Arc::clone(known)
        }
        _ => Arc::new(listed),
    }
}

/// Reads which chunks a listing has.
///
/// # Errors
/// What is wrong with it.
pub fn index(chunk: &Chunk) -> Result<Vec<ChunkId>, Problem> {
    let content = chunk.unpack(MAX_SMALL_BYTES)?;
    let (ids, rest) = content.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(Problem::damaged("a list of chunks is cut short"));
    }
    Ok(ids.iter().copied().map(ChunkId::from_bytes).collect())
}

/// Puts a listing together of chunks that are all in the book.
///
/// # Errors
/// When they are no listing.
pub fn listing(part: &ListingPart, ids: &[ChunkId], book: &Book) -> Result<Arc<Listing>, Problem> {
    let mut servers = Vec::new();
    for id in ids {
        let Some(Held::Names(names)) = book.get(*id) else {
            return Err(Problem::damaged("a chunk in it has no names"));
        };
        names.iter().try_for_each(|listed| push(&mut servers, Arc::clone(listed)))?;
    }
    let listing = Listing::new(part.url.as_str().into(), servers);
    if listing.versions != part.versions || HIGHEST_LISTING_VERSIONS < listing.versions {
        return Err(Problem::damaged("it holds less or more than it says"));
    }
    Ok(Arc::new(listing))
}

/// Reads the entries that were left out.
///
/// # Errors
/// What is wrong with them.
pub fn refused(chunk: &Chunk) -> Result<RefusedEntries, Problem> {
    let content = chunk.unpack(MAX_SMALL_BYTES)?;
    let refused: RefusedEntries =
        serde_json::from_slice(&content).map_err(|error| Problem::Damaged(format!("refused entries: {error}")))?;
    if MAX_REFUSED.min(refused.count) < refused.entries.len() {
        return Err(Problem::damaged("it counts more than there can be"));
    }
    Ok(refused)
}

/// Reads what of a catalog does not follow from the listings, of chunks that are all in the book.
///
/// # Errors
/// What is wrong with it.
pub fn catalog(part: &CatalogPart, book: &Book) -> Result<(Times, Feed), Problem> {
    let mut known = Vec::new();
    for line in lines(&part.times, book)?.split_terminator('\n') {
        let (name, version, at): (String, Box<str>, Timestamp) = parse(line)?;
        let name = Name::new(&name).map_err(|error| Problem::Damaged(format!("a name in it {error}")))?;
        check_key(&version).map_err(|error| Problem::Damaged(format!("a version in it {error}")))?;
        known.push(Time { name, version, at });
    }
    let events = lines(&part.feed.events, book)?;
    let events: Vec<Arc<Event>> =
        events.split_terminator('\n').take(MAX_EVENTS + 1).map(parse_event).collect::<Result<_, _>>()?;
    let feed = &part.feed;
    let incarnations = feed.incarnations.iter().map(|(id, begins)| Incarnation { id: *id, begins: *begins }).collect();
    let (last, forgotten, is_waiting) = (feed.last, feed.forgotten, feed.is_waiting);
    let feed = Feed::of_parts(Parts { incarnations, events, last, forgotten, is_waiting });
    let feed = feed.ok_or_else(|| Problem::damaged("the numbers of the feed are not in order"))?;
    Ok((Times::new(part.newest_update, known), feed))
}

/// The text of several chunks.
fn lines(ids: &[ChunkId], book: &Book) -> Result<String, Problem> {
    let mut content = Vec::new();
    for id in ids {
        let chunk = book.bytes(*id).ok_or_else(|| Problem::damaged("a chunk of it is not there"))?;
        content.write_all(&chunk.unpack(MAX_SMALL_BYTES)?).map_err(Problem::written)?;
    }
    String::from_utf8(content).map_err(|_| Problem::damaged("a line in it is not UTF-8"))
}
