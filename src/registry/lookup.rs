//! Looking one name up at a registry, for a request to which the catalog has no answer. It has a lane of its own
//! beside the walk's gate: a page may take 20 s, and a client waits for 3.
//!
//! What comes of it never counts for health, so nothing here calls `observe`. When to ask, and what becomes of the
//! answer, `serve::read_through` decides.

pub mod common;
mod lane;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::USER_AGENT;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use url::Url;

use super::error::FetchError;
use super::limits::Limits;
use super::wire::{self, FormatError};
use super::{LINEAGE_HEADER, Origin, REGISTRY_ATTRIBUTE, Registry};
use crate::catalog::entry::{Entry, Name};
use crate::catalog::rules::RegistryRules;
use crate::trace::{self, Span};
pub(super) use lane::Lane;
pub use lane::Refusal;

/// How long one look-up may take, whatever it waits for.
pub const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of that is kept to tell other replicas what came of it.
const TO_TELL: Duration = Duration::from_secs(1);
/// The largest answer that is read. The most versions that one name of the official registry has take a tenth.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// The same as it comes compressed.
const MAX_COMPRESSED_BYTES: usize = 4 << 20;
/// What a segment of a path needs no escape for (RFC 3986 §2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How the `User-Agent` of every proxy like this one begins.
const OUR_AGENT: &[u8] = b"mcp-registry-proxy/";

/// What of a name is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// All its versions. A registry that has no such route answers 404, as for a name that it does not list; it is
    /// not asked again for one version then, or every name that nobody has would cost two look-ups of the few that
    /// there are.
    All,
    /// One version.
    Exactly(Box<str>),
}

/// What a registry said, and when.
#[derive(Debug)]
pub struct Answer {
    /// What it said.
    pub said: LookUp,
    /// How long ago, where it was another replica of this proxy that asked.
    pub age: Duration,
}

/// What a registry said.
#[derive(Debug)]
pub enum LookUp {
    /// It has what was asked for.
    Found(Vec<Arc<Entry>>),
    /// It says that it does not.
    NotListed,
    /// It said neither.
    NoAnswer(FetchError),
}

/// Whether a request comes from a proxy like this one. What such a one asks for it is asked for itself, and it asks
/// its registries itself: were its question passed on, proxies that list one another would never come to an end.
#[must_use]
pub fn is_from_proxy(headers: &HeaderMap) -> bool {
    let is_ours = headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(OUR_AGENT));
    is_ours || headers.contains_key(LINEAGE_HEADER)
}

impl Registry {
    /// Which names the registry may supply.
    #[must_use]
    pub fn rules(&self) -> &RegistryRules {
        &self.rules
    }

    /// Whether names can be looked up here: the administrator lets it happen, and there is something to ask. A
    /// hosted document has no routes beside it, and a file answers no questions.
    #[must_use]
    pub fn takes_look_ups(&self) -> bool {
        match &self.source {
            Origin::Http(http) => self.settings.read_through && is_list_route(&http.candidates().0),
            Origin::File(_) => false,
        }
    }

    /// The right to look one name up now.
    ///
    /// # Errors
    /// Why not now.
    pub fn ticket(self: &Arc<Self>, now: Instant) -> Result<Ticket, Refusal> {
        let room = self.lane.enter(now)?;
        Ok(Ticket { registry: Arc::clone(self), _room: room })
    }
}

fn is_list_route(list: &Url) -> bool {
    list.path().ends_with("/servers")
}

/// The right to look one name up at a registry.
#[derive(Debug)]
pub struct Ticket {
    registry: Arc<Registry>,
    _room: OwnedSemaphorePermit,
}

