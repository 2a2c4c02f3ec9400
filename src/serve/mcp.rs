//! `POST /mcp`: an MCP server over the catalog, for agents that look for servers by themselves (Streamable HTTP). There
//! are no sessions: a request stands alone, any replica can answer it, and every answer is one JSON document.
//!
//! In reading order: `origin` whose pages may ask, `message` what no SDK is asked about, `tools` what there is to call,
//! `search`, `entry`, `registries` and `verdicts` one tool each, `summary` an entry in a few words, `words` texts of
//! strangers. What a message means, which versions of the protocol there are, and which headers they want is the SDK's
//! matter (`rmcp`). It runs a task of its own for each request, which ends with that request.

mod entry;
mod message;
mod origin;
mod registries;
mod search;
mod summary;
mod tools;
mod verdicts;
mod words;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::time::timeout;

use super::error::Problem;
use super::reading::MAX_BODY_BYTES;
use super::respond::JSON;
use super::{Answered, Service};
pub(super) use origin::Pages;
use tools::Tools;

/// The room for messages that are answered at a time, in KiB: 64 small ones, or eight of the largest. What is read of one
/// may take thirty times its bytes, so all of them take 240 MiB at most.
pub(super) const ROOM_KIB: usize = 8 << 10;
/// What a message takes of it at least, in KiB: what it takes besides its bytes, and small ones are bounded in number.
const LEAST_KIB: usize = 128;
/// How long an answer may take: longer than any tool waits, for registries or for its turn.
const MAX_TIME: Duration = Duration::from_secs(15);
/// What the SDK wants a client to accept. It is answered with JSON alone, so that is all that ours have to.
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// What a message takes of the room for messages, in KiB.
fn room_of(body: &[u8]) -> u32 {
    // A body is bounded long before that.
    u32::try_from(body.len().div_ceil(1 << 10).max(LEAST_KIB)).unwrap_or(u32::MAX)
}

/// An answer of the SDK's.
struct Spoken {
    status: StatusCode,
    is_json: bool,
    body: Bytes,
}

impl Service {
    /// Lets a message come in, or refuses it before its body is read.
    pub(super) fn admit_message(&self, request: &Parts) -> Result<(), Problem> {
        self.pages.check(request)?;
        message::check_accept(&request.headers)
    }

    /// Answers a message.
    pub(super) async fn converse(self: &Arc<Self>, request: &Parts, body: Bytes) -> Result<Answered, Problem> {
        let room = Arc::clone(&self.core.conversations).try_acquire_many_owned(room_of(&body));
        let seat = room.map_err(|_| Problem::Overloaded)?;
        if let Err(refusal) = message::check(&body) {
            return Ok(Answered::With(self.responder.spoken(StatusCode::BAD_REQUEST, Some(refusal.into()))));
        }
        let spoken = timeout(MAX_TIME, self.speak(request, body)).await.map_err(|_| Problem::Overloaded)?;
        drop(seat);
        let Spoken { status, is_json, body } = spoken;
        match status {
            // Its own refusals are plain text; those of the protocol are JSON.
            _ if is_json => Ok(Answered::With(self.responder.spoken(status, Some(body)))),
            StatusCode::ACCEPTED => Ok(Answered::With(self.responder.spoken(status, None))),
            StatusCode::BAD_REQUEST => Err(Problem::BadRequest(words::clean(&String::from_utf8_lossy(&body)).into())),
            _ => {
                tracing::error!(%status, "the MCP SDK has no answer");
                Err(Problem::Internal)
            }
        }
    }

    /// Lets the SDK answer.
    async fn speak(self: &Arc<Self>, request: &Parts, body: Bytes) -> Spoken {
        let tools = Tools::new(Arc::clone(self), request.clone());
        // Names of hosts are checked by `guard`, and those of pages by `origin`.
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_sse_keep_alive(None)
            .with_max_request_body_bytes(MAX_BODY_BYTES)
            .disable_allowed_hosts();
        let sdk = StreamableHttpService::new(move || Ok(tools.clone()), Arc::<NeverSessionManager>::default(), config);
        let mut head = request.clone();
        head.headers.insert(ACCEPT, BOTH);
        head.headers.insert(CONTENT_TYPE, JSON);
        let (head, body) = sdk.handle(Request::from_parts(head, Full::new(body))).await.into_parts();
        let is_json = head.headers.get(CONTENT_TYPE).is_some_and(|value| value == JSON);
        let Ok(collected) = body.collect().await;
        Spoken { status: head.status, is_json, body: collected.to_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_have_room_and_large_ones_take_it() {
        let at_once = |bytes: usize| ROOM_KIB / room_of(&vec![0; bytes]) as usize;
        assert_eq!([0, 1, 64 << 10, 128 << 10].map(at_once), [64; 4]);
        assert_eq!([(128 << 10) + 1, 512 << 10, MAX_BODY_BYTES].map(at_once), [63, 16, 8]);
    }
}
