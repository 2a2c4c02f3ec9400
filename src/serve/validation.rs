//! `POST /validate`: verdicts on the servers of a client's configuration. What is secret in a body is not kept, logged or
//! answered with; nothing is asked of the registries.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::error::{InvalidParameter, Problem};
use super::reading::Media;
use super::{Answered, Service};
use crate::catalog::Catalog;
use crate::inspect::validate::{InputError, Lookup, Report, Syntax, read};

/// How many bodies may be judged at the same time.
const MAX_AT_ONCE: usize = 2;
/// How many bodies wait for their turn, at most: a small part of the requests that may be answered at a time, which
/// these shall not take up.
const MAX_WAITING: usize = 32;
/// How long a body waits for its turn, at most.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// What bodies are judged by.
#[derive(Debug)]
pub(super) struct Validation {
    seats: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    kept: Mutex<Option<Kept>>,
}

/// A lookup, and the catalog that it is of.
#[derive(Debug)]
struct Kept {
    catalog: Weak<Catalog>,
    lookup: Arc<Lookup>,
}

impl Default for Validation {
    fn default() -> Self {
        let room = |most| Arc::new(Semaphore::new(most));
        Self { seats: room(MAX_WAITING), turns: room(MAX_AT_ONCE), kept: Mutex::default() }
    }
}

impl Validation {
    /// The lookup of a catalog; made where there is none yet, and meanwhile others wait.
    fn lookup(&self, catalog: &Arc<Catalog>) -> Arc<Lookup> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_of = |kept: &&Kept| Weak::ptr_eq(&kept.catalog, &Arc::downgrade(catalog));
        if let Some(kept) = kept.as_ref().filter(is_of) {
            return Arc::clone(&kept.lookup);
        }
        let lookup = Arc::new(Lookup::new(catalog));
        *kept = Some(Kept { catalog: Arc::downgrade(catalog), lookup: Arc::clone(&lookup) });
        lookup
    }

    fn report(&self, catalog: &Arc<Catalog>, body: &[u8], syntax: Syntax) -> Result<Report, Problem> {
        let text = std::str::from_utf8(body).map_err(|_| Problem::BadRequest("The body is not UTF-8.".into()))?;
        let configured = read(text, syntax).map_err(|error| refused(&error))?;
        Ok(self.lookup(catalog).validate(catalog, &configured))
    }
}

/// What is said of a body that cannot be read: where, and never what stands there.
fn refused(error: &InputError) -> Problem {
    let message = format!("The body {error}.").into();
    match error {
        InputError::Json { .. } | InputError::Toml { .. } => Problem::BadRequest(message),
        InputError::Unknown | InputError::TooMany => Problem::Validation(vec![InvalidParameter {
            message,
            location: "body".into(),
            value: serde_json::Value::Null,
        }]),
    }
}

impl Service {
    /// Judges what a body configures by the catalog of the moment.
    pub(super) async fn validate(&self, media: Media, body: Bytes) -> Result<Answered, Problem> {
        let syntax = match media {
            Media::Json => Syntax::Json,
            Media::Toml => Syntax::Toml,
        };
        let write = |report| Bytes::from(super::registries::to_line(&report));
        self.judge(body, syntax, write).await.map(|body| self.momentary(body))
    }

    /// The same, for who writes it in another form.
    pub(super) async fn judged(&self, body: Bytes, syntax: Syntax) -> Result<Report, Problem> {
        self.judge(body, syntax, |report| report).await
    }

    async fn judge<T: Send + 'static>(
        &self,
        body: Bytes,
        syntax: Syntax,
        write: impl FnOnce(Report) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.with_view(|view| view.check_available())?;
        let looking =
            move |validation: &Validation, catalog: &Arc<Catalog>| validation.report(catalog, &body, syntax).map(write);
        self.look_up(looking).await?
    }

    /// Names of servers that may be taken for this one, which nobody lists. None where too many look already.
    pub(super) async fn names_like(&self, name: &str) -> Vec<String> {
        let name = name.to_owned();
        let looking = move |validation: &Validation, catalog: &Arc<Catalog>| {
            validation.lookup(catalog).names_like(catalog, &name).into_iter().map(str::to_owned).collect()
        };
        self.look_up(looking).await.unwrap_or_default()
    }

    /// Waits for a turn, and looks something up in the catalog of the moment.
    async fn look_up<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Validation, &Arc<Catalog>) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let validation = Arc::clone(&self.core.validation);
        let seat = Arc::clone(&validation.seats).try_acquire_owned().map_err(|_| Problem::Overloaded)?;
        let turn = timeout(MAX_WAIT, Arc::clone(&validation.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Problem::Overloaded) };
        let catalog = Arc::clone(&self.core.current.load());
        // A lookup takes a pass over the whole catalog: not for the runtime's threads.
        let looking = spawn_blocking(move || {
            let _held = (turn, seat);
            look(&validation, &catalog)
        });
        looking.await.map_err(|panicked| {
            tracing::error!(%panicked, "the catalog could not be looked through");
            Problem::Internal
        })
    }
}