impl Ticket {
    /// Whom it is for.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Asks the registry. The answer counts only where it is for the very name, and version, that was asked for.
    /// `negative_ttl` is how long other replicas go by it, where it says that there is no such thing.
    pub async fn look_up(self, name: &Name, asked: &Asked, negative_ttl: Duration) -> Answer {
        let span = Span::part("look up", || {
            vec![
                trace::text(REGISTRY_ATTRIBUTE, self.registry.name()),
                trace::text("mcp_registry_proxy.server_name", name.as_str()),
            ]
        });
        let asking = timeout(LOOK_UP_TIMEOUT, span.run(self.registry.ask(name, asked, negative_ttl)));
        let (answer, age) = asking.await.unwrap_or((Err(FetchError::Timeout(LOOK_UP_TIMEOUT)), Duration::ZERO));
        if let Some(error) = answer.as_ref().err().filter(|error| !error.is_not_found()) {
            span.fail(|| error.to_string());
        }
        let said = match answer {
            Ok(entries) => LookUp::Found(entries),
            Err(error) if error.is_not_found() => LookUp::NotListed,
            Err(error) => {
                if let FetchError::Status { status: 429, retry_after } = error {
                    self.registry.lane.pause(Instant::now(), retry_after);
                }
                LookUp::NoAnswer(error)
            }
        };
        Answer { said, age }
    }
}

impl Registry {
    async fn ask(
        &self,
        name: &Name,
        asked: &Asked,
        negative_ttl: Duration,
    ) -> (Result<Vec<Arc<Entry>>, FetchError>, Duration) {
        let Origin::Http(http) = &self.source else {
            return (Err(FetchError::File("a file answers no questions".to_owned())), Duration::ZERO);
        };
        let url = route(&http.candidates().0, name, asked);
        // Where others wait for the answer, there has to be time left to tell them that there is none.
        let limit =
            if self.settings.common.is_some() { LOOK_UP_TIMEOUT.saturating_sub(TO_TELL) } else { LOOK_UP_TIMEOUT };
        let ask = http.client.ask(&url, limits(self.settings.limits), limit);
        let (body, age) = match &self.settings.common {
            Some(common) => self.ask_in_common(&**common, &url, negative_ttl, ask).await,
            None => (ask.await, Duration::ZERO),
        };
        (self.entries_of(body, name, asked).await, age)
    }

    async fn entries_of(
        &self,
        body: Result<Vec<u8>, FetchError>,
        name: &Name,
        asked: &Asked,
    ) -> Result<Vec<Arc<Entry>>, FetchError> {
        let body = body?;
        let previous = self.status().served_listing().cloned();
        let (name, asked) = (name.clone(), asked.clone());
        Ok(self.decode_with(previous, move |context| decode(&body, context, &name, &asked)).await?)
    }
}

/// What one look-up may cost: less than a page, of which there is one at a time.
fn limits(of_pages: Limits) -> Limits {
    Limits {
        max_response_size: of_pages.max_response_size.min(MAX_ANSWER_BYTES),
        max_compressed_size: of_pages.max_compressed_size.min(MAX_COMPRESSED_BYTES),
        ..of_pages
    }
}

/// The route of a name beside a list, with whatever query the administrator gave the list's URL.
fn route(list: &Url, name: &Name, asked: &Asked) -> Url {
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let tail = match asked {
        Asked::All => String::new(),
        Asked::Exactly(version) => format!("/{}", escaped(version)),
    };
    let mut url = list.clone();
    url.set_path(&format!("{}/{}/versions{tail}", list.path(), escaped(name.as_str())));
    url
}

