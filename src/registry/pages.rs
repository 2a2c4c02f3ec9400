//! The pages of a registry's list: asked for, decoded, remembered.

use std::sync::Arc;

use jiff::Timestamp;

use super::client::Answer;
use super::crawl::PageQuery;
use super::error::FetchError;
use super::http::HttpOrigin;
use super::wire::{self, Page};
use super::{ListUrl, Origin, Registry};
use crate::aside::aside;
use crate::catalog::listing::Listing;

/// A page and what came with it.
#[derive(Debug)]
pub struct Fetched {
    /// The page.
    pub page: Page,
    /// When the registry answered, by its own clock.
    pub date: Option<Timestamp>,
}

impl Registry {
    /// Notes that a full walk begins: pages are asked for again only where they are not what they were when the last
    /// complete walk, or this one, saw them.
    pub fn begin_walk(&self) {
        if let Origin::Http(http) = &self.source {
            http.remembered().begin_walk();
        }
    }

    /// Notes that a full walk has come to its end: what its pages were is what counts from now on.
    pub fn end_walk(&self) {
        if let Origin::Http(http) = &self.source {
            http.remembered().end_walk();
        }
    }

    /// Fetches and decodes one page of the list.
    ///
    /// # Errors
    /// When the request brought no page; the kind of error says whether to ask again.
    pub async fn page(
        &self,
        list: &ListUrl,
        query: &PageQuery,
        previous: Option<Arc<Listing>>,
    ) -> Result<Fetched, FetchError> {
        let Origin::Http(http) = &self.source else {
            return Err(FetchError::File("a file has no pages".to_owned()));
        };
        let fetched = self.fetch_page(http, list, query, previous).await;
        self.tally.note_page(fetched.as_ref().map(|(_, is_unchanged)| *is_unchanged));
        fetched.map(|(fetched, _)| fetched)
    }

    /// The same; says also whether the page was still what it had been.
    async fn fetch_page(
        &self,
        http: &HttpOrigin,
        list: &ListUrl,
        query: &PageQuery,
        previous: Option<Arc<Listing>>,
    ) -> Result<(Fetched, bool), FetchError> {
        let answer = http.page(list, query).await;
        if let Err(FetchError::Loop) = &answer {
            // What was fetched before may hold what we serve.
            http.remembered().clear();
            self.observe_loop();
        }
        let Answer { body, tag, date, is_partial } = answer?;
        if is_partial {
            return Err(FetchError::Partial);
        }
        let Some(body) = body else {
            let page = http.remembered_page(list, query);
            return page
                .map(|page| (Fetched { page, date }, true))
                .ok_or(FetchError::Status { status: 304, retry_after: None });
        };
        let page = self.decode(body, previous).await?;
        http.remember(list, query, tag, &page);
        Ok((Fetched { page, date }, false))
    }

    pub(super) async fn decode(&self, body: Vec<u8>, previous: Option<Arc<Listing>>) -> Result<Page, FetchError> {
        Ok(self.decode_with(previous, move |context| wire::decode(&body, context)).await?)
    }

    /// Decodes off the runtime's threads: a page may have megabytes. `previous` is what the registry listed before.
    pub(super) async fn decode_with<T: Send + 'static>(
        &self,
        previous: Option<Arc<Listing>>,
        decode: impl FnOnce(&wire::Context<'_>) -> T + Send + 'static,
    ) -> T {
        let provenance_key = Arc::clone(&self.settings.provenance_key);
        let max_entry_size = self.settings.limits.max_entry_size;
        aside(move || {
            let now = whole_seconds(Timestamp::now());
            let previous = previous.as_deref();
            decode(&wire::Context { now, provenance_key: &provenance_key, previous, max_entry_size })
        })
        .await
    }
}

fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
