//! The routes that take a body: what is refused before it is read, and who reads it. What its bytes mean, others know.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::connection::{Posted, Unread};
use super::error::Problem;
use super::{Answered, Service};
use crate::inspect::server_json;

/// The largest body that is read. The official server's is the same.
pub(super) const MAX_BODY_BYTES: usize = 1 << 20;

/// Who reads a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The API's validation of a `server.json`.
    ServerJson,
    /// Verdicts on the servers of a client's configuration.
    Configuration,
    /// A message to the MCP server that the catalog is.
    Message,
}

/// What a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    Toml,
}

impl Reading {
    /// The types of bodies that it reads.
    fn media(self) -> &'static [Media] {
        match self {
            Self::ServerJson | Self::Message => &[Media::Json],
            Self::Configuration => &[Media::Json, Media::Toml],
        }
    }
}

impl Media {
    const ALL: [Self; 2] = [Self::Json, Self::Toml];

    /// Its name, as in `Content-Type`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Toml => "application/toml",
        }
    }

    /// The one of a request. Without a type it is JSON, as for the official server, and so is what ends with `+json`
    /// (RFC 6839).
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let Some(named) = types.next() else { return Some(Self::Json) };
        if types.next().is_some() {
            return None;
        }
        let essence = named.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
        let (_, subtype) = essence.split_once('/')?;
        let suffix = subtype.rsplit_once('+').map(|(_, suffix)| format!("application/{suffix}"));
        Self::ALL.into_iter().find(|media| media.name() == essence || suffix.as_deref() == Some(media.name()))
    }
}

impl From<Unread> for Problem {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLong => Self::ContentTooLarge { most: MAX_BODY_BYTES },
            Unread::Late => Self::RequestTimeout,
            Unread::Broken => Self::BadRequest("The request's body broke off, or is framed wrongly.".into()),
            Unread::NoRoom => Self::Overloaded,
        }
    }
}

impl Service {
    /// Reads the body that a route takes, and answers.
    pub(super) async fn read(
        self: &Arc<Self>,
        request: &Parts,
        posted: Option<Box<Posted>>,
        reading: Reading,
    ) -> Result<Answered, Problem> {
        let media = judge(&request.headers, reading.media())?;
        if reading == Reading::Message {
            self.admit_message(request)?;
        }
        let collected = match posted {
            Some(posted) => Some(posted.collect(MAX_BODY_BYTES).await?),
            None => None,
        };
        let bytes = collected.as_ref().map(|collected| &collected.bytes).filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or(Problem::BadRequest("This method needs a body.".into()))?;
        match reading {
            Reading::ServerJson => self.answer_to(bytes),
            Reading::Configuration => self.validate(media, bytes.clone()).await,
            // In a box: other requests that wait need not carry what the SDK takes.
            Reading::Message => Box::pin(self.converse(request, bytes.clone())).await,
        }
    }

    /// Answers to a body. What takes long here holds up a thread of the runtime: a body as large as they get, some
    /// milliseconds.
    fn answer_to(&self, body: &Bytes) -> Result<Answered, Problem> {
        let report = server_json::validate(body)
            .map_err(|error| Problem::BadRequest(format!("The body is not JSON: {error}.").into()))?;
        Ok(self.momentary(super::registries::to_line(&report)))
    }
}

/// Finds out what a body is written in, or refuses it before it is read.
fn judge(headers: &HeaderMap, taken: &'static [Media]) -> Result<Media, Problem> {
    let is_identity = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        return Err(Problem::EncodedContent);
    }
    Media::of(headers).filter(|media| taken.contains(media)).ok_or(Problem::UnsupportedMediaType { taken })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_judged_by_their_type_and_their_coding() {
        use Media::{Json, Toml};
        for (headers, taken, expected) in [
            (&[][..], &[Json][..], Ok(Json)),
            (&[("content-type", "application/json")], &[Json], Ok(Json)),
            (&[("content-type", "Application/JSON; charset=utf-8")], &[Json, Toml], Ok(Json)),
            (&[("content-type", "application/problem+json")], &[Json], Ok(Json)),
            (&[("content-type", "application/toml")], &[Json, Toml], Ok(Toml)),
            (&[("content-type", "application/toml")], &[Json], Err(415)),
            (&[("content-type", "text/plain")], &[Json], Err(415)),
            (&[("content-type", "json")], &[Json], Err(415)),
            (&[("content-type", "")], &[Json], Err(415)),
            (&[("content-type", "application/json"), ("content-type", "application/json")], &[Json], Err(415)),
            (&[("content-encoding", "identity")], &[Json], Ok(Json)),
            (&[("content-encoding", "gzip")], &[Json], Err(415)),
            (&[("content-encoding", "identity"), ("content-encoding", "br")], &[Json], Err(415)),
            (&[("content-encoding", "")], &[Json], Err(415)),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_static(value));
            }
            let judged = judge(&map, taken).map_err(|problem| problem.status().as_u16());
            assert_eq!(judged, expected, "{headers:?}");
        }
    }
}
