//! Whether a registry knows `updated_since`: what an increment's first answer tells of it. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::FetchError;
use super::wire::Page;
use crate::catalog::entry::Entry;
use crate::catalog::listing::Listing;

/// The most entries that a page of ours asks for.
const PAGE_LIMIT: usize = 100;

/// What a registry makes of `updated_since`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpdatedSince {
    /// It answers with what changed, as far as is known.
    #[default]
    Honoured,
    /// It answers with everything.
    Ignored,
    /// It answers that there is no such parameter.
    Rejected,
}

impl UpdatedSince {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Honoured => "honoured",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
        }
    }
}

/// Whether the first page of an increment shows that the registry ignores `updated_since`: half of what a page has
/// room for is as it was, and older than what was asked for, or without a date. A few such entries show nothing: proxies like ours
/// compare an instant that may be later than `updatedAt`.
#[must_use]
pub fn is_ignored(page: &Page, listing: &Listing, since: Timestamp) -> bool {
    // Where a registry gives no date, ours is that of the fetch, which says nothing of the entry's age.
    let has_no_date = |entry: &Entry| entry.updated_at() == entry.fetched_at();
    let is_old = |entry: &Entry| entry.updated_at() < since || has_no_date(entry);
    let unchanged = page.entries.iter().filter(|(name, entry)| {
        let known = listing.entry(name.as_str(), entry.version());
        is_old(entry) && known.is_some_and(|known| known.form() == entry.form())
    });
    // Some registries have smaller pages than they are asked for.
    let room = if page.next_cursor.is_some() { page.listed().min(PAGE_LIMIT) } else { PAGE_LIMIT };
    (listing.versions.min(room) / 2).max(1) <= unchanged.count()
}

/// Whether an answer to the first page of an increment says that the registry does not know `updated_since`, or to the
/// first page of a walk that it does not know `include_deleted`. That credentials are missing, or that there is nothing
/// at the URL, says something else.
#[must_use]
pub fn is_refused(error: &FetchError) -> bool {
    matches!(error, FetchError::Status { status: 400 | 405 | 406 | 414 | 422 | 501, .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::listing::ListingBuilder;
    use crate::registry::wire::{Context, decode};

    fn page(numbers: std::ops::Range<u32>, title: &str, next_cursor: Option<&str>) -> Page {
        let entries: Vec<_> = numbers
            .map(|number| {
                let official = serde_json::json!({"status": "active", "updatedAt": "2026-01-01T00:00:00Z"});
                let server = serde_json::json!({
                    "name": format!("a/{number}"), "description": "d", "version": "1", "title": title,
                });
                serde_json::json!({"server": server, "_meta": {"io.modelcontextprotocol.registry/official": official}})
            })
            .collect();
        let document = serde_json::json!({"servers": entries, "metadata": {"nextCursor": next_cursor}});
        let context =
            Context { now: Timestamp::UNIX_EPOCH, provenance_key: "k", previous: None, max_entry_size: 256 << 10 };
        decode(document.to_string().as_bytes(), &context).expect("a list")
    }

    fn listing(count: u32) -> Listing {
        let mut builder = ListingBuilder::new("https://x.example".into(), None);
        for (name, entry) in page(0..count, "t", None).entries {
            builder.insert(&name, entry);
        }
        builder.snapshot()
    }

    fn since(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn half_a_page_of_old_and_unchanged_entries_shows_it() {
        let after = since("2026-06-01T00:00:00Z");
        for (listed, answered, expected) in [
            (1, 1, true),
            (3, 1, true),
            (4, 1, false),
            (10, 4, false),
            (10, 5, true),
            (500, 49, false),
            (500, 50, true),
        ] {
            let found = is_ignored(&page(0..answered, "t", None), &listing(listed), after);
            assert_eq!(found, expected, "{answered} of {listed}");
        }
        assert!(is_ignored(&page(0..30, "t", Some("c")), &listing(500), after), "a registry with smaller pages");
        assert!(!is_ignored(&page(0..0, "t", None), &listing(0), after));
    }

    #[test]
    fn what_is_new_changed_or_unknown_shows_nothing() {
        let after = since("2026-06-01T00:00:00Z");
        assert!(!is_ignored(&page(0..10, "t", None), &listing(10), since("2025-12-01T00:00:00Z")), "newer");
        assert!(!is_ignored(&page(0..10, "other", None), &listing(10), after), "changed");
        assert!(!is_ignored(&page(10..20, "t", None), &listing(10), after), "unknown so far");
    }

    #[test]
    fn only_what_is_wrong_with_the_request_is_a_refusal() {
        let status = |status| FetchError::Status { status, retry_after: None };
        assert!([400, 422, 501].into_iter().all(|code| is_refused(&status(code))));
        assert!([401, 403, 404, 429, 500, 503].into_iter().all(|code| !is_refused(&status(code))));
    }
}
