//! The schema of 2025-12-11 as a table: which members there are, of which type, within which bounds. Members that it
//! does not name are allowed, as the schema allows them.
//!
//! It is a table of ours and not a JSON Schema document, because a schema that allows one of several transports or
//! arguments says of a wrong one only that none of them fits. What a value must be, its `type` decides here.

use serde_json::{Map, Value};

use super::findings::{Findings, Place, shown};

/// What a value must be.
enum Shape {
    /// A text of so many characters, of a certain form.
    Text { least: usize, most: usize, form: Form },
    /// One of these texts.
    Among(&'static [&'static str]),
    /// True or false.
    Flag,
    /// Anything with names.
    Anything,
    /// As many of one shape as there are.
    List(&'static Self),
    /// The same by name.
    Map(&'static Self),
    /// These members.
    Object(&'static [Member]),
    /// What one of its members says it is.
    Tagged { tag: &'static str, kinds: &'static [(&'static str, &'static [Member])] },
}

/// What a text must look like.
#[derive(Clone, Copy)]
enum Form {
    Any,
    /// A namespace, a slash, a name.
    Name,
    /// It begins with a scheme.
    Uri,
    /// It begins with `http://` or `https://`, and has no white space.
    Url,
    /// `48x48`, or `any`.
    Size,
    /// A SHA-256 in lower case.
    Digest,
    /// A version, but not the word `latest`.
    NotLatest,
}

struct Member {
    name: &'static str,
    shape: &'static Shape,
    presence: Presence,
}

#[derive(Clone, Copy, PartialEq)]
enum Presence {
    Required,
    Optional,
    /// It, or the one of that name.
    Or(&'static str),
}

const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, shape, presence: Presence::Required }
}

const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, shape, presence: Presence::Optional }
}

const fn text(least: usize, most: usize, form: Form) -> Shape {
    Shape::Text { least, most, form }
}

const ANY_LENGTH: usize = usize::MAX;
const TEXT: Shape = text(0, ANY_LENGTH, Form::Any);
const URI: Shape = text(0, ANY_LENGTH, Form::Uri);
const URL: Shape = text(0, ANY_LENGTH, Form::Url);
const FLAG: Shape = Shape::Flag;

const SERVER: Shape = Shape::Object(&[
    optional("$schema", &URI),
    required("name", &text(3, 200, Form::Name)),
    required("description", &text(1, 100, Form::Any)),
    optional("title", &text(1, 100, Form::Any)),
    required("version", &text(0, 255, Form::Any)),
    optional("websiteUrl", &URI),
    optional("repository", &Shape::Object(REPOSITORY)),
    optional("icons", &Shape::List(&Shape::Object(ICON))),
    optional("packages", &Shape::List(&Shape::Object(PACKAGE))),
    optional("remotes", &Shape::List(&REMOTE)),
    optional("_meta", &Shape::Object(META)),
]);

const REPOSITORY: &[Member] =
    &[required("url", &URI), required("source", &TEXT), optional("id", &TEXT), optional("subfolder", &TEXT)];

const ICON: &[Member] = &[
    required("src", &text(0, 255, Form::Uri)),
    optional("mimeType", &Shape::Among(&["image/png", "image/jpeg", "image/jpg", "image/svg+xml", "image/webp"])),
    optional("sizes", &Shape::List(&text(0, ANY_LENGTH, Form::Size))),
    optional("theme", &Shape::Among(&["light", "dark"])),
];

const META: &[Member] = &[optional("io.modelcontextprotocol.registry/publisher-provided", &Shape::Anything)];

const PACKAGE: &[Member] = &[
    required("registryType", &TEXT),
    required("identifier", &TEXT),
    required("transport", &TRANSPORT),
    optional("registryBaseUrl", &URI),
    optional("version", &text(1, ANY_LENGTH, Form::NotLatest)),
    optional("fileSha256", &text(0, ANY_LENGTH, Form::Digest)),
    optional("runtimeHint", &TEXT),
    optional("runtimeArguments", &Shape::List(&ARGUMENT)),
    optional("packageArguments", &Shape::List(&ARGUMENT)),
    optional("environmentVariables", &Shape::List(&KEYED)),
];

const AT_URL: &[Member] = &[required("url", &URL), optional("headers", &Shape::List(&KEYED))];
const AT_REMOTE_URL: &[Member] = &[
    required("url", &URL),
    optional("headers", &Shape::List(&KEYED)),
    optional("variables", &Shape::Map(&Shape::Object(INPUT))),
];
const TRANSPORT: Shape =
    Shape::Tagged { tag: "type", kinds: &[("stdio", &[]), ("streamable-http", AT_URL), ("sse", AT_URL)] };
const REMOTE: Shape =
    Shape::Tagged { tag: "type", kinds: &[("streamable-http", AT_REMOTE_URL), ("sse", AT_REMOTE_URL)] };

/// What every input has.
macro_rules! input {
    ($($more:expr),*) => {
        &[
            $($more,)*
            optional("description", &TEXT),
            optional("isRequired", &FLAG),
            optional("format", &Shape::Among(&["string", "number", "boolean", "filepath"])),
            optional("value", &TEXT),
            optional("isSecret", &FLAG),
            optional("default", &TEXT),
            optional("placeholder", &TEXT),
            optional("choices", &Shape::List(&TEXT)),
        ]
    };
}

