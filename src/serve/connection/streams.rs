//! The streams of an HTTP/2 connection: one task answers each, and another one reads what the client still sends of
//! a body that nobody wants. They end with the connection.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::deadlines::Deadlines;
use super::linger::MAX_LINGER_BYTES;

tokio::task_local! {
    /// When the client last took a part of the answer that this task sends.
    static PROGRESS: Cell<Instant>;
}

/// A part of an answer was taken. Over HTTP/1, whose only answer is its connection's, this is nobody's business.
pub(super) fn progressed() {
    let _ = PROGRESS.try_with(|progress| progress.set(Instant::now()));
}

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
        self.spawn(PROGRESS.scope(Cell::new(Instant::now()), unless_stalled(stream, self.deadlines.stall)));
    }
}

/// Sends an answer, unless the client takes nothing of it for so long: then its stream is reset, however busy the
/// others of the connection are.
async fn unless_stalled(stream: impl Future<Output = ()>, limit: Duration) {
    let stalled = async {
        loop {
            let ends_at = PROGRESS.with(Cell::get) + limit;
            if ends_at <= Instant::now() {
                return;
            }
            sleep_until(ends_at).await;
        }
    };
    tokio::select! {
        biased;
        () = stream => {}
        () = stalled => tracing::debug!("reset a stream whose answer nobody takes"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_given_up_when_nothing_of_it_is_taken_for_long() {
        let started = Instant::now();
        let answer = async {
            for _ in 0..10 {
                sleep(Duration::from_secs(25)).await;
                progressed();
            }
            std::future::pending::<()>().await;
        };
        PROGRESS.scope(Cell::new(started), unless_stalled(answer, Duration::from_secs(30))).await;
        assert_eq!(started.elapsed().as_secs(), 280, "30 s after the last part");
    }
}
