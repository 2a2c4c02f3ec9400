//! Where requests come in: the service of the moment, which another one replaces when the configuration changes.
//! Requests that are being answered stay with the one that they found.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::request::Parts;

use super::Service;
use super::connection::Posted;
use super::handling::{Handled, Noted};

/// The entrance of one listener.
#[derive(Debug)]
pub struct Entrance(ArcSwap<Service>);

impl Entrance {
    /// An entrance that leads to this service.
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self(ArcSwap::from_pointee(service))
    }

    /// Lets requests that come from now on find another service.
    pub fn replace(&self, service: Service) {
        self.0.store(Arc::new(service));
    }

    /// Answers one request that has no body; at once where nothing has to be waited for. Connections ask here, and so
    /// may whoever has a request and no connection.
    pub fn handle(&self, request: Parts) -> Handled {
        self.0.load().handle(request, None)
    }

    /// The same for a request that may have one, which is read if the route takes it.
    pub(super) fn handle_with(&self, request: Parts, posted: Option<Box<Posted>>) -> Handled {
        self.0.load().handle(request, posted)
    }

    /// Whether the answer to a request is there already, most likely: then it takes no work.
    pub(super) fn is_at_hand(&self, request: &Parts) -> bool {
        self.0.load().is_at_hand(request)
    }

    /// Answers one request for which there is no room.
    pub(super) fn refuse(&self, request: &HeaderMap) -> Noted {
        self.0.load().refuse(request)
    }
}
