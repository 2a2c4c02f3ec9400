//! The types of the known fields of `server` (registry-api.md §5). A value of another type fails the
//! decoders of real clients, and with it the whole page (clients.md §3); unknown fields, unknown values
//! and schema rules beyond the type are nobody's concern here.

use super::json::Json;

/// The type that a known field must have.
enum Shape {
    Text,
    Flag,
    List(&'static Self),
    /// An object with known fields; others pass.
    Object(&'static [(&'static str, Self)]),
    /// An object with arbitrary keys.
    Map(&'static Self),
    AnyObject,
}

use Shape::{AnyObject, Flag, List, Map, Object, Text};

/// Inputs, headers, environment variables and arguments: the union of their fields.
static INPUT: Shape = Object(&[
    ("name", Text),
    ("type", Text),
    ("valueHint", Text),
    ("isRepeated", Flag),
    ("description", Text),
    ("isRequired", Flag),
    ("format", Text),
    ("value", Text),
    ("isSecret", Flag),
    ("default", Text),
    ("placeholder", Text),
    ("choices", List(&Text)),
    ("variables", Map(&INPUT)),
]);

/// A remote, or the transport of a package.
const TRANSPORT_FIELDS: &[(&str, Shape)] =
    &[("type", Text), ("url", Text), ("headers", List(&INPUT)), ("variables", Map(&INPUT))];

static REMOTE: Shape = Object(TRANSPORT_FIELDS);

static PACKAGE: Shape = Object(&[
    ("registryType", Text),
    ("registryBaseUrl", Text),
    ("identifier", Text),
    ("version", Text),
    ("fileSha256", Text),
    ("runtimeHint", Text),
    ("transport", Object(TRANSPORT_FIELDS)),
    ("runtimeArguments", List(&INPUT)),
    ("packageArguments", List(&INPUT)),
    ("environmentVariables", List(&INPUT)),
]);

static ICON: Shape = Object(&[("src", Text), ("mimeType", Text), ("sizes", List(&Text)), ("theme", Text)]);

static SERVER: Shape = Object(&[
    ("$schema", Text),
    ("name", Text),
    ("description", Text),
    ("title", Text),
    ("version", Text),
    ("websiteUrl", Text),
    ("repository", Object(&[("url", Text), ("source", Text), ("id", Text), ("subfolder", Text)])),
    ("icons", List(&ICON)),
    ("packages", List(&PACKAGE)),
    ("remotes", List(&REMOTE)),
    ("_meta", Object(&[("io.modelcontextprotocol.registry/publisher-provided", AnyObject)])),
]);

/// Checks a `server` object.
///
/// # Errors
/// A sentence that names the first field of the wrong type by its path, what it is, and what it should be.
pub(super) fn check_server(server: &Json<'_>) -> Result<(), String> {
    check(server, &SERVER).map_err(|mismatch| {
        let path: String = mismatch.path.iter().rev().map(String::as_str).collect();
        format!("`server{path}` is {}; expected {}", mismatch.found, mismatch.expected)
    })
}

struct Mismatch {
    /// Innermost segment first.
    path: Vec<String>,
    found: &'static str,
    expected: &'static str,
}

impl Mismatch {
    /// It was found at this segment of the path.
    fn at(mut self, segment: String) -> Self {
        self.path.push(segment);
        self
    }
}

fn check(value: &Json<'_>, shape: &Shape) -> Result<(), Mismatch> {
    match (shape, value) {
        (Text, Json::Text(_)) | (Flag, Json::Bool(_)) | (AnyObject, Json::Object(_)) => Ok(()),
        (List(item), Json::List(items)) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| check(value, item).map_err(|it| it.at(format!("[{index}]")))),
        (Object(fields), Json::Object(members)) => members.iter().try_for_each(|(key, value)| {
            let Some((_, shape)) = fields.iter().find(|(known, _)| *known == key) else { return Ok(()) };
            check(value, shape).map_err(|it| it.at(format!(".{key}")))
        }),
        (Map(item), Json::Object(members)) => members
            .iter()
            .try_for_each(|(key, value)| check(value, item).map_err(|it| it.at(format!("[{:?}]", shorten(key))))),
        (shape, value) => Err(Mismatch { path: Vec::new(), found: value.kind(), expected: shape.name() }),
    }
}

fn shorten(key: &str) -> String {
    key.chars().take(40).collect()
}

impl Shape {
    fn name(&self) -> &'static str {
        match self {
            Text => "a string",
            Flag => "a boolean",
            List(_) => "an array",
            Object(_) | Map(_) | AnyObject => "an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> Option<String> {
        check_server(&serde_json::from_str(text).expect("JSON")).err()
    }

    #[test]
    fn known_fields_must_have_their_type_and_the_message_says_where() {
        let default = r#"{"packages":[{},{"environmentVariables":[{"default":5}]}]}"#;
        assert_eq!(
            complaint(default).as_deref(),
            Some("`server.packages[1].environmentVariables[0].default` is a number; expected a string")
        );
        assert_eq!(complaint(r#"{"title":null}"#).as_deref(), Some("`server.title` is null; expected a string"));
        assert!(complaint(r#"{"remotes":[{"headers":[{"isSecret":"yes"}]}]}"#).is_some());
        assert!(complaint(r#"{"remotes":[{"variables":{"a":{"choices":[1]}}}]}"#).is_some());
        assert!(complaint(r#"{"packages":null}"#).is_some());
    }

    #[test]
    fn unknown_fields_and_values_pass() {
        assert_eq!(complaint(r#"{"novel":5,"packages":[{"registryType":"zip","novel":null}],"_meta":{"x":1}}"#), None);
        assert_eq!(complaint(r#"{"repository":{},"remotes":[{"type":"carrier-pigeon"}]}"#), None);
    }
}
