//! A registry's listing as a file: a header line, then a line for each version, sorted as in the listing. What is
//! JSON already stands in it as it is.
//!
//! What is read is held to what the wire is held to (`registry::wire`): keys, sizes, counts, order and depth. So a
//! file, whoever made it, gives a listing that can be served, or an error.

use std::io::{Read, Seek, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::format::{self, Kind};
use super::line::{bytes_of, parse, write_entry, write_line};
use super::problem::Problem;
use super::servers;
use crate::catalog::lineage::{Lineage, ProxyId};
use crate::catalog::listing::Listing;
use crate::registry::limits::HIGHEST_LISTING_VERSIONS;
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
    read(std::io::Cursor::new(bytes), 1)
}

pub(super) fn write(stored: &Stored, out: &mut impl Write) -> Result<(), Problem> {
    format::write(out, Kind::Listing, |out| {
        write_line(out, &header(stored), MAX_HEADER_BYTES)?;
        let mut entries = stored.listing.servers.iter().flat_map(|listed| &listed.entries);
        entries.try_for_each(|entry| write_entry(out, entry))
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

/// Reads a file by so many threads. What is wrong with its sum comes before anything else that is wrong with it.
pub(super) fn read<R: Read + Seek + Send>(mut input: R, threads: usize) -> Result<Stored, Problem> {
    match read_unproven(&mut input, threads) {
        Err(problem @ Problem::Damaged(_)) => Err(format::check(&mut input, Kind::Listing).err().unwrap_or(problem)),
        read => read,
    }
}

/// Reads it while its sum is made: a start waits for both.
fn read_unproven<R: Read + Seek + Send>(input: R, threads: usize) -> Result<Stored, Problem> {
    let mut content = format::open_unproven(input, Kind::Listing)?;
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
    let servers = servers::read(&mut content, versions, &provenance_key, threads)?;
    let listing = Arc::new(Listing::new(url.into(), servers));
    Ok(Stored { registry, list, provenance_key, listing, listed_at, marks, refused, lineage })
}

/// A value, or the default where it cannot be read.
fn leniently<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
