use jiff::Timestamp;
use serde_json::json;

use super::super::unpack;
use super::*;
use crate::catalog::listing::ListingBuilder;
use crate::registry::wire;

const KEY: &str = "mcp-registry-proxy/provenance";

/// A listing of so many names, of which one has another title; it shares with the one before what stays.
fn listing(count: usize, changed: Option<usize>, previous: Option<&Arc<Listing>>) -> Arc<Listing> {
    let entry = |number: usize| {
        let title = if changed == Some(number) { "Changed" } else { "As it was" };
        json!({ "server": {
            "name": format!("com.example/server-{number:05}"), "version": "1.0.0", "description": "d", "title": title,
        } })
    };
    let document = json!({ "servers": (0..count).map(entry).collect::<Vec<_>>() }).to_string();
    let now = Timestamp::from_second(1_790_000_000).expect("in range");
    let known = previous.map(AsRef::as_ref);
    let context = wire::Context { now, provenance_key: KEY, previous: known, max_entry_size: 256 << 10 };
    let page = wire::decode(document.as_bytes(), &context).expect("a list");
    let mut builder = ListingBuilder::new("https://x.example/v0/servers".into(), previous.cloned());
    for (name, entry) in page.entries {
        builder.insert(&name, entry);
    }
    Arc::new(builder.snapshot())
}

/// What another replica makes of chunks, of which it has some already.
fn read(part: &ListingPart, chunks: &[Arc<Chunk>], before: &Book, previous: Option<&Listing>) -> (Arc<Listing>, Book) {
    let mut book = Book::default();
    let find = |id: ChunkId| chunks.iter().find(|chunk| chunk.id == id);
    let index = find(part.index).expect("the index is new");
    let ids = unpack::index(index).expect("whole");
    for id in &ids {
        if let Some(Held::Names(names)) = before.get(*id) {
            book.put_names(*id, Arc::clone(names));
        } else {
            let chunk = find(*id).expect("what was not there is new");
            book.put_names(*id, unpack::names(chunk, KEY, previous).expect("whole"));
        }
    }
    let listing = unpack::listing(part, &ids, &book).expect("whole");
    book.put_listing(Arc::clone(index), ids.into(), Arc::clone(&listing));
    (listing, book)
}

fn lines(listing: &Listing) -> String {
    format!("{listing:?}")
}

#[test]
fn a_listing_comes_back_and_a_change_moves_one_chunk() {
    let first = listing(1_000, None, None);
    let mut packer = Packer::new(Arc::default());
    let part = packer.listing(&first).expect("it fits");
    let (book, new) = packer.finish();
    assert!((8..40).contains(&new.len()), "{} chunks", new.len());
    let (read_first, theirs) = read(&part, &new, &Book::default(), None);
    assert_eq!(lines(&read_first), lines(&first));

    let second = listing(1_000, Some(500), Some(&first));
    let mut packer = Packer::new(Arc::new(book));
    let part = packer.listing(&second).expect("it fits");
    let (book, new) = packer.finish();
    assert_eq!(new.len(), 2, "a chunk of names, and the one that names them all");
    let (read_second, _) = read(&part, &new, &theirs, Some(&read_first));
    assert_eq!(lines(&read_second), lines(&second));
    // What did not change stays where it was, also in the chunk that did.
    let shared = read_second.servers.iter().zip(&read_first.servers).filter(|(now, was)| Arc::ptr_eq(now, was));
    assert_eq!(shared.count(), 999);

    // Nothing has changed: nothing is packed.
    let mut packer = Packer::new(Arc::new(book));
    packer.listing(&second).expect("it fits");
    let (book, new) = packer.finish();
    assert!(new.is_empty());
    // Whatever others lack can be packed anew.
    for id in book.ids() {
        assert_eq!(again(&book, id).expect("it fits").map(|chunk| chunk.id), Some(id));
    }
}

#[test]
fn what_is_damaged_or_of_somebody_else_is_refused() {
    let first = listing(40, None, None);
    let mut packer = Packer::new(Arc::default());
    let part = packer.listing(&first).expect("it fits");
    let (_, new) = packer.finish();
    let index = new.iter().find(|chunk| chunk.id == part.index).expect("it is there");
    let ids = unpack::index(index).expect("whole");
    let mut book = Book::default();
    assert!(unpack::listing(&part, &ids, &book).is_err(), "its chunks are not there");
    for id in &ids {
        let chunk = new.iter().find(|chunk| chunk.id == *id).expect("it is there");
        book.put_names(*id, unpack::names(chunk, KEY, None).expect("whole"));
    }
    let others = ListingPart { versions: 41, ..part.clone() };
    assert!(unpack::listing(&others, &ids, &book).is_err(), "it says more than there is");
    let twice = [&ids[..], &ids[..]].concat();
    assert!(unpack::listing(&part, &twice, &book).is_err(), "names come again");
    for text in ["", "{}", "nonsense", "\u{1}"] {
        let chunk = Chunk::pack(text.as_bytes(), 1_000).expect("it is small");
        let names = unpack::names(&chunk, KEY, None);
        assert!(names.is_err() || names.is_ok_and(|names| names.is_empty()), "{text:?}");
        assert!(unpack::refused(&chunk).is_err(), "{text:?}");
        assert!(unpack::index(&chunk).is_err() || text.is_empty(), "{text:?}");
    }
}
