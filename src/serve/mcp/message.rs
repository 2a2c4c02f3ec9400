//! What the SDK is not asked about: clients that take no JSON, and bodies that are no message. The protocol's own
//! errors say why (JSON-RPC 2.0 §5.1).

use http::HeaderMap;
use http::header::ACCEPT;
use rmcp::model::{ClientJsonRpcMessage, ErrorData, JsonRpcError, RequestId};
use serde_json::Value;

use super::super::error::Problem;
use super::words;

/// The media types that answers have, whatever stands in their place.
const TAKEN: [&str; 3] = ["application/json", "application/*", "*/*"];

/// Refuses a client that takes no JSON. The protocol wants clients to accept a stream of events too; there is none.
pub(super) fn check_accept(headers: &HeaderMap) -> Result<(), Problem> {
    let mut ranges = headers.get_all(ACCEPT).iter().flat_map(|value| value.to_str().unwrap_or_default().split(','));
    let is_taken = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let is_refused = parts.any(|parameter| {
            let weight = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
            weight.and_then(|weight| weight.parse::<f32>().ok()).is_some_and(|weight| weight <= 0.0)
        });
        TAKEN.contains(&essence.as_str()) && !is_refused
    };
    if !headers.contains_key(ACCEPT) || ranges.any(is_taken) { Ok(()) } else { Err(Problem::OnlyJson) }
}

/// The refusal of a body that is no message.
pub(super) fn check(body: &[u8]) -> Result<(), Vec<u8>> {
    let refuse = |id, error| Err(serde_json::to_vec(&JsonRpcError::new(id, error)).unwrap_or_default());
    let message: Value = match serde_json::from_slice(body) {
        Ok(message) => message,
        Err(error) => {
            return refuse(None, ErrorData::parse_error(format!("The body is not JSON: {error}."), None));
        }
    };
    if message.is_array() {
        let advice = "Batches are not a part of MCP since 2025-06-18: send one message at a time.";
        return refuse(None, ErrorData::invalid_request(advice, None));
    }
    let id = message.get("id").cloned().and_then(|id| serde_json::from_value::<RequestId>(id).ok());
    match serde_json::from_value::<ClientJsonRpcMessage>(message) {
        Ok(_) => Ok(()),
        Err(error) => {
            let reason = words::wrong(&error);
            refuse(id, ErrorData::invalid_request(format!("The body is no message of MCP: {reason}."), None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn clients_must_take_json() {
        let check = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(ACCEPT, HeaderValue::from_static(value));
            }
            check_accept(&headers).map_err(|problem| problem.status().as_u16())
        };
        for good in [
            &[][..],
            &["application/json, text/event-stream"],
            &["text/event-stream", "application/json"],
            &["Application/JSON;q=0.5"],
            &["application/*"],
            &["text/html, */*;q=0.1"],
        ] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for bad in
            [&[""][..], &["text/event-stream"], &["text/html"], &["application/json;q=0"], &["application/jsonx"]]
        {
            assert_eq!(check(bad), Err(406), "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused_in_the_protocols_words() {
        let refused = |body: &str| {
            let refusal = check(body.as_bytes()).err()?;
            let refusal: Value = serde_json::from_slice(&refusal).expect("JSON");
            Some((refusal["error"]["code"].as_i64().expect("a code"), refusal["id"].clone()))
        };
        assert_eq!(refused(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#), None);
        assert_eq!(refused(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#), None);
        for (body, code, id) in [
            ("", -32700, Value::Null),
            ("{", -32700, Value::Null),
            ("\u{feff}{}", -32700, Value::Null),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600, Value::Null),
            ("[]", -32600, Value::Null),
            ("{}", -32600, Value::Null),
            ("5", -32600, Value::Null),
            (r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, -32600, Value::from(7)),
            (r#"{"jsonrpc":"2.0","id":"a"}"#, -32600, Value::from("a")),
        ] {
            assert_eq!(refused(body), Some((code, id)), "{body}");
        }
        let secret = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":{"hunter2":"hunter2"}}}"#;
        let told = String::from_utf8(check(secret.as_bytes()).err().unwrap_or_default()).expect("text");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
