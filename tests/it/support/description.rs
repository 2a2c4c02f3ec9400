//! The API's description, to hold answers against: their status, their headers, their content type, their body.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::http::Reply;
use super::proxy::Proxy;

/// Headers of the connection and of the message; every HTTP answer may have them.
const OF_EVERY_MESSAGE: [&str; 6] =
    ["connection", "keep-alive", "transfer-encoding", "date", "content-length", "content-type"];

/// The description that a proxy serves.
pub(crate) struct Description(Value);

impl Description {
    pub(crate) async fn of(proxy: &Proxy) -> Self {
        Self(proxy.json("/openapi.json").await)
    }

    /// The described paths, each with its methods.
    pub(crate) fn paths(&self) -> BTreeMap<&str, Vec<Method>> {
        let paths = self.0["paths"].as_object().expect("paths").iter();
        let methods = |item: &Value| {
            let members = item.as_object().expect("a path item").keys();
            let methods = members.filter(|key| *key != "parameters").map(|key| key.to_ascii_uppercase());
            methods.map(|method| method.parse().expect("a method")).collect()
        };
        paths.map(|(path, item)| (path.as_str(), methods(item))).collect()
    }

    /// Every status that is described for some route.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        let items =
            self.0["paths"].as_object().expect("paths").values().flat_map(|item| item.as_object().expect("item"));
        let statuses =
            items.filter_map(|(_, operation)| operation.get("responses")?.as_object()).flat_map(|all| all.keys());
        let mut statuses: Vec<u16> = statuses.map(|status| status.parse().expect("a status")).collect();
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    /// The requests of the examples: what `curl` is given.
    pub(crate) fn examples(&self) -> Vec<String> {
        let operations = self.0["paths"].as_object().expect("paths").values().filter_map(|item| item.get("get"));
        let samples = operations.filter_map(|operation| operation["x-codeSamples"].as_array()).flatten();
        let targets = samples.map(|sample| {
            let source = sample["source"].as_str().expect("a command");
            let target = source.strip_prefix("curl 'http://127.0.0.1:8080").and_then(|rest| rest.strip_suffix('\''));
            target.unwrap_or_else(|| panic!("an example of another form: {source}")).to_owned()
        });
        targets.collect()
    }

    fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        let pointer = node["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        pointer.map_or(node, |pointer| self.0.pointer(pointer).expect("references point to something"))
    }

    /// Holds an answer against what is described for a path. A method that is not described has the answers
    /// of one that is.
    #[track_caller]
    pub(crate) fn check(&self, path: &str, method: &Method, target: &str, reply: &Reply) {
        let what = format!("{method} {target} -> {} {:?}", reply.status, reply.headers);
        let item = &self.0["paths"][path];
        let own = item.get(method.as_str().to_ascii_lowercase());
        let operation = own.or_else(|| item.as_object()?.values().find(|member| member.is_object()));
        let responses = &operation.unwrap_or_else(|| panic!("{path} is not described"))["responses"];
        let response = responses.get(reply.status.to_string());
        let response = self.resolve(response.unwrap_or_else(|| panic!("{what}: the status is not described")));
        let described: Vec<&String> =
            response["headers"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
        for name in reply.headers.keys().map(http::HeaderName::as_str) {
            let is_described = described.iter().any(|known| known.eq_ignore_ascii_case(name));
            assert!(is_described || OF_EVERY_MESSAGE.contains(&name), "{what}: {name} is not described");
        }
        if !reply.body.is_empty() {
            self.check_body(response, &what, reply);
        }
    }

    #[track_caller]
    fn check_body(&self, response: &Value, what: &str, reply: &Reply) {
        let content_type = reply.header("content-type").split(';').next().unwrap_or_default();
        let described = &response["content"][content_type];
        assert!(described.is_object(), "{what}: the content type is not described");
        if content_type.ends_with("json") {
            // The schema's references point into the whole document.
            let schema = json!({ "components": self.0["components"], "allOf": [described["schema"]] });
            let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
            let body = reply.json();
            let errors: Vec<String> = validator.iter_errors(&body).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{what}: {errors:?} in {body}");
        }
    }
}
