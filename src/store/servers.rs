//! The versions of a listing's file, by several threads: a start waits for them. Whoever has nothing to read takes the
//! next lines out of the file, alone, and reads them beside the others.

use std::io::BufRead;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::format::Content;
use super::line::{Lines, MAX_LINE_BYTES};
use super::problem::Problem;
use crate::catalog::entry::{Entry, Name};
use crate::catalog::listing::Listed;
use crate::registry::limits::HIGHEST_LISTING_SIZE;

/// How much is taken at a time: so many bytes and a line more at most.
const BATCH_BYTES: usize = 256 << 10;

/// Reads so many versions, which are all that follows.
pub(super) fn read<R: BufRead + Send>(
    content: &mut Content<R>,
    versions: usize,
    provenance_key: &str,
    threads: usize,
) -> Result<Vec<Arc<Listed>>, Problem> {
    let work = Work {
        source: Mutex::new(Source { content, left: versions, batches: 0 }),
        provenance_key,
        bytes: AtomicUsize::new(0),
    };
    let mut parts = thread::scope(|scope| {
        // With fewer threads than there should be, and with this one alone, it takes longer.
        let start = |_| thread::Builder::new().spawn_scoped(scope, || work.run()).ok();
        let others: Vec<_> = (1..threads).filter_map(start).collect();
        let mut parts = work.run();
        for other in others {
            parts.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        parts
    });
    // Of several problems, the first in the file is told: whatever comes before it has been read.
    parts.sort_unstable_by_key(|(number, _)| *number);
    let mut servers = Vec::new();
    for (_, part) in parts {
        append(&mut servers, part?)?;
    }
    content.end()?;
    Ok(servers)
}

/// A part of the servers, by its place in the file.
type Part = (usize, Result<Vec<Arc<Listed>>, Problem>);

struct Work<'a, R> {
    source: Mutex<Source<'a, R>>,
    provenance_key: &'a str,
    /// How much has been read, of JSON.
    bytes: AtomicUsize,
}

/// Where lines come from.
struct Source<'a, R> {
    content: &'a mut Content<R>,
    /// How many are to come.
    left: usize,
    batches: usize,
}

impl<R: BufRead> Work<'_, R> {
    /// Reads until there is nothing more to read.
    fn run(&self) -> Vec<Part> {
        let (mut parts, mut lines, mut reader) = (Vec::new(), Vec::new(), Lines::new(self.provenance_key));
        loop {
            lines.clear();
            let (number, taken) = self.source(|source| source.take(&mut lines));
            let part = match taken {
                Ok(()) if lines.is_empty() => return parts,
                Ok(()) => self.read(&mut reader, &lines),
                Err(problem) => Err(problem),
            };
            if part.is_err() {
                self.source(|source| source.left = 0);
            }
            parts.push((number, part));
        }
    }

    fn source<T>(&self, then: impl FnOnce(&mut Source<'_, R>) -> T) -> T {
        then(&mut self.source.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn read(&self, reader: &mut Lines<'_>, lines: &[u8]) -> Result<Vec<Arc<Listed>>, Problem> {
        let lines = std::str::from_utf8(lines).map_err(|_| Problem::damaged("a line in it is not UTF-8"))?;
        let mut servers: Vec<Arc<Listed>> = Vec::new();
        let mut last: Option<Listed> = None;
        for line in lines.split_terminator('\n') {
            let (name, entry) = reader.read(line)?;
            let bytes = entry.bytes();
            if HIGHEST_LISTING_SIZE < self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes {
                return Err(Problem::damaged("it is larger than any listing"));
            }
            if let Some(last) = last.as_mut().filter(|last| last.name.as_str() == name) {
                add(last, Arc::new(entry))?;
                continue;
            }
            let name = Name::new(&name).map_err(|error| Problem::Damaged(format!("a name in it {error}")))?;
            if let Some(last) = last.replace(Listed { name, entries: vec![Arc::new(entry)] }) {
                push(&mut servers, Arc::new(last))?;
            }
        }
        last.into_iter().try_for_each(|last| push(&mut servers, Arc::new(last)))?;
        Ok(servers)
    }
}

impl<R: BufRead> Source<'_, R> {
    /// Takes the next lines, if there are some.
    fn take(&mut self, lines: &mut Vec<u8>) -> (usize, Result<(), Problem>) {
        let number = self.batches;
        self.batches += 1;
        while 0 < self.left && lines.len() < BATCH_BYTES {
            match self.content.append_line(lines, MAX_LINE_BYTES) {
                Ok(true) => self.left -= 1,
                Ok(false) => return (number, Err(Problem::damaged("it holds less than it says"))),
                Err(problem) => return (number, Err(problem)),
            }
        }
        (number, Ok(()))
    }
}

/// Adds a version to its name.
pub(super) fn add(listed: &mut Listed, entry: Arc<Entry>) -> Result<(), Problem> {
    if listed.entries.last().is_some_and(|before| entry.version() <= before.version()) {
        return Err(unsorted());
    }
    listed.reserve();
    listed.entries.push(entry);
    Ok(())
}

/// Adds a name.
pub(super) fn push(servers: &mut Vec<Arc<Listed>>, listed: Arc<Listed>) -> Result<(), Problem> {
    if servers.last().is_some_and(|last| listed.name <= last.name) {
        return Err(unsorted());
    }
    servers.push(listed);
    Ok(())
}

/// Adds the servers of the next part, the first of which may be the last one of those before.
fn append(servers: &mut Vec<Arc<Listed>>, part: Vec<Arc<Listed>>) -> Result<(), Problem> {
    for listed in part {
        match servers.last_mut().filter(|last| last.name == listed.name) {
            Some(last) => {
                let last = Arc::make_mut(last);
                listed.entries.iter().try_for_each(|entry| add(last, Arc::clone(entry)))?;
            }
            None => push(servers, listed)?,
        }
    }
    Ok(())
}

fn unsorted() -> Problem {
    Problem::damaged("its versions are not sorted")
}
