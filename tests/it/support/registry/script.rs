//! How a registry may behave, and when.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::Seen;

/// How one request is answered.
#[derive(Clone)]
pub(crate) enum Behaviour {
    /// As the official registry does.
    Behave,
    /// So too, but only after this long.
    Slow(Duration),
    /// So too, but only once the test says `release`.
    Hold,
    /// As the official registry does, with further headers.
    Headers(Vec<(&'static str, String)>),
    /// With a status and headers, and no list.
    Status(u16, Vec<(&'static str, String)>),
    /// With status 200 and this body.
    Body(&'static str, Bytes),
    /// With status 200, this `ETag`, and this JSON.
    Tagged(String, Bytes),
    /// With a redirect to that location.
    Redirect(String),
    /// Not at all: the connection is closed.
    CloseBeforeResponse,
    /// Not at all: the connection is reset.
    Reset,
    /// With the first half of the list, after which the connection breaks off.
    Truncated,
    /// With these bytes, whether they are HTTP or not (over HTTP/2: not at all).
    Wire(Wire),
    /// As the official registry does, after which the connection takes no further requests (HTTP/2: GOAWAY).
    LastOne,
    /// With the behaviour that the request calls for.
    Depends(Arc<dyn Fn(&Seen) -> Self + Send + Sync>),
}

/// What goes over the wire in place of an answer.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) bytes: Bytes,
    /// How long before each byte; none: all at once.
    pub(crate) interval: Option<Duration>,
    pub(crate) end: End,
}

/// What becomes of the connection after it.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Close,
    Reset,
    /// Nothing, for as long as the other side waits.
    Silence,
}

impl Behaviour {
    /// Bytes, and then the end of the connection.
    pub(crate) fn wire(bytes: impl Into<Bytes>, end: End) -> Self {
        Self::Wire(Wire { bytes: bytes.into(), interval: None, end })
    }

    /// Bytes one by one.
    pub(crate) fn drip(bytes: impl Into<Bytes>, interval: Duration) -> Self {
        Self::Wire(Wire { bytes: bytes.into(), interval: Some(interval), end: End::Close })
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }

    pub(crate) fn json(document: &Value) -> Self {
        Self::Body("application/json", document.to_string().into())
    }

    pub(crate) fn text(document: &str) -> Self {
        Self::Body("application/json", Bytes::copy_from_slice(document.as_bytes()))
    }

    pub(crate) fn depends(decide: impl Fn(&Seen) -> Self + Send + Sync + 'static) -> Self {
        Self::Depends(Arc::new(decide))
    }
}

/// A behaviour and the requests that it is for.
pub(super) struct Rule {
    /// For how many more requests; none means for all.
    pub(super) left: Option<usize>,
    pub(super) matches: Box<dyn Fn(&Seen) -> bool + Send>,
    pub(super) then: Behaviour,
}

/// The behaviour that the script has for a request.
pub(super) fn decide(script: &mut [Rule], seen: &Seen) -> Behaviour {
    let rule = script.iter_mut().find(|rule| rule.left != Some(0) && (rule.matches)(seen));
    let Some(rule) = rule else { return Behaviour::Behave };
    rule.left = rule.left.map(|left| left - 1);
    match &rule.then {
        Behaviour::Depends(decide) => decide(seen),
        behaviour => behaviour.clone(),
    }
}
