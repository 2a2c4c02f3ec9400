//! What bare hyper is to answer: what the proxy answered to the same request, taken before anything is measured.

use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::client::Reply;

/// One port's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) port: u16,
    pub(crate) is_http2: bool,
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// The file that has it.
    pub(crate) body: PathBuf,
}

impl Answer {
    /// The same answer at a port, kept in that directory.
    pub(crate) fn of(reply: &Reply, port: u16, is_http2: bool, directory: &Path) -> Outcome<Self> {
        let body = directory.join(format!("answer-{port}"));
        std::fs::write(&body, &reply.body)?;
        // hyper gives these two itself, here as in the proxy.
        let own = ["date", "content-length"];
        let headers = reply.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let headers = headers.map(|(name, value)| Ok((name.to_string(), value.to_str()?.to_owned())));
        Ok(Self { port, is_http2, status: reply.status, headers: headers.collect::<Outcome<_>>()?, body })
    }

    pub(crate) fn headers(&self) -> Outcome<HeaderMap> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| Ok((name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?))).collect()
    }
}
