//! Times how long connecting takes (DNS, TCP, TLS), which is the network stage of Test Connection.
//!
//! A probe's client keeps no connections, and one registry has one request in flight: what the
//! watch shows after a request is that request's connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

/// How far an attempt to connect has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Attempt {
    #[default]
    NotStarted,
    Connecting,
    Connected(Duration),
}

/// Shows how far the last connection attempt has come.
#[derive(Clone, Debug)]
pub(super) struct ConnectWatch(Arc<watch::Sender<Attempt>>);

impl Default for ConnectWatch {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Attempt::NotStarted)))
    }
}

impl ConnectWatch {
    pub(super) fn reset(&self) {
        self.set(Attempt::NotStarted);
    }

    pub(super) fn last_attempt(&self) -> Attempt {
        *self.0.borrow()
    }

    /// Waits until there is a connection, and says how long connecting took.
    pub(super) async fn connected(&self) -> Duration {
        let mut attempts = self.0.subscribe();
        loop {
            if let Attempt::Connected(duration) = *attempts.borrow_and_update() {
                return duration;
            }
            // The channel cannot close: we hold its sender.
            let _ = attempts.changed().await;
        }
    }

    fn set(&self, attempt: Attempt) {
        self.0.send_replace(attempt);
    }
}

impl<S> Layer<S> for ConnectWatch {
    type Service = Watched<S>;

    fn layer(&self, connector: S) -> Watched<S> {
        Watched { connector, watch: self.clone() }
    }
}

/// A connector whose attempts are timed.
#[derive(Clone, Debug)]
pub(super) struct Watched<S> {
    connector: S,
    watch: ConnectWatch,
}

impl<S, R> Service<R> for Watched<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let watch = self.watch.clone();
        let started = Instant::now();
        watch.set(Attempt::Connecting);
        let connecting = self.connector.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            watch.set(Attempt::Connected(started.elapsed()));
            Ok(connection)
        })
    }
}
