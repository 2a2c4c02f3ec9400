//! The feed of changes as a file: a header line, then a line for each event, oldest first.
//!
//! What is read is held to the bounds of a feed and to its order: a file, whoever made it, gives a feed that can be
//! served, or an error.

use std::io::{BufRead, Read, Seek, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::format::{self, Content, Kind};
use super::line::{bytes_of, parse, write_line};
use super::problem::Problem;
use crate::catalog::diff::{self, Change, MAX_FIELDS, MAX_FIELDS_BYTES};
use crate::catalog::entry::{Name, check_key};
use crate::catalog::feed::{Event, Incarnation, Kept, MAX_EVENTS, MAX_INCARNATIONS};

/// The longest header: of each start of the process two numbers.
const MAX_HEADER_BYTES: usize = 8 << 10;
/// The longest line: a name, two versions, two registries and the fields, in which every byte may need an escape.
const MAX_LINE_BYTES: usize = 32 << 10;
/// The longest name of a registry, far beyond what a configuration allows.
const MAX_REGISTRY_BYTES: usize = 256;

#[derive(Serialize, Deserialize)]
struct Header {
    /// Each with the number of the last event before it.
    incarnations: Vec<(u64, u64)>,
    last: u64,
    forgotten: u64,
    revision: u64,
    /// Base64.
    fingerprint: String,
    events: usize,
}

#[derive(Serialize, Deserialize)]
struct Line {
    sequence: u64,
    time: Timestamp,
    revision: u64,
    /// None for a reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    kind: String,
    registry: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former_registry: Option<Box<str>>,
    name: String,
    version: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_version: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Box<str>>,
}

/// A feed as the bytes of a file.
///
/// # Errors
/// When something in it is larger than can be read again.
pub fn encode(kept: &Kept) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    write(kept, &mut bytes)?;
    Ok(bytes)
}

/// The feed in the bytes of a file.
///
/// # Errors
/// What is wrong with them.
pub fn decode(bytes: &[u8]) -> Result<Kept, Problem> {
    read(std::io::Cursor::new(bytes))
}

pub(super) fn write(kept: &Kept, out: &mut impl Write) -> Result<(), Problem> {
    format::write(out, Kind::Changes, |out| {
        let header = Header {
            incarnations: kept.incarnations.iter().map(|start| (start.id, start.begins)).collect(),
            last: kept.last,
            forgotten: kept.forgotten,
            revision: kept.revision,
            fingerprint: BASE64.encode(kept.fingerprint),
            events: kept.events.len(),
        };
        write_line(out, &header, MAX_HEADER_BYTES)?;
        kept.events.iter().try_for_each(|event| write_event(out, event))
    })
}

/// Writes an event as a line.
pub(super) fn write_event(out: &mut dyn Write, event: &Event) -> Result<(), Problem> {
    write_line(out, &Line::of(event), MAX_LINE_BYTES)
}

pub(super) fn read<R: Read + Seek>(input: R) -> Result<Kept, Problem> {
    let mut content = format::open(input, Kind::Changes)?;
    let header: Header = parse(content.line(MAX_HEADER_BYTES)?.unwrap_or_default())?;
    if MAX_EVENTS < header.events || MAX_INCARNATIONS < header.incarnations.len() {
        return Err(Problem::damaged("it counts more than there can be"));
    }
    let incarnations = header.incarnations.into_iter().map(|(id, begins)| Incarnation { id, begins }).collect();
    let events = (0..header.events).map(|_| read_event(&mut content)).collect::<Result<_, _>>()?;
    content.end()?;
    let Header { last, forgotten, revision, fingerprint, .. } = header;
    let fingerprint = bytes_of(&fingerprint)?;
    let kept = Kept { incarnations, events, last, forgotten, revision, fingerprint };
    if kept.is_sound() { Ok(kept) } else { Err(Problem::damaged("its numbers are not in order")) }
}

fn read_event(content: &mut Content<impl BufRead>) -> Result<Arc<Event>, Problem> {
    parse_event(content.line(MAX_LINE_BYTES)?.unwrap_or_default())
}

/// Reads the line of an event.
pub(super) fn parse_event(line: &str) -> Result<Arc<Event>, Problem> {
    let line: Line = parse(line)?;
    let Line { sequence, time, revision, change } = line;
    let change = change.map(Entry::into_change).transpose()?;
    Ok(Arc::new(Event { sequence, time, revision, change }))
}