const INPUT: &[Member] = input!();
const VARIABLES: Shape = Shape::Map(&Shape::Object(INPUT));
const KEYED: Shape = Shape::Object(input!(required("name", &TEXT), optional("variables", &VARIABLES)));
const POSITIONAL: &[Member] = input!(
    Member { name: "valueHint", shape: &TEXT, presence: Presence::Or("value") },
    optional("isRepeated", &FLAG),
    optional("variables", &VARIABLES)
);
const NAMED: &[Member] =
    input!(required("name", &TEXT), optional("isRepeated", &FLAG), optional("variables", &VARIABLES));
const ARGUMENT: Shape = Shape::Tagged { tag: "type", kinds: &[("positional", POSITIONAL), ("named", NAMED)] };

/// Holds a document against the schema.
pub(super) fn check(document: &Value, findings: &mut Findings) {
    SERVER.check(document, &Place::ROOT, findings);
}

impl Shape {
    /// No deeper than the table is: what the document nests beyond that, nobody follows.
    fn check(&self, value: &Value, place: &Place<'_>, findings: &mut Findings) {
        match (self, value) {
            (Self::Text { least, most, form }, Value::String(text)) => {
                check_length(text, *least, *most, place, findings);
                form.check(text, place, findings);
            }
            (Self::Among(known), Value::String(text)) => {
                if !known.contains(&text.as_str()) {
                    let message = format!("must be one of {}, not `{}`", known.join(", "), shown(text));
                    findings.schema(place, "enum", message);
                }
            }
            (Self::Flag, Value::Bool(_)) | (Self::Anything, Value::Object(_)) => {}
            (Self::List(shape), Value::Array(values)) => {
                for (index, value) in values.iter().enumerate() {
                    shape.check(value, &place.at(index), findings);
                }
            }
            (Self::Map(shape), Value::Object(members)) => {
                for (name, value) in members {
                    shape.check(value, &place.at(name.as_str()), findings);
                }
            }
            (Self::Object(known), Value::Object(members)) => check_members(known, members, place, findings),
            (Self::Tagged { tag, kinds }, Value::Object(members)) => {
                check_tagged(tag, kinds, members, place, findings);
            }
            _ => findings.schema(place, "type", format!("must be {}, not {}", self.name(), name_of(value))),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::Among(_) => "a string",
            Self::Flag => "true or false",
            Self::List(_) => "an array",
            Self::Anything | Self::Map(_) | Self::Object(_) | Self::Tagged { .. } => "an object",
        }
    }
}

fn check_members(known: &[Member], members: &Map<String, Value>, place: &Place<'_>, findings: &mut Findings) {
    for Member { name, shape, presence } in known {
        match (members.get(*name), presence) {
            (Some(value), _) => shape.check(value, &place.at(*name), findings),
            (None, Presence::Required) => findings.schema(place, "required", format!("`{name}` is missing")),
            (None, Presence::Or(other)) if !members.contains_key(*other) => {
                findings.schema(place, "required", format!("`{name}` or `{other}` is missing"));
            }
            (None, _) => {}
        }
    }
}

fn check_tagged(
    tag: &'static str,
    kinds: &[(&str, &[Member])],
    members: &Map<String, Value>,
    place: &Place<'_>,
    findings: &mut Findings,
) {
    let known: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
    match members.get(tag) {
        None => findings.schema(place, "required", format!("`{tag}` is missing: {}", known.join(", "))),
        Some(Value::String(kind)) => {
            if let Some((_, shape)) = kinds.iter().find(|(known, _)| known == kind) {
                check_members(shape, members, place, findings);
            } else {
                let message = format!("must be one of {}, not `{}`", known.join(", "), shown(kind));
                findings.schema(&place.at(tag), "enum", message);
            }
        }
        Some(other) => {
            findings.schema(&place.at(tag), "type", format!("must be a string, not {}", name_of(other)));
        }
    }
}

fn check_length(text: &str, least: usize, most: usize, place: &Place<'_>, findings: &mut Findings) {
    let length = text.chars().count();
    if length < least {
        findings.schema(place, "minLength", format!("must have {least} characters at least, not {length}"));
    }
    if length > most {
        findings.schema(place, "maxLength", format!("must have {most} characters at most, not {length}"));
    }
}

impl Form {
    fn check(self, text: &str, place: &Place<'_>, findings: &mut Findings) {
        let (fits, reference, wanted) = match self {
            Self::Any => return,
            Self::Name => (is_name(text), "pattern", "a namespace, one slash and a name, of letters, digits and .-_"),
            Self::Uri => (is_uri(text), "format", "a URI, with its scheme"),
            Self::Url => (is_url(text), "pattern", "a URL that begins with http:// or https://, without spaces"),
            Self::Size => (is_size(text), "pattern", "a size as 48x48, or any"),
            Self::Digest => (is_digest(text), "pattern", "a SHA-256 as 64 hexadecimal digits in lower case"),
            Self::NotLatest => (text != "latest", "not", "a version, and `latest` is none"),
        };
        if !fits {
            findings.schema(place, reference, format!("must be {wanted}, not `{}`", shown(text)));
        }
    }
}

fn is_name(text: &str) -> bool {
    let is_plain = |part: &str, more: &str| {
        !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
    };
    text.split_once('/').is_some_and(|(namespace, name)| is_plain(namespace, ".-") && is_plain(name, "._-"))
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let begins = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    begins
        && is_scheme
        && !rest.is_empty()
        && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}

fn is_size(text: &str) -> bool {
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    text == "any" || text.split_once('x').is_some_and(|(width, height)| is_number(width) && is_number(height))
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
