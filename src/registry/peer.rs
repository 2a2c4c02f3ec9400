//! A proxy like ours, asked once by a command: one request, one answer, within bounds. It follows no redirects.

use std::time::Duration;

use http::HeaderValue;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use url::Url;

use super::body::{self, IncomingBody};
use super::client::classify;
use super::error::FetchError;
use super::limits::Limits;
use super::network::Network;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Sends JSON to a proxy, and gives the body of its answer.
///
/// # Errors
/// When it cannot be reached, does not answer in time, or answers with another status than 200.
pub async fn post(network: &Network, url: &Url, body: Vec<u8>, timeout: Duration) -> Result<Vec<u8>, FetchError> {
    let client = network.builder().build().map_err(|error| classify(&error, timeout))?;
    let request = client.post(url.clone()).header(CONTENT_TYPE, JSON).header(ACCEPT, JSON);
    let request = request.header(ACCEPT_ENCODING, body::OFFERED).timeout(timeout).body(body);
    let mut response = request.send().await.map_err(|error| classify(&error, timeout))?;
    if response.status() != http::StatusCode::OK {
        return Err(FetchError::Status { status: response.status().as_u16(), retry_after: None });
    }
    let mut body = IncomingBody::new(response.headers(), Limits::default())?;
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error, timeout))? {
        body.push(&chunk)?;
    }
    body.finish()
}
