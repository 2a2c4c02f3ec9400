//! Where spans go: through a bounded queue to one thread, which sends them to a collector as OTLP over HTTP. A collector
//! that is down, slow or wrong costs spans, a line in the log now and then, and nobody time.
//!
//! The SDK reads what there is to be set of sampling, of the queue and of the resource from the environment by itself
//! (`OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`, `OTEL_EXPORTER_OTLP_…`); whether
//! there are traces at all, `config` decides.
//!
//! Unless `OTEL_TRACES_SAMPLER` says otherwise, the SDK samples by the parent, and all that has none
//! (`parentbased_always_on`). So whoever asks in public decides by the flag in `traceparent` whether his request is traced.
//! Where that is too much, `traceidratio` with `OTEL_TRACES_SAMPLER_ARG` asks nobody; what the queue has no room for is
//! lost in any case.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::{Builder, Runtime};

const NAME: &str = "mcp-registry-proxy";
/// How long one request to the collector may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the end of the process waits for the last spans to be taken.
const LAST_EXPORT: Duration = Duration::from_secs(1);
/// The most of a collector's answer that is read: it has nothing to say but how many spans it refuses.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// How often the log says that spans cannot be sent, at most.
const SAY_INTERVAL: Duration = Duration::from_mins(5);

/// Requests to the collector that it took, and that failed.
static EXPORTS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// How many requests the collector of traces took, and how many failed, since the start.
#[must_use]
pub fn trace_exports() -> (u64, u64) {
    let [taken, failed] = &EXPORTS;
    (taken.load(Ordering::Relaxed), failed.load(Ordering::Relaxed))
}

/// The sending of spans.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts it. `client` is how the collector is reached; where it is, the environment says.
    ///
    /// # Errors
    /// What is wrong with the environment, in words.
    pub fn start(client: reqwest::Client) -> Result<Self, String> {
        let collector = Collector { client, runtime: Mutex::default(), trouble: Mutex::default() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_protocol(Protocol::HttpBinary)
            .build()
            .map_err(|error| error.to_string())?;
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
        Ok(Self(provider))
    }

    /// What makes the spans.
    #[must_use]
    pub fn tracer(&self) -> SdkTracer {
        self.0.tracer(NAME)
    }

    /// Sends what is left, for a second at most. It holds up the thread.
    pub fn finish(&self) {
        // What could not be sent has been said, or is no news any more.
        let _ = self.0.shutdown_with_timeout(LAST_EXPORT);
    }
}

/// What the spans are of. The environment has the last word.
fn resource() -> Resource {
    let resource = Resource::builder().build();
    let name = resource.get(&Key::from_static_str("service.name")).map(|name| name.to_string());
    let is_named = name.is_some_and(|name| !name.starts_with("unknown_service"));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let is_versioned = resource.get(&version.key).is_some();
    let mut builder = Resource::builder();
    if !is_named {
        builder = builder.with_service_name(NAME);
    }
    if !is_versioned {
        builder = builder.with_attribute(version);
    }
    builder.build()
}

/// The collector, as the SDK's exporter reaches it.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    /// A runtime of its own, made and used by the thread that sends: nothing that the collector does is on a thread
    /// that serves.
    runtime: Mutex<Option<Runtime>>,
    trouble: Mutex<Trouble>,
}

/// What is known of the collector's trouble.
#[derive(Debug, Default)]
struct Trouble {
    is_failing: bool,
    said_at: Option<Instant>,
}

impl Trouble {
    /// Takes an outcome into account; says whether it is to be told.
    fn is_news(&mut self, has_failed: bool, now: Instant) -> bool {
        let has_changed = std::mem::replace(&mut self.is_failing, has_failed) != has_failed;
        // A collector that fails every other time is told of no more often than one that always does.
        let is_due = self.said_at.is_none_or(|said_at| SAY_INTERVAL <= now.saturating_duration_since(said_at));
        let is_news = if has_failed { is_due } else { has_changed && self.said_at.is_some() };
        if has_failed && is_news {
            self.said_at = Some(now);
        }
        is_news
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.send_here(request);
        let failure = match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answered with status {}", response.status().as_u16())),
            Err(reason) => Some(reason.clone()),
        };
        EXPORTS[usize::from(failure.is_some())].fetch_add(1, Ordering::Relaxed);
        self.tell(failure.as_deref());
        Ok(sent?)
    }
}

impl Collector {
    /// Sends a request, and holds up the thread until that has come to something.
    fn send_here(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let mut known = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = match known.take() {
            Some(runtime) => runtime,
            None => Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?,
        };
        known.insert(runtime).block_on(self.send(request))
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let request = reqwest::Request::try_from(request).map_err(|error| reason(&error))?;
        let sending = async {
            let mut answer = self.client.execute(request).await.map_err(|error| reason(&error))?;
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error))? {
                if MAX_ANSWER_BYTES < body.len() + chunk.len() {
                    return Err("its answer is too long".to_owned());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(response.map(|_| Bytes::from(body)))
        };
        let late = |_| Err(format!("no answer within {} s", EXPORT_TIMEOUT.as_secs()));
        tokio::time::timeout(EXPORT_TIMEOUT, sending).await.unwrap_or_else(late)
    }

    fn tell(&self, failure: Option<&str>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.is_news(failure.is_some(), Instant::now()) {
            if let Some(reason) = failure {
                tracing::warn!(
                    reason,
                    "the collector of traces takes nothing (`OTEL_EXPORTER_OTLP_ENDPOINT`); spans are lost, and nothing else"
                );
            } else {
                tracing::info!("the collector of traces takes spans again");
            }
        }
    }
}

/// The innermost cause: the outer ones quote the URL, which may hold a secret.
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_at_once_and_then_seldom_and_so_is_its_end() {
        let (mut trouble, start) = (Trouble::default(), Instant::now());
        let at = |second: u64| start + Duration::from_secs(second);
        assert!(!trouble.is_news(false, start), "all is well");
        assert!(trouble.is_news(true, at(1)));
        assert!(!trouble.is_news(true, at(6)));
        assert!(trouble.is_news(false, at(7)), "it is over");
        assert!(!trouble.is_news(false, at(8)));
        assert!(!trouble.is_news(true, at(9)), "so soon again");
        assert!(trouble.is_news(true, at(1 + SAY_INTERVAL.as_secs())));
    }
}
