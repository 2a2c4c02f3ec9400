//! A registry's listing as a file: a header line, then a line for each version, sorted as in the listing. What is
//! JSON already stands in it as it is.
//!
//! What is read is held to what the wire is held to (`registry::wire`): keys, sizes, counts, order and depth. So a
//! file, whoever made it, gives a listing that can be served, or an error.

use std::io::{BufRead, Read, Seek, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::format::{self, Content, Kind};
use super::line::{MAX_LINE_BYTES, bytes_of, parse, read_entry, write_entry, write_line};
use super::problem::Problem;
use crate::catalog::entry::{Entry, KnownFacets, Name};
use crate::catalog::lineage::{Lineage, ProxyId};
use crate::catalog::listing::{Listed, Listing};
use crate::registry::limits::{HIGHEST_LISTING_SIZE, HIGHEST_LISTING_VERSIONS};
use crate::registry::marks::Marks;
use crate::registry::restore::{ListDigest, Stored};
use crate::registry::wire::{MAX_REFUSED, RefusedEntries};

/// The longest header: a thousand refused entries have five megabytes at most.
const MAX_HEADER_BYTES: usize = 8 << 20;
/// The most refused entries that are counted.
const MAX_REFUSED_COUNT: usize = u32::MAX as usize;

#[derive(Serialize, Deserialize)]
struct Header {
    registry: String,
    url: String,
    /// Base64.
    list: String,
    provenance_key: String,
    listed_at: Timestamp,
    /// What another release knows otherwise is as good as unknown.
    #[serde(default, deserialize_with = "leniently")]
    marks: Marks,
    #[serde(default)]
    refused: RefusedEntries,
    #[serde(default)]
    lineage: Vec<String>,
    versions: usize,
}

/// A listing as the bytes of a file.
///
/// # Errors
/// When something in it is larger than can be read again.
pub fn encode(stored: &Stored) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    write(stored, &mut bytes)?;
    Ok(bytes)
}

/// The listing in the bytes of a file.
///
/// # Errors
/// What is wrong with them.
pub fn decode(bytes: &[u8]) -> Result<Stored, Problem> {
    read(std::io::Cursor::new(bytes))
}

pub(super) fn write(stored: &Stored, out: &mut impl Write) -> Result<(), Problem> {
    format::write(out, Kind::Listing, |out| {
        write_line(out, &header(stored), MAX_HEADER_BYTES)?;
        let mut before: Option<&Entry> = None;
        for entry in stored.listing.servers.iter().flat_map(|listed| &listed.entries) {
            write_entry(out, entry, before)?;
            before = Some(entry);
        }
        Ok(())
    })
}

fn header(stored: &Stored) -> Header {
    Header {
        registry: stored.registry.clone(),
        url: stored.listing.url.to_string(),
        list: BASE64.encode(stored.list.0),
        provenance_key: stored.provenance_key.clone(),
        listed_at: stored.listed_at,
        marks: stored.marks,
        refused: RefusedEntries { count: stored.refused.count.min(MAX_REFUSED_COUNT), ..stored.refused.clone() },
        lineage: stored.lineage.ids().map(|id| id.as_str().to_owned()).collect(),
        versions: stored.listing.versions,
    }
}

pub(super) fn read<R: Read + Seek>(input: R) -> Result<Stored, Problem> {
    let mut content = format::open(input, Kind::Listing)?;
    let header: Header = parse(content.line(MAX_HEADER_BYTES)?.unwrap_or_default())?;
    let Header { registry, url, list, provenance_key, listed_at, marks, refused, lineage, versions } = header;
    let is_bounded = refused.entries.len() <= MAX_REFUSED.min(refused.count)
        && refused.count <= MAX_REFUSED_COUNT
        && versions <= HIGHEST_LISTING_VERSIONS;
    if !is_bounded {
        return Err(Problem::damaged("it counts more than there can be"));
    }
    let list = ListDigest(bytes_of(&list)?);
    let lineage: Lineage = lineage.iter().filter_map(|id| ProxyId::new(id)).collect();
    let listing = Arc::new(Listing::new(url.into(), read_servers(&mut content, versions, &provenance_key)?));
    Ok(Stored { registry, list, provenance_key, listing, listed_at, marks, refused, lineage })
}

fn read_servers(
    content: &mut Content<impl BufRead>,
    versions: usize,
    provenance_key: &str,
) -> Result<Vec<Arc<Listed>>, Problem> {
    let known = KnownFacets::default();
    let mut servers = Servers { provenance_key, known, done: Vec::new(), last: None, bytes: 0 };
    for _ in 0..versions {
        let line = content.line(MAX_LINE_BYTES)?.ok_or_else(|| Problem::damaged("it holds less than it says"))?;
        servers.push(line)?;
    }
    content.end()?;
    Ok(servers.finish())
}

/// The servers of a listing, while they are read.
struct Servers<'a> {
    provenance_key: &'a str,
    known: KnownFacets,
    done: Vec<Arc<Listed>>,
    last: Option<Listed>,
    bytes: usize,
}

impl Servers<'_> {
    fn push(&mut self, line: &str) -> Result<(), Problem> {
        let before = self.last.as_ref().and_then(|last| last.entries.last());
        let (name, entry) = read_entry(line, before, &mut self.known, self.provenance_key)?;
        let entry = Arc::new(entry);
        self.bytes += entry.bytes();
        if HIGHEST_LISTING_SIZE < self.bytes {
            return Err(Problem::damaged("it is larger than any listing"));
        }
        match &mut self.last {
            Some(last) if last.name.as_str() == name => {
                let is_sorted = last.entries.last().is_none_or(|before| before.version() < entry.version());
                last.reserve();
                last.entries.push(entry);
                is_sorted.then_some(()).ok_or_else(unsorted)
            }
            last => {
                let name = Name::new(&name).map_err(|error| Problem::Damaged(format!("a name in it {error}")))?;
                if last.as_ref().is_some_and(|last| name < last.name) {
                    return Err(unsorted());
                }
                self.done.extend(last.replace(Listed { name, entries: vec![entry] }).map(Arc::new));
                Ok(())
            }
        }
    }

    fn finish(mut self) -> Vec<Arc<Listed>> {
        self.done.extend(self.last.take().map(Arc::new));
        self.done
    }
}

fn unsorted() -> Problem {
    Problem::damaged("its versions are not sorted")
}

/// A value, or the default where it cannot be read.
fn leniently<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
