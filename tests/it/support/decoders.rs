//! What real clients demand of a page, as strictly as they do (clients.md §3): a page that one of these refuses
//! shows an empty gallery to somebody.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::entry::OFFICIAL;

/// A field that may be absent and must not be null.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A time as Go's `time.Time` and Java's `ISO_DATE_TIME` read it.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_strict = text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z');
    text.parse()
        .ok()
        .filter(|_| is_strict)
        .ok_or_else(|| D::Error::custom(format_args!("{text:?} is no RFC 3339 time")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<Server> {
    servers: Vec<Element<Server>>,
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default, deserialize_with = "present")]
    next_cursor: Option<String>,
    count: usize,
}

#[derive(Deserialize)]
struct Element<Server> {
    server: Server,
    _meta: Meta,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol.registry/official")]
    official: Official,
    #[serde(flatten)]
    _others: Map<String, Value>,
}

/// The Copilot language server's model is closed (`additionalProperties: false`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Official {
    status: Status,
    #[serde(rename = "statusChangedAt", deserialize_with = "time")]
    _status_changed_at: Timestamp,
    #[serde(rename = "statusMessage", default, deserialize_with = "present")]
    _status_message: Option<String>,
    #[serde(rename = "publishedAt", deserialize_with = "time")]
    _published_at: Timestamp,
    #[serde(rename = "updatedAt", deserialize_with = "time")]
    _updated_at: Timestamp,
    #[serde(rename = "isLatest")]
    _is_latest: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Deprecated,
    Deleted,
}

/// Go's structs: any wrong type anywhere fails the page; null is absent, unknown is ignored.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct GoServer {
    name: String,
    description: String,
    version: String,
    title: Option<String>,
    website_url: Option<String>,
    repository: Option<BTreeMap<String, String>>,
    icons: Option<Vec<GoIcon>>,
    packages: Option<Vec<GoPackage>>,
    remotes: Option<Vec<GoTransport>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct GoIcon {
    src: String,
    mime_type: Option<String>,
    sizes: Option<Vec<String>>,
    theme: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct GoPackage {
    registry_type: String,
    identifier: String,
    version: Option<String>,
    file_sha256: Option<String>,
    transport: Option<GoTransport>,
    runtime_arguments: Option<Vec<GoInput>>,
    package_arguments: Option<Vec<GoInput>>,
    environment_variables: Option<Vec<GoInput>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct GoTransport {
    r#type: String,
    url: Option<String>,
    headers: Option<Vec<GoInput>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct GoInput {
    name: Option<String>,
    value: Option<String>,
    default: Option<String>,
    is_required: Option<bool>,
    is_secret: Option<bool>,
    choices: Option<Vec<String>>,
}

/// Swift's `Codable` and Pydantic's models: absent is fine, null is not; enumerations are closed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StrictServer {
    name: String,
    description: String,
    version: String,
    #[serde(rename = "title", default, deserialize_with = "present")]
    _title: Option<String>,
    #[serde(rename = "repository", default, deserialize_with = "present")]
    _repository: Option<Repository>,
    #[serde(rename = "packages", default, deserialize_with = "present")]
    _packages: Option<Vec<StrictPackage>>,
    #[serde(rename = "remotes", default, deserialize_with = "present")]
    _remotes: Option<Vec<StrictRemote>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Repository {
    Whole {
        #[serde(rename = "url")]
        _url: String,
        #[serde(rename = "source")]
        _source: String,
    },
    Empty {},
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StrictPackage {
    #[serde(rename = "registryType")]
    _registry_type: String,
    #[serde(rename = "identifier")]
    _identifier: String,
    #[serde(rename = "transport")]
    _transport: StrictTransport,
}

#[derive(Deserialize)]
struct StrictTransport {
    #[serde(rename = "type")]
    _type: Transport,
}

#[derive(Deserialize)]
struct StrictRemote {
    #[serde(rename = "type")]
    _type: RemoteTransport,
    #[serde(rename = "url")]
    _url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Transport {
    Stdio,
    Sse,
    StreamableHttp,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RemoteTransport {
    Sse,
    StreamableHttp,
}

fn decode<T: DeserializeOwned>(client: &str, body: &str) -> T {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{client} cannot decode the page: {error}\n{body}"))
}

/// What every client that decodes into Go's types demands (ToolHive, Docker, go-mcp-registry).
#[track_caller]
pub(crate) fn go(body: &str) {
    let page: Page<GoServer> = decode("Go", body);
    assert_eq!(page.metadata.count, page.servers.len());
    assert!(page.metadata.next_cursor.is_none_or(|cursor| !cursor.is_empty()));
    assert!(page.servers.iter().all(|element| serde_json::to_string(&element.server).is_ok()));
}

/// What Xcode (Swift), Pydantic and the Copilot language server's models demand. The page must not hold values
/// of enumerations that they do not know, which pass verbatim.
#[track_caller]
pub(crate) fn strict(body: &str) {
    let page: Page<StrictServer> = decode("a strict client", body);
    for Element { server, _meta: meta } in &page.servers {
        assert!([&server.name, &server.description, &server.version].iter().all(|text| !text.is_empty()));
        assert!(meta.official.status != Status::Deleted);
    }
}

/// What VS Code demands: `_meta` and `metadata` are objects, the first element has its three texts.
#[track_caller]
pub(crate) fn vs_code(body: &str) {
    let page: Value = decode("VS Code", body);
    let metadata = page["metadata"].as_object().expect("`metadata` is an object");
    assert!(metadata.get("nextCursor").is_none_or(Value::is_string), "{metadata:?}");
    for element in page["servers"].as_array().expect("`servers` is an array") {
        assert!(element["_meta"].is_object() && element["_meta"][OFFICIAL].is_object(), "{element}");
        let text = |field: &str| element["server"][field].as_str().unwrap_or_default();
        assert!(["name", "description", "version"].iter().all(|field| !text(field).is_empty()), "{element}");
    }
}

/// What Copilot CLI demands of the one version that it looks up before it lets a server run.
#[track_caller]
pub(crate) fn copilot_cli(body: &str, name: &str) {
    let entry: Value = decode("Copilot CLI", body);
    let server = &entry["server"];
    assert_eq!(server["name"], name);
    for (list, fields) in [("packages", &["registryType", "identifier"][..]), ("remotes", &["url"])] {
        let Some(list) = server.get(list) else { continue };
        let elements = list.as_array().expect("an array, if it is there");
        assert!(elements.iter().all(|element| fields.iter().all(|field| element[*field].is_string())), "{server}");
    }
}
