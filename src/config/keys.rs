//! Every key of the configuration, as people read of it: `docs/configuration.md` is made of this table, and `config`
//! takes from it what is shown where nothing is written, and what is secret. Tests hold it against the types that read
//! the configuration: it has all of their keys, and their defaults.

mod registries;
mod sections;

pub(super) use registries::REGISTRIES;
pub(super) use sections::SECTIONS;

/// A table of the configuration.
#[derive(Debug)]
pub(super) struct Section {
    /// Its name: `server`.
    pub(super) name: &'static str,
    /// What it is about.
    pub(super) about: &'static str,
    /// Its keys, in the order in which they are told.
    pub(super) keys: &'static [Key],
}

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Its name in the table; dots where tables follow: `health.interval`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What counts where it is not set, as TOML; none where nothing does.
    pub(super) default: Option<&'static str>,
    /// A value, as TOML.
    pub(super) example: &'static str,
    /// Whether a change waits for a restart.
    pub(super) waits: bool,
    /// What it means, in Markdown.
    pub(super) meaning: &'static str,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Address,
    Duration,
    Size,
    /// A whole number.
    Count,
    /// Any number.
    Number,
    Boolean,
    Text,
    Path,
    /// A list of texts.
    List,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A URL, which may hold a password or a key.
    Url,
    /// A text that nobody is to see.
    Secret,
    /// A table of such texts.
    Secrets,
}

impl Kind {
    /// What is to be written, in a few words.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Address => "IP address and port".to_owned(),
            Self::Duration => "duration (`30s`, `5m`, `6h`)".to_owned(),
            Self::Size => "size (`512KiB`, `64MiB`)".to_owned(),
            Self::Count => "whole number".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Path => "path".to_owned(),
            Self::List => "list of texts".to_owned(),
            Self::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "),
            Self::Url => "URL".to_owned(),
            Self::Secret => "text, secret".to_owned(),
            Self::Secrets => "table of texts, secret".to_owned(),
        }
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
