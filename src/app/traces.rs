//! Turning traces on, where the environment says so.

use crate::config;
use crate::registry::Network;
use crate::telemetry::Traces;
use crate::trace;

/// Starts sending spans, if they are to go somewhere. What stands in the way costs the traces, and nothing else: the
/// variables are often set for a whole machine.
pub(super) fn start(wanted: &config::Traces, network: &Network) -> Option<Traces> {
    let collector = match wanted {
        config::Traces::Off => return None,
        config::Traces::Wrong(problem) => {
            tracing::warn!(problem, "there are no traces");
            return None;
        }
        config::Traces::To(collector) => collector,
    };
    let client = network.client_of_collector().map_err(|error| error.to_string());
    match client.and_then(Traces::start) {
        Ok(traces) => {
            trace::turn_on(traces.tracer());
            tracing::info!(collector, "traces are sent, as OTLP over HTTP");
            Some(traces)
        }
        Err(problem) => {
            tracing::warn!(problem, "there are no traces");
            None
        }
    }
}