impl Line {
    fn of(event: &Event) -> Self {
        let entry = |change: &Change| Entry {
            kind: change.kind.as_str().to_owned(),
            registry: change.registry.clone(),
            former_registry: change.former_registry.clone(),
            name: change.name.to_string(),
            version: change.version.clone(),
            previous_version: change.previous_version.clone(),
            fields: change.fields.clone(),
        };
        let &Event { sequence, time, revision, .. } = event;
        Self { sequence, time, revision, change: event.change.as_ref().map(entry) }
    }
}

impl Entry {
    fn into_change(self) -> Result<Change, Problem> {
        let Self { kind, registry, former_registry, name, version, previous_version, fields } = self;
        let kind = diff::Kind::from_wire(&kind).ok_or_else(|| Problem::damaged("an event in it is none"))?;
        let name = Name::new(&name).map_err(|error| Problem::Damaged(format!("a name in it {error}")))?;
        let versions = [Some(&version), previous_version.as_ref()];
        versions
            .into_iter()
            .flatten()
            .try_for_each(|version| check_key(version))
            .map_err(|error| Problem::Damaged(format!("a version in it {error}")))?;
        let registries = [Some(&registry), former_registry.as_ref()];
        let is_bounded = registries.into_iter().flatten().all(|registry| registry.len() <= MAX_REGISTRY_BYTES)
            && fields.len() <= MAX_FIELDS
            && fields.iter().map(|field| field.len()).sum::<usize>() <= MAX_FIELDS_BYTES;
        if !is_bounded {
            return Err(Problem::damaged("an event in it says more than there can be to say"));
        }
        Ok(Change { kind, registry, former_registry, name, version, previous_version, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        let time: Timestamp = "2026-11-22T12:00:00.5Z".parse().expect("a time");
        let change = |kind| Change {
            kind,
            registry: "alpha".into(),
            former_registry: Some("beta".into()),
            name: Name::new("com.example/\u{1}\"x").expect("a name"),
            version: "1.0.0".into(),
            previous_version: Some("0.9.0".into()),
            fields: vec!["/server/title".into(), "".into()],
        };
        let plain =
            Change { former_registry: None, previous_version: None, fields: Vec::new(), ..change(diff::Kind::Added) };
        let changes = [None, Some(plain)].into_iter().chain(diff::Kind::ALL.map(|kind| Some(change(kind))));
        let event = |(sequence, change)| Arc::new(Event { sequence, time, revision: 3, change });
        let events: Vec<_> = (5..).step_by(2).zip(changes).map(event).collect();
        let last = events.last().expect("some").sequence + 1;
        let incarnations = [(u64::MAX, 2), (7, 9), (8, last)].map(|(id, begins)| Incarnation { id, begins }).to_vec();
        Kept { incarnations, events, last, forgotten: 4, revision: 9, fingerprint: [7; 32] }
    }

    #[test]
    fn what_was_written_is_read() {
        let empty = Kept { events: Vec::new(), ..kept() };
        for kept in [kept(), empty] {
            assert_eq!(decode(&encode(&kept).expect("it fits")).expect("it is whole"), kept);
        }
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let bytes = encode(&kept()).expect("it fits");
        for at in 0..bytes.len() {
            assert!(decode(&bytes[..at]).is_err(), "cut at {at}");
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(decode(&flipped).is_err(), "flipped at {at}");
        }
    }

    #[test]
    fn what_no_feed_can_have_been_is_refused() {
        let good = kept();
        let repeated = Kept { events: [&good.events[..1], &good.events[..]].concat(), ..good.clone() };
        for (what, bad) in [
            ("no start of the process", Kept { incarnations: Vec::new(), ..good.clone() }),
            (
                "starts in another order",
                Kept { incarnations: good.incarnations.iter().rev().copied().collect(), ..good.clone() },
            ),
            ("a start after the end", Kept { last: 8, events: good.events[..2].to_vec(), ..good.clone() }),
            ("a start twice", Kept { incarnations: good.incarnations[..1].repeat(2), ..good.clone() }),
            ("an event twice", repeated),
            ("an event after the last", Kept { last: 9, ..good.clone() }),
            ("an event that was dropped", Kept { forgotten: 5, ..good.clone() }),
            ("numbers at their end", Kept { last: u64::MAX, ..good.clone() }),
        ] {
            assert!(decode(&encode(&bad).expect("it fits")).is_err(), "{what}");
        }
    }
}
