//! The registry that the proxy mirrors: it answers from bytes that are ready, and can change on command.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use jiff::Timestamp;

use crate::Outcome;
use crate::arguments::{RegistrySettings, size};
use crate::corpus::{Corpus, PAGE, Row};
use crate::sample::SEED;
use crate::server::{self, Protocol};

/// How many entries change on command.
pub(crate) const CHANGES: usize = 100;

/// What it lists, and what it has been asked.
struct Registry {
    lists: Mutex<Lists>,
    /// Pages of full walks that were asked for.
    pages: AtomicU64,
    /// Last pages of full walks.
    walks: AtomicU64,
    increments: AtomicU64,
}

struct Lists {
    /// By the cursor that asks for each.
    pages: HashMap<String, Bytes>,
    /// The cursor of the last page.
    last: String,
    /// What a test of the connection sees.
    first: Bytes,
    /// The rows that change, each with the cursor of its page.
    changing: Vec<(String, Row)>,
    changed_at: Option<Timestamp>,
    changes: u64,
}

/// Serves a registry for ever.
pub(crate) fn serve(settings: &RegistrySettings) -> Outcome<()> {
    server::end_with_parent()?;
    let registry = Arc::new(Registry {
        lists: Mutex::new(Lists::of(&Corpus::new(size(settings.tenfold), SEED))),
        pages: AtomicU64::new(0),
        walks: AtomicU64::new(0),
        increments: AtomicU64::new(0),
    });
    // One thread: the proxy asks for one page at a time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = server::listen(settings.port)?;
        server::serve(listener, Protocol::Http1, move |request| registry.answer(request)).await
    })
}

impl Lists {
    fn of(corpus: &Corpus) -> Self {
        let pages = corpus.pages(PAGE);
        let last = pages.last().and_then(|(cursor, _)| cursor.clone()).unwrap_or_default();
        let cursors: Vec<String> = pages.iter().map(|(cursor, _)| cursor.clone().unwrap_or_default()).collect();
        let apart = (corpus.rows.len() / CHANGES).max(1);
        let changing = corpus.rows.iter().enumerate().step_by(apart).take(CHANGES);
        let changing = changing.map(|(at, row)| (cursors[at / PAGE].clone(), row.clone())).collect();
        let first = Corpus { rows: vec![corpus.rows[0].clone()] }.document().into();
        let pages = cursors.into_iter().zip(pages.into_iter().map(|(_, page)| page.into())).collect();
        Self { pages, last, first, changing, changed_at: None, changes: 0 }
    }

    /// Gives each row that changes a new description, now.
    fn change(&mut self) {
        let now = Timestamp::now();
        let rows = self.changing.iter().map(|(_, row)| row.clone()).collect();
        let changed = Corpus { rows }.with_changes(CHANGES, &now.to_string());
        for ((cursor, row), changed) in self.changing.iter_mut().zip(changed.rows) {
            if let Some(page) = self.pages.get_mut(cursor) {
                *page = String::from_utf8_lossy(page).replacen(&row.json, &changed.json, 1).into();
            }
            *row = changed;
        }
        self.changed_at = Some(now);
        self.changes += 1;
    }

    /// What has changed since then.
    fn since(&self, text: &str) -> Bytes {
        let since: Timestamp = text.parse().unwrap_or(Timestamp::MIN);
        let is_new = self.changed_at.is_some_and(|changed_at| since < changed_at);
        let rows = if is_new { self.changing.iter().map(|(_, row)| row.clone()).collect() } else { Vec::new() };
        Corpus { rows }.document().into()
    }
}

impl Registry {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let body = match request.uri().path() {
            "/v0.1/servers" => self.list(request.uri().query().unwrap_or_default()),
            "/control/change" => {
                self.lists().change();
                Some("{}".into())
            }
            "/control/counts" => Some(self.counts().into()),
            _ => None,
        };
        let status = if body.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let body = body.unwrap_or_else(|| "{\"title\":\"Not Found\",\"status\":404}".into());
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
        response
    }

    fn list(&self, query: &str) -> Option<Bytes> {
        let asked: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
        let asked = |name: &str| asked.get(name).map(|value| &**value);
        let lists = self.lists();
        if let Some(since) = asked("updated_since") {
            self.increments.fetch_add(1, Ordering::Relaxed);
            return Some(lists.since(since));
        }
        if asked("limit").is_none_or(|limit| limit != PAGE.to_string()) {
            return Some(lists.first.clone());
        }
        let cursor = asked("cursor").unwrap_or_default();
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.walks.fetch_add(u64::from(cursor == lists.last), Ordering::Relaxed);
        lists.pages.get(cursor).cloned()
    }

    fn counts(&self) -> String {
        let [pages, walks, increments] =
            [&self.pages, &self.walks, &self.increments].map(|count| count.load(Ordering::Relaxed));
        let changes = self.lists().changes;
        format!("{{\"pages\":{pages},\"walks\":{walks},\"increments\":{increments},\"changes\":{changes}}}")
    }

    fn lists(&self) -> std::sync::MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
