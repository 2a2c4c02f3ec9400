//! What is wrong with a configuration: always the key, the file, and what would be right.

use std::fmt;
use std::path::{Path, PathBuf};

use figment::error::{Actual, Kind};
use figment::{Figment, Metadata, Source};

use super::place::relative;

/// A configuration that cannot be used. One line for each problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<Line>);

/// One problem, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    place: Place,
    key: Option<String>,
    message: String,
}

/// Where a part of the configuration was written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Unknown,
    Named(String),
    File(PathBuf),
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unknown => {}
            Place::Named(name) => write!(formatter, "{name}: ")?,
            Place::File(path) => write!(formatter, "{}: ", relative(path).display())?,
        }
        match &self.key {
            None => formatter.write_str(&self.message),
            Some(key) => write!(formatter, "`{key}` {}", self.message),
        }
    }
}

impl Line {
    /// Where the problem is and not what: no directories, and no values, which may be secret.
    fn redacted(&self) -> String {
        let place = match &self.place {
            Place::Unknown => None,
            Place::Named(name) => Some(name.clone()),
            Place::File(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()),
        };
        let key = self.key.as_ref().map(|key| format!("`{key}`"));
        match place.into_iter().chain(key).collect::<Vec<_>>().join(": ") {
            none if none.is_empty() => "the configuration".to_owned(),
            found => found,
        }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    key: String,
    message: String,
    /// Whether it is only that a secret is not at hand.
    is_of_secret: bool,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), is_of_secret: false }
    }

    /// A secret that is not at hand here and now.
    pub(super) fn of_secret(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { is_of_secret: true, ..Self::new(key, message) }
    }
}

/// Everything that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    pub(super) fn add(&mut self, section: &str, problems: Vec<(&'static str, String)>) {
        let problems = problems.into_iter().map(|(key, message)| Problem::new(format!("{section}.{key}"), message));
        self.0.extend(problems);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nothing is wrong, or only that secrets are not at hand.
    pub(super) fn are_all_of_secrets(&self) -> bool {
        self.0.iter().all(|problem| problem.is_of_secret)
    }
}

impl ConfigError {
    /// Something about the file itself.
    pub(super) fn file(file: &Path, problem: &str) -> Self {
        Self(vec![Line { place: Place::File(file.to_owned()), key: None, message: problem.to_owned() }])
    }

    /// The files and keys that are wrong, for everyone to see: without values and reasons, which may hold secrets.
    #[must_use]
    pub fn redacted(&self) -> String {
        let places: Vec<String> = self.0.iter().map(Line::redacted).collect();
        format!("{} cannot be used; the log says why", places.join(", "))
    }

    /// Something about what a command was asked to do with the configuration.
    pub(super) fn of_command(problem: &str) -> Self {
        Self(vec![Line { place: Place::Unknown, key: None, message: problem.to_owned() }])
    }

    /// Something about parts that only show when they are put together.
    #[must_use]
    pub fn of_key(key: &str, problem: &str) -> Self {
        Self(vec![Line { place: Place::Unknown, key: Some(key.to_owned()), message: problem.to_owned() }])
    }

    /// What figment and serde found.
    pub(super) fn from_figment(figment: &Figment, error: figment::Error) -> Self {
        Self(error.into_iter().map(|error| describe(figment, &error)).collect())
    }

    /// What the checks found.
    pub(super) fn from_problems(figment: &Figment, problems: Problems) -> Self {
        let line = |problem: Problem| {
            let place = place(metadata_of(figment, &problem.key));
            Line { place, key: Some(problem.key), message: problem.message }
        };
        Self(problems.0.into_iter().map(line).collect())
    }
}

/// The metadata of the nearest part of a key that was written somewhere.
fn metadata_of<'a>(figment: &'a Figment, key: &str) -> Option<&'a Metadata> {
    let mut key = key;
    loop {
        if let Some(metadata) = figment.find_metadata(key) {
            return Some(metadata);
        }
        key = key.rsplit_once('.')?.0;
    }
}

/// Says `registries.acme` for `registries.0`, where the registry has a name.
fn with_registry_name(figment: &Figment, path: &mut [String]) {
    let [section, index, ..] = path else { return };
    let position: Option<usize> = index.parse().ok();
    let registries = figment.find_value(section).ok();
    let registry = position.and_then(|position| registries.as_ref()?.as_array()?.get(position)?.as_dict()?.get("name"));
    if let Some(name) = registry.and_then(|name| name.as_str()).filter(|name| !name.is_empty()) {
        name.clone_into(index);
    }
}

fn describe(figment: &Figment, error: &figment::Error) -> Line {
    let mut path = error.path.clone();
    with_registry_name(figment, &mut path);
    let message = match &error.kind {
        Kind::UnknownField(field, expected) => {
            if path.last() != Some(field) {
                path.push(field.clone());
            }
            format!("is not a key; expected one of {}", names(expected))
        }
        Kind::UnknownVariant(variant, expected) => format!("is {variant:?}; expected one of {}", names(expected)),
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("is {}; expected {expected}", kind_of(found))
        }
        Kind::Unsupported(found) | Kind::UnsupportedKey(found, _) => {
            format!("is {}, which nothing can be made of", kind_of(found))
        }
        Kind::MissingField(field) => {
            path.push(field.to_string());
            "is missing".to_owned()
        }
        Kind::Message(message) => message.clone(),
        other => format!("cannot be used: {other}"),
    };
    let place = place(error.metadata.as_ref());
    Line { place, key: (!path.is_empty()).then(|| path.join(".")), message }
}

/// What a value of the wrong type is. Which one it is may be a secret: `bearer_token = 12345`.
fn kind_of(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "a boolean",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) | Actual::Bytes(_) => "a string",
        Actual::Unit | Actual::Option => "empty",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "of another type",
    }
}

fn names(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn place(metadata: Option<&Metadata>) -> Place {
    match metadata {
        None => Place::Unknown,
        Some(metadata) => match &metadata.source {
            Some(Source::File(path)) => Place::File(path.clone()),
            _ => Place::Named(metadata.name.to_string()),
        },
    }
}
