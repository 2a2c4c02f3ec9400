//! Layers that figment does not bring: files that are parsed here, and a name for layers that are no file.
//!
//! figment's own errors quote the line that is wrong, and any line may hold a secret. These say where it is. YAML
//! figment would read with an archived crate.

use std::path::{Path, PathBuf};

use figment::value::{Dict, Map};
use figment::{Error, Metadata, Profile, Provider};

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Toml,
    Yaml,
    Json,
}

impl Syntax {
    /// What a file of this name is written in.
    pub(super) fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
            Self::Json => "JSON",
        }
    }

    pub(super) fn parse(self, text: &str) -> Result<Map<Profile, Dict>, String> {
        let dict: Result<Option<Dict>, String> = match self {
            Self::Toml => toml::from_str(text).map(Some).map_err(|error| describe(text, &error)),
            Self::Yaml => serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string()),
            Self::Json => serde_json::from_str(text).map(Some).map_err(|error| error.to_string()),
        };
        let dict = dict.map_err(|error| format!("is not {}: {error}", self.name()))?;
        Ok(Profile::Default.collect(dict.unwrap_or_default()))
    }
}

/// What is wrong, and where, in one line.
fn describe(text: &str, error: &toml::de::Error) -> String {
    let message: Vec<&str> = error.message().lines().collect();
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.split('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    format!("{} at line {line} column {column}", message.join(", "))
}

/// A file.
#[derive(Clone, Debug)]
pub(super) struct TextFile {
    path: PathBuf,
    syntax: Syntax,
    /// What it is taken to hold, in place of what it does.
    instead: Option<String>,
}

impl TextFile {
    pub(super) fn new(path: &Path, syntax: Syntax, instead: Option<String>) -> Self {
        Self { path: path.to_owned(), syntax, instead }
    }
}

impl Provider for TextFile {
    fn metadata(&self) -> Metadata {
        Metadata::from(format!("{} file", self.syntax.name()), self.path.as_path())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        if let Some(text) = &self.instead {
            return Ok(self.syntax.parse(text)?);
        }
        let text = std::fs::read_to_string(&self.path).map_err(|error| format!("cannot be read: {error}"))?;
        Ok(self.syntax.parse(&text)?)
    }
}

/// A text under a name.
#[derive(Clone, Debug)]
pub(super) struct Text<'a>(pub(super) &'static str, pub(super) Syntax, pub(super) &'a str);

impl Provider for Text<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(self.1.parse(self.2)?)
    }
}

/// A provider under a name of ours.
#[derive(Clone, Debug)]
pub(super) struct Named<P>(pub(super) &'static str, pub(super) P);

impl<P: Provider> Provider for Named<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        self.1.data()
    }
}
