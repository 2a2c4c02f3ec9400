//! Times how long connecting takes (DNS, TCP, TLS), which is the network stage of Test Connection.
//!
//! A probe's client keeps no connections, and one registry has one request in flight: what the
//! watch shows after a request is that request's connection.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

/// How far connecting has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Progress {
    #[default]
    NotStarted,
    Connecting,
    Connected(Duration),
}

/// Shows the progress of the last connection attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectWatch(Arc<Mutex<Progress>>);

impl ConnectWatch {
    pub(super) fn reset(&self) {
        self.set(Progress::NotStarted);
    }

    pub(super) fn progress(&self) -> Progress {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, progress: Progress) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = progress;
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
        watch.set(Progress::Connecting);
        let connecting = self.connector.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            watch.set(Progress::Connected(started.elapsed()));
            Ok(connection)
        })
    }
}
