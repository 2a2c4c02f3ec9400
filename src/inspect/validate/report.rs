//! The answer: a verdict for each server, and what it stands on. `POST /validate` and the command line write the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Configured, Reduced};

/// What is to be thought of a configured server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The catalog lists it so.
    Known,
    /// It is listed, and a later version is.
    Outdated,
    /// It is listed as deprecated.
    Deprecated,
    /// It was listed, and is deleted.
    Deleted,
    /// It is listed, but not in this version.
    UnlistedVersion,
    /// It is listed, but to be run or reached in another way: transport, host, or secrets that it needs.
    WrongSource,
    /// It is not listed, and may be taken for one that is.
    LookAlike,
    /// It is listed under several names.
    Ambiguous,
    /// It is not listed, or it cannot be told what it is.
    Unknown,
    /// A registry that may list it cannot be used at the moment.
    Unverified,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Known,
        Self::Outdated,
        Self::Deprecated,
        Self::Deleted,
        Self::UnlistedVersion,
        Self::WrongSource,
        Self::LookAlike,
        Self::Ambiguous,
        Self::Unknown,
        Self::Unverified,
    ];

    /// The word that answers have.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Outdated => "outdated",
            Self::Deprecated => "deprecated",
            Self::Deleted => "deleted",
            Self::UnlistedVersion => "unlisted-version",
            Self::WrongSource => "wrong-source",
            Self::LookAlike => "look-alike",
            Self::Ambiguous => "ambiguous",
            Self::Unknown => "unknown",
            Self::Unverified => "unverified",
        }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Known => "The catalog lists the server as it is configured.",
            Self::Outdated => "The catalog lists a later version of the server.",
            Self::Deprecated => "The catalog lists the server as deprecated.",
            Self::Deleted => "The server was deleted from its registry.",
            Self::UnlistedVersion => "The catalog lists the server, but not in the version that is configured.",
            Self::WrongSource => {
                "The catalog lists the server with another transport, at another host, or with secrets that the \
                 configuration lacks."
            }
            Self::LookAlike => "The server is not listed, and what it is called may be taken for a listed one.",
            Self::Ambiguous => "The catalog lists the same package or URL under several names.",
            Self::Unknown => "The server is not listed, or it cannot be told which one it is.",
            Self::Unverified => "A registry that may list the server cannot be used at the moment.",
        }
    }
}

impl Verdict {
    /// What to do about it, in a sentence.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Known => "Nothing has to be done.",
            Self::Outdated => "Configure the latest version, or none, so that the latest is taken.",
            Self::Deprecated => "Look for what has taken its place.",
            Self::Deleted => "Take it out of the configuration until it is known why it was deleted.",
            Self::UnlistedVersion => "Configure a version that is listed.",
            Self::WrongSource => "Compare the configuration with the registry's entry, and take over what differs.",
            Self::LookAlike => "Compare the name with the listed one letter by letter before it is run again.",
            Self::Ambiguous => "Name the server as its registry does, so that it can be told apart.",
            Self::Unknown => "Have it listed in a registry of yours, or take it out of the configuration.",
            Self::Unverified => "Validate again when all registries can be used.",
        }
    }
}

/// The verdict on one configured server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// What the input calls it.
    pub name: String,
    /// In which line of the input it stands.
    pub line: usize,
    /// The verdict.
    pub verdict: Verdict,
    /// What the input says of it, without anything that may be secret.
    pub configured: Reduced,
    /// The version of the catalog that it is, or comes closest to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Found>,
    /// The latest version of that server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<String>,
    /// The provenance of that version, as entries have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Value>,
    /// The names of the servers that it may be, or may be taken for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// What the verdict stands on, in sentences.
    #[serde(default)]
    pub evidence: Vec<String>,
}

/// A version of the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The server's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Its status.
    pub status: String,
    /// The names of the variables or headers that it needs and that are secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_secrets: Vec<String>,
    /// The host of the package registry, where it is another than the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_host: Option<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// In the order of the input.
    pub results: Vec<Judged>,
    /// How many there are.
    pub metadata: Metadata,
}

/// What there is in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// How many servers were judged.
    pub count: usize,
    /// How many of them have each verdict that there is.
    pub verdicts: BTreeMap<Verdict, usize>,
}

impl Report {
    /// Counts the verdicts.
    #[must_use]
    pub fn new(results: Vec<Judged>) -> Self {
        let mut metadata = Metadata { count: results.len(), ..Metadata::default() };
        for judged in &results {
            *metadata.verdicts.entry(judged.verdict).or_default() += 1;
        }
        Self { results, metadata }
    }

    /// Whether there is a finding: a server that is not known.
    #[must_use]
    pub fn has_findings(&self) -> bool {
        self.results.iter().any(|judged| judged.verdict != Verdict::Known)
    }
}

impl Judged {
    pub(super) fn new(configured: &Configured, verdict: Verdict) -> Self {
        Self {
            name: configured.label.clone(),
            line: configured.line,
            verdict,
            configured: configured.reduced.clone(),
            server: None,
            latest: None,
            provenance: None,
            candidates: Vec::new(),
            evidence: Vec::new(),
        }
    }

    pub(super) fn with(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    /// Adds what only who has the input can tell, since it is not sent to a proxy: whether the secrets that the server
    /// needs are set, and whether another package registry is asked.
    #[must_use]
    pub fn completed(mut self, configured: &Configured) -> Self {
        if let Some(reason) = &configured.unclear {
            return Self::new(configured, Verdict::Unknown).with(format!("{reason}."));
        }
        self.name.clone_from(&configured.label);
        self.line = configured.line;
        self.configured.clone_from(&configured.reduced);
        let Some(found) = self.server.as_ref().filter(|_| self.candidates.is_empty()) else { return self };
        let mut evidence = Vec::new();
        if let Some(set) = &configured.secrets {
            let missing = found.required_secrets.iter().filter(|name| !set.contains(&name.to_ascii_lowercase()));
            evidence
                .extend(missing.map(|name| format!("The server needs the secret {name}, which is not configured.")));
        }
        let listed_at = found.package_host.as_deref();
        if !configured.reduced.packages.is_empty() && configured.origin.is_other_than(listed_at) {
            evidence.push("The package is taken from another package registry than the server's.".to_owned());
        }
        let is_worse =
            matches!(self.verdict, Verdict::Known | Verdict::Outdated | Verdict::Deprecated | Verdict::UnlistedVersion);
        if is_worse && !evidence.is_empty() {
            self.verdict = Verdict::WrongSource;
        }
        self.evidence.extend(evidence);
        self
    }
}
