//! A request from its head to its answer. What is there is answered at once; only what has to wait becomes a future: for
//! a coding that is made, for what registries say, for what administrators ask.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use http::Response;
use http::request::Parts;

use super::cache::{self, CatalogRequest};
use super::coding::{Coding, negotiate};
use super::condition::{Verdict, judge};
use super::connection::Posted;
use super::error::Problem;
use super::freshness::Freshness;
use super::note::{CacheUse, Note};
use super::read_through::Awaited;
use super::reading::Reading;
use super::representation::Representation;
use super::respond::Answer;
use super::traced::{self, Traced};
use super::{Body, Service};
use crate::trace::{self, Span};

/// How a request is answered.
pub(super) enum Answered {
    With(Response<Body>),
    /// With a body that clients may keep, in a coding to be chosen.
    Found(Found),
    /// With what registries will have said.
    Awaited(Box<Awaited>),
    /// With what is said of its body.
    Posted(Reading),
    /// With what is found in the whole catalog.
    Inspected(Arc<CatalogRequest>),
}

/// A body that clients may keep, and where it was found.
pub(super) struct Found {
    pub(super) representation: Arc<Representation>,
    pub(super) origin: cache::Origin,
    pub(super) freshness: Arc<Freshness>,
}

impl Found {
    fn answer(&self, coding: Coding) -> Answer<'_> {
        let Self { representation, origin, freshness, .. } = self;
        Answer { representation, coding, origin: *origin, freshness }
    }
}

/// How far a request got.
pub enum Handled {
    /// To its answer.
    Now(Noted),
    /// To what has to be waited for.
    Later(Pin<Box<dyn Future<Output = Noted> + Send>>),
}

/// An answer, and what was noted on the way to it.
#[derive(Debug)]
pub struct Noted {
    /// The answer.
    pub response: Response<Body>,
    /// What was noted.
    pub note: Note,
}

impl Handled {
    /// The answer, as soon as it is there.
    pub async fn response(self) -> Response<Body> {
        match self {
            Self::Now(noted) => noted.response,
            Self::Later(answer) => answer.await.response,
        }
    }
}

/// The same before the answer is finished.
enum Begun {
    Answered(Response<Body>),
    Waits(Wait),
}

/// What an answer waits for.
enum Wait {
    /// To be let in by the admin listener, and for what only that one does.
    Administration,
    /// For a coding of its body to be made.
    Coding(Found, Coding),
    /// For what registries say.
    Registries(Box<Awaited>),
    /// For its body.
    Body(Reading),
    /// For what is found in the whole catalog.
    Inspection(Arc<CatalogRequest>),
}

impl Service {
    /// Answers one request, at once where nothing has to be waited for. Its body, if it has one, is read if the route
    /// takes one. A panic is this request's alone.
    pub(super) fn handle(self: &Arc<Self>, request: Parts, posted: Option<Box<Posted>>) -> Handled {
        if trace::is_on()
            && let Some(span) = traced::begin(&request)
        {
            return self.handle_traced(span, request, posted);
        }
        self.handle_untraced(request, posted)
    }

    #[cold]
    fn handle_traced(self: &Arc<Self>, span: Span, request: Parts, posted: Option<Box<Posted>>) -> Handled {
        let method = traced::method(&request);
        match span.within(|| self.handle_untraced(request, posted)) {
            Handled::Now(mut noted) => {
                Traced::new(span, method).attach(&mut noted.response);
                Handled::Now(noted)
            }
            Handled::Later(answer) => Handled::Later(Box::pin(async move {
                let mut noted = span.run(answer).await;
                Traced::new(span, method).attach(&mut noted.response);
                noted
            })),
        }
    }

    #[expect(clippy::inline_always, reason = "a request is hundreds of bytes, which would be moved once more")]
    #[inline(always)]
    fn handle_untraced(self: &Arc<Self>, request: Parts, posted: Option<Box<Posted>>) -> Handled {
        let mut note = Note::default();
        let begun = catch_unwind(AssertUnwindSafe(|| self.begin(&request, &mut note)));
        let wait = match begun.unwrap_or_else(|_| panicked(&request, &mut note)) {
            Ok(Begun::Answered(response)) => return Handled::Now(self.finish(&request.headers, response, note)),
            Err(problem) => {
                return Handled::Now(self.finish(&request.headers, self.problem(&request, &problem), note));
            }
            Ok(Begun::Waits(wait)) => wait,
        };
        let this = Arc::clone(self);
        Handled::Later(Box::pin(async move {
            let answered = guarded(pin!(this.wait(&request, posted, wait, &mut note))).await;
            let answered = answered.unwrap_or_else(|Panicked| panicked(&request, &mut note));
            let response = answered.unwrap_or_else(|problem| this.problem(&request, &problem));
            this.finish(&request.headers, response, note)
        }))
    }

