//! The admin listener (contract §5): who may use it, what it does besides reading, and figures. Everything that only
//! reads is answered as on the public listener, without CORS.
//!
//! `access` who is let in, `action` what is asked for, `dashboard` the pages, `running` a test as it runs, `metrics` the
//! figures.

mod access;
mod action;
mod dashboard;
mod metrics;
mod running;

use std::sync::Arc;

use http::header::{CONTENT_TYPE, LOCATION, VARY};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::error::Problem;
use super::note::Note;
use super::registries::{CheckView, to_line};
use super::{Answered, Body, Service};
use crate::registry::Registry;

pub(super) use access::Access;
use action::{Action, Form, action};
use running::Running;

/// What a test came to.
#[derive(Serialize)]
struct Tested<'a> {
    name: &'a str,
    #[serde(flatten)]
    check: CheckView,
}

/// That a walk was asked for.
#[derive(Serialize)]
struct Asked<'a> {
    name: &'a str,
    refresh: &'static str,
    accept: bool,
}

const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");
/// Keeps nginx from holding lines back.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

impl Service {
    /// Lets a request into the admin listener, and answers what only that one does; `None` for everything else.
    pub(super) async fn administer(
        &self,
        access: &Access,
        request: &Parts,
        note: &mut Note,
    ) -> Result<Option<Answered>, Problem> {
        access.check(request).await?;
        note.has_id = super::guard::check(request)?;
        let Some(action) = action(&request.method, request.uri.path(), request.uri.query())? else { return Ok(None) };
        note.route = action.name();
        let response = match action {
            Action::Options { allow } => self.responder.options(&request.headers, &allow),
            Action::Metrics => {
                let format = metrics::Format::wanted(&request.headers);
                let mut response = self.responder.momentary(self.metrics(format).await?);
                response.headers_mut().insert(CONTENT_TYPE, format.content_type());
                response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
                response
            }
            Action::Page(page) => self.dashboard(page, request).await,
            Action::Browse => return self.browse(request).map(Some),
            Action::Asset(asset) => return Ok(Some(self.dashboard_asset(asset))),
            Action::Test { name } => self.test(&name, request).await?,
            Action::Refresh { name, accept } => self.refresh(&name, accept, request)?,
        };
        Ok(Some(Answered::With(response)))
    }

    /// Test Connection, told as whoever asks wants to hear it.
    async fn test(&self, name: &str, request: &Parts) -> Result<Response<Body>, Problem> {
        let registry = self.registry(name)?;
        let form = Form::accepted(&request.headers);
        let mut response = if form == Form::Lines {
            let running = Running::new(self.core.clone(), Arc::clone(registry));
            let mut response = self.responder.streaming(LINES, Body::stream(Box::new(running)));
            response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
            response
        } else {
            let check = registry.check().await;
            let tested = to_line(&Tested { name, check: CheckView::from(&check) });
            running::observe(&self.core, registry, check);
            if form == Form::Page {
                self.see_registry(name, request.uri.path())
            } else {
                self.responder.momentary(tested)
            }
        };
        response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
        Ok(response)
    }

    /// A full walk. It begins when it may; nobody waits for it here.
    fn refresh(&self, name: &str, accept: bool, request: &Parts) -> Result<Response<Body>, Problem> {
        self.registry(name)?.request_refresh(accept);
        let mut response = if Form::accepted(&request.headers) == Form::Page {
            self.see_registry(name, request.uri.path())
        } else {
            let mut response = self.responder.momentary(to_line(&Asked { name, refresh: "requested", accept }));
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        };
        response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
        Ok(response)
    }

    /// Leads a browser that has sent a form to the registry's page, so that reading that again does nothing.
    fn see_registry(&self, name: &str, path: &str) -> Response<Body> {
        let mut response = self.responder.momentary("");
        // A name that is configured has nothing in it that a URL has to escape.
        let location = format!("{}dashboard/registries/{name}", self.root(path).unwrap_or_default());
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(LOCATION, super::respond::header(&location));
        response
    }

    fn registry(&self, name: &str) -> Result<&Arc<Registry>, Problem> {
        let found = self.registries.iter().find(|registry| registry.name() == name);
        found.ok_or_else(|| Problem::NotFound("No registry of that name is configured".into()))
    }
}
