//! The streams of an HTTP/2 connection: one task answers each, and another one reads what the client still sends of
//! a body that nobody wants. They end with the connection.

use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::deadlines::Deadlines;
use super::linger::MAX_LINGER_BYTES;

/// Where hyper runs the requests of a connection.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    running: Arc<Mutex<JoinSet<()>>>,
    deadlines: Deadlines,
}

impl Streams {
    pub(super) fn new(deadlines: Deadlines) -> Self {
        Self { running: Arc::default(), deadlines }
    }

    /// Reads a body and throws it away, within the bounds that hold after the last answer of a connection too. A body
    /// that is dropped at once ends its stream with `RST_STREAM(NO_ERROR)` right behind the answer (RFC 9113 §8.1),
    /// and common clients then report a broken connection in place of that answer.
    pub(super) fn discard(&self, body: Incoming) {
        let limit = self.deadlines.linger;
        self.spawn(async move {
            let _ = timeout(limit, discard(body)).await;
        });
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended; hyper bounds how many have not, by their streams.
        while let Some(ended) = running.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a request panicked");
            }
        }
        running.spawn(task);
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.spawn(stream);
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