/// The entries of an answer, all of them what was asked for.
fn decode(
    body: &[u8],
    context: &wire::Context<'_>,
    name: &Name,
    asked: &Asked,
) -> Result<Vec<Arc<Entry>>, FormatError> {
    let found = match asked {
        Asked::All => wire::decode(body, context)?.entries,
        Asked::Exactly(_) => vec![wire::decode_entry(body, context)?],
    };
    let is_asked_for = |found: &Name, entry: &Entry| {
        found == name && !matches!(asked, Asked::Exactly(version) if **version != *entry.version())
    };
    let entries = found.into_iter().filter(|(found, entry)| is_asked_for(found, entry)).map(|(_, entry)| entry);
    let entries: Vec<_> = entries.collect();
    if entries.is_empty() { Err(FormatError::new("found nothing that was asked for")) } else { Ok(entries) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> Name {
        Name::new("com.example/a").expect("a name")
    }

    #[test]
    fn a_name_is_one_segment_beside_the_list_whose_query_stays() {
        let of = |list: &str, asked: Asked| String::from(route(&Url::parse(list).expect("a URL"), &name(), &asked));
        let beside = "https://x.example/acme/v0.1/servers/com.example%2Fa/versions";
        assert_eq!(of("https://x.example/acme/v0.1/servers", Asked::All), beside);
        assert_eq!(of("https://x.example/acme/v0.1/servers?k=1", Asked::All), format!("{beside}?k=1"));
        for (version, segment) in
            [("1.0.0+a b", "1.0.0%2Ba%20b"), ("{{V}}", "%7B%7BV%7D%7D"), ("1.1º?#", "1.1%C2%BA%3F%23")]
        {
            let asked = Asked::Exactly(version.into());
            assert_eq!(of("https://x.example/acme/v0.1/servers", asked), format!("{beside}/{segment}"));
        }
    }

    #[test]
    fn a_look_up_may_cost_less_than_a_page_and_never_more() {
        let of = |response: usize, compressed: usize| {
            let pages = Limits { max_response_size: response, max_compressed_size: compressed, ..Limits::default() };
            let limits = limits(pages);
            (limits.max_response_size, limits.max_compressed_size)
        };
        assert_eq!(of(32 << 20, 16 << 20), (8 << 20, 4 << 20));
        assert_eq!(of(1 << 20, 1 << 10), (1 << 20, 1 << 10));
    }

    #[test]
    fn only_what_was_asked_for_is_taken() {
        let entry = |name: &str, version: &str| {
            format!(r#"{{"server":{{"name":"{name}","description":"d","version":"{version}"}},"_meta":{{}}}}"#)
        };
        let context = wire::Context {
            now: jiff::Timestamp::UNIX_EPOCH,
            provenance_key: "a.b/c",
            previous: None,
            max_entry_size: 256 << 10,
        };
        let versions = |body: &str, asked: Asked| {
            let found = decode(body.as_bytes(), &context, &name(), &asked).ok()?;
            Some(found.iter().map(|entry| entry.version().to_owned()).collect::<Vec<_>>())
        };
        let one = || Asked::Exactly("1.0.0".into());
        assert_eq!(versions(&entry("com.example/a", "1.0.0"), one()), Some(vec!["1.0.0".to_owned()]));
        assert_eq!(versions(&entry("com.example/a", "2.0.0"), one()), None);
        assert_eq!(versions(&entry("com.example/A", "1.0.0"), one()), None);
        let list = format!(
            r#"{{"servers":[{},{},{}]}}"#,
            entry("com.example/a", "1"),
            entry("com.evil/b", "1"),
            entry("com.example/a", "2")
        );
        assert_eq!(versions(&list, Asked::All), Some(vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(versions(r#"{"servers":[]}"#, Asked::All), None);
        assert_eq!(versions("<html>", Asked::All), None);
    }

    #[test]
    fn proxies_are_known_by_their_id_or_by_their_agent() {
        let from = |name: &'static str, value: &'static str| {
            let name = http::HeaderName::from_static(name);
            is_from_proxy(&HeaderMap::from_iter([(name, http::HeaderValue::from_static(value))]))
        };
        assert!(from("mcp-registry-proxy", "abc"));
        assert!(from("user-agent", "mcp-registry-proxy/0.1.0"));
        assert!(!from("user-agent", "curl/8.5.0"));
        assert!(!is_from_proxy(&HeaderMap::new()));
    }
}