    /// Answers what can be answered at once. Most requests are not even a future then, which would be copied a dozen
    /// times on its way.
    fn begin(&self, request: &Parts, note: &mut Note) -> Result<Begun, Problem> {
        if self.access.is_some() {
            return Ok(Begun::Waits(Wait::Administration));
        }
        let answered = self.answer(request, note)?;
        self.settle(request, answered, note)
    }

    fn settle(&self, request: &Parts, answered: Answered, note: &mut Note) -> Result<Begun, Problem> {
        match answered {
            Answered::With(response) => Ok(Begun::Answered(response)),
            Answered::Found(found) => self.represent_now(request, found, note),
            Answered::Awaited(awaited) => Ok(Begun::Waits(Wait::Registries(awaited))),
            Answered::Posted(reading) => Ok(Begun::Waits(Wait::Body(reading))),
            Answered::Inspected(request) => Ok(Begun::Waits(Wait::Inspection(request))),
        }
    }

    async fn wait(
        self: &Arc<Self>,
        request: &Parts,
        mut posted: Option<Box<Posted>>,
        wait: Wait,
        note: &mut Note,
    ) -> Result<Response<Body>, Problem> {
        let mut begun = Begun::Waits(wait);
        loop {
            begun = match begun {
                Begun::Answered(response) => return Ok(response),
                Begun::Waits(Wait::Administration) => {
                    let answered = self.administered(request, note).await?;
                    self.settle(request, answered, note)?
                }
                Begun::Waits(Wait::Registries(awaited)) => {
                    self.represent_now(request, self.read_through(*awaited).await?, note)?
                }
                Begun::Waits(Wait::Body(reading)) => {
                    let answered = self.read(request, posted.take(), reading).await?;
                    self.settle(request, answered, note)?
                }
                Begun::Waits(Wait::Inspection(asked)) => {
                    self.represent_now(request, self.inspected(asked).await?, note)?
                }
                Begun::Waits(Wait::Coding(found, coding)) => return self.encode(found, coding).await,
            }
        }
    }

    /// Answers a request that came in by the admin listener.
    async fn administered(&self, request: &Parts, note: &mut Note) -> Result<Answered, Problem> {
        let administered = match &self.access {
            Some(access) => self.administer(access, request, note).await?,
            None => None,
        };
        administered.map_or_else(|| self.answer(request, note), Ok)
    }

    /// Answers with a representation, in the coding that the client wants, or with less where it has that already;
    /// or says that the coding has to be made.
    fn represent_now(&self, request: &Parts, found: Found, note: &mut Note) -> Result<Begun, Problem> {
        note.cache = CacheUse::from(&found);
        let negotiated = negotiate(&request.headers, found.representation.body().len());
        let coding = negotiated.ok_or(Problem::NotAcceptable)?;
        match judge(&request.headers, &found.representation.tag, found.representation.modified()) {
            Verdict::Failed => return Err(Problem::PreconditionFailed),
            Verdict::NotModified => return Ok(Begun::Answered(self.responder.not_modified(found.answer(coding)))),
            Verdict::Send => {}
        }
        if let Some(body) = found.representation.ready(coding) {
            return Ok(Begun::Answered(self.responder.represented(found.answer(coding), body)));
        }
        let representation = self.core.cache.keep(found.representation);
        let found = Found { representation, ..found };
        Ok(match found.representation.ready(coding) {
            Some(body) => Begun::Answered(self.responder.represented(found.answer(coding), body)),
            None => Begun::Waits(Wait::Coding(found, coding)),
        })
    }

    /// Makes the coding of a representation, and answers with it.
    async fn encode(&self, found: Found, coding: Coding) -> Result<Response<Body>, Problem> {
        let cache = self.core.cache.clone();
        let weigh = move |grown: &Arc<Representation>| cache.weigh_again(grown);
        let body = found.representation.encode(coding, &self.core.encoders, weigh).await?;
        Ok(self.responder.represented(found.answer(coding), body))
    }
}

/// That a request's handler panicked.
#[derive(Debug, PartialEq)]
pub(super) struct Panicked;

/// Lets a panic be one request's alone, whatever it waited for before.
pub(super) async fn guarded<T>(mut answer: Pin<&mut impl Future<Output = T>>) -> Result<T, Panicked> {
    poll_fn(|context| {
        // Nobody looks at the future again that a panic left as it was.
        match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}

fn panicked<T>(request: &Parts, note: &mut Note) -> Result<T, Problem> {
    let id = note.request_id(&request.headers);
    let request_id = id.to_str().unwrap_or_default();
    tracing::error!(path = request.uri.path(), request_id, "a request handler panicked");
    Err(Problem::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn panic_in_the_end(waits: bool) -> Result<(), Problem> {
        if waits {
            tokio::task::yield_now().await;
        }
        panic!("as it was meant to");
    }

    #[tokio::test]
    async fn a_panic_costs_one_request_also_after_it_has_waited() {
        for waits in [false, true] {
            assert_eq!(guarded(pin!(panic_in_the_end(waits))).await, Err(Panicked), "{waits}");
        }
    }
}
