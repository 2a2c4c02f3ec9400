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
use super::read_through::Awaited;
use super::reading::Reading;
use super::representation::Representation;
use super::respond::Answer;
use super::{Body, Service};

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
    Now(Response<Body>),
    /// To what has to be waited for.
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Handled {
    /// The answer, as soon as it is there.
    pub async fn response(self) -> Response<Body> {
        match self {
            Self::Now(response) => response,
            Self::Later(answer) => answer.await,
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
        let begun = catch_unwind(AssertUnwindSafe(|| self.begin(&request)));
        let wait = match begun.unwrap_or_else(|_| panicked(request.uri.path())) {
            Ok(Begun::Answered(response)) => return Handled::Now(self.finish(&request.headers, response)),
            Err(problem) => return Handled::Now(self.finish(&request.headers, self.problem(&request, &problem))),
            Ok(Begun::Waits(wait)) => wait,
        };
        let this = Arc::clone(self);
        Handled::Later(Box::pin(async move {
            let answered = guarded(request.uri.path(), pin!(this.wait(&request, posted, wait))).await;
            let response = answered.unwrap_or_else(|problem| this.problem(&request, &problem));
            this.finish(&request.headers, response)
        }))
    }

    /// Answers what can be answered at once. Most requests are not even a future then, which would be copied a dozen
    /// times on its way.
    fn begin(&self, request: &Parts) -> Result<Begun, Problem> {
        if self.access.is_some() {
            return Ok(Begun::Waits(Wait::Administration));
        }
        self.settle(request, self.answer(request)?)
    }

    fn settle(&self, request: &Parts, answered: Answered) -> Result<Begun, Problem> {
        match answered {
            Answered::With(response) => Ok(Begun::Answered(response)),
            Answered::Found(found) => self.represent_now(request, found),
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
    ) -> Result<Response<Body>, Problem> {
        let mut begun = Begun::Waits(wait);
        loop {
            begun = match begun {
                Begun::Answered(response) => return Ok(response),
                Begun::Waits(Wait::Administration) => self.settle(request, self.administered(request).await?)?,
                Begun::Waits(Wait::Registries(awaited)) => {
                    self.represent_now(request, self.read_through(*awaited).await?)?
                }
                Begun::Waits(Wait::Body(reading)) => {
                    self.settle(request, self.read(request, posted.take(), reading).await?)?
                }
                Begun::Waits(Wait::Inspection(asked)) => self.represent_now(request, self.inspected(asked).await?)?,
                Begun::Waits(Wait::Coding(found, coding)) => return self.encode(found, coding).await,
            }
        }
    }

    /// Answers a request that came in by the admin listener.
    async fn administered(&self, request: &Parts) -> Result<Answered, Problem> {
        let administered = match &self.access {
            Some(access) => self.administer(access, request).await?,
            None => None,
        };
        administered.map_or_else(|| self.answer(request), Ok)
    }

    /// Answers with a representation, in the coding that the client wants, or with less where it has that already;
    /// or says that the coding has to be made.
    fn represent_now(&self, request: &Parts, found: Found) -> Result<Begun, Problem> {
        let negotiated = negotiate(&request.headers, found.representation.body().len());
        let coding = negotiated.ok_or(Problem::NotAcceptable)?;
        match judge(&request.headers, &found.representation.tag, found.representation.modified()) {
            Verdict::Failed => return Err(Problem::PreconditionFailed),
            Verdict::NotModified => return Ok(Begun::Answered(self.responder.not_modified(found.answer(coding)))),
            Verdict::Send => {}
        }
        match found.representation.ready(coding) {
            Some(body) => Ok(Begun::Answered(self.responder.represented(found.answer(coding), body))),
            None => Ok(Begun::Waits(Wait::Coding(found, coding))),
        }
    }

    /// Makes the coding of a representation, and answers with it.
    async fn encode(&self, found: Found, coding: Coding) -> Result<Response<Body>, Problem> {
        let cache = self.core.cache.clone();
        let weigh = move |grown: &Arc<Representation>| cache.weigh_again(grown);
        let body = found.representation.encode(coding, &self.core.encoders, weigh).await?;
        Ok(self.responder.represented(found.answer(coding), body))
    }
}

/// Lets a panic be one request's alone, whatever it waited for before.
pub(super) async fn guarded<T>(
    path: &str,
    mut answer: Pin<&mut impl Future<Output = Result<T, Problem>>>,
) -> Result<T, Problem> {
    poll_fn(|context| {
        // Nobody looks at the future again that a panic left as it was.
        let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(panicked(path)))
    })
    .await
}

fn panicked<T>(path: &str) -> Result<T, Problem> {
    tracing::error!(path, "a request handler panicked");
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
            assert_eq!(guarded("/", pin!(panic_in_the_end(waits))).await, Err(Problem::Internal), "{waits}");
        }
    }
}
