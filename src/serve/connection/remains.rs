//! What a client still sends of a body that nobody wants, or wants no more of (HTTP/2): a task reads it and throws it
//! away.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::linger::MAX_LINGER_BYTES;

/// Where what is left of the bodies of a connection is read, as long as that lives.
#[derive(Clone, Debug)]
pub(super) struct Remains {
    running: Weak<Mutex<JoinSet<()>>>,
    limit: Duration,
}

impl Remains {
    /// Each body has so long. The connection holds the tasks: what is held here ends with it.
    pub(super) fn new(running: &Arc<Mutex<JoinSet<()>>>, limit: Duration) -> Self {
        Self { running: Arc::downgrade(running), limit }
    }

    /// Reads a body and throws it away, within the bounds that hold after the last answer of a connection too. A body
    /// that is dropped at once ends its stream with `RST_STREAM(NO_ERROR)` right behind the answer (RFC 9113 §8.1),
    /// and common clients then report a broken connection in place of that answer.
    pub(super) fn discard(&self, body: Incoming) {
        let (Some(running), Ok(_)) = (self.running.upgrade(), Handle::try_current()) else { return };
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended; hyper bounds how many have not, by their streams.
        while running.try_join_next().is_some() {}
        let limit = self.limit;
        running.spawn(async move {
            let _ = timeout(limit, discard(body)).await;
        });
    }
}

async fn discard(mut body: Incoming) {
    let mut left = MAX_LINGER_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, bytes::Bytes::len);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}
