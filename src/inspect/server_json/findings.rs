//! What has been found so far, and where the pass is. A document of 1 MiB can break more rules than anybody reads, and
//! say it in longer words: both have bounds.

use std::fmt::Write as _;

use super::{Issue, Kind, Report, Severity};

/// The most issues of one document.
const MAX_ISSUES: usize = 1_000;
/// How much of the document's own words is repeated, in characters.
const MAX_SHOWN: usize = 80;

/// One step from a value to one in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Member(&'a str),
    Index(usize),
}

impl<'a> From<&'a str> for Step<'a> {
    fn from(name: &'a str) -> Self {
        Self::Member(name)
    }
}

impl From<usize> for Step<'_> {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// A place in a document: the one above it, and the step from there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    above: Option<&'a Self>,
    step: Step<'a>,
}

impl<'a> Place<'a> {
    /// The document.
    pub(super) const ROOT: Self = Self { above: None, step: Step::Index(0) };

    /// A place in this one.
    pub(super) fn at(&'a self, step: impl Into<Step<'a>>) -> Self {
        Place { above: Some(self), step: step.into() }
    }

    /// As `packages[0].transport.url`.
    fn path(&self) -> String {
        let Some(above) = self.above else { return String::new() };
        let mut path = above.path();
        match self.step {
            Step::Index(index) => drop(write!(path, "[{index}]")),
            Step::Member(name) if path.is_empty() => path.push_str(&shown(name)),
            Step::Member(name) => drop(write!(path, ".{}", shown(name))),
        }
        path
    }
}

/// A text of the document, or its beginning.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The issues of one document.
#[derive(Debug, Default)]
pub(super) struct Findings {
    issues: Vec<Issue>,
    has_more: bool,
}

impl Findings {
    /// What breaks the schema.
    pub(super) fn schema(&mut self, place: &Place<'_>, reference: &'static str, message: impl Into<String>) {
        self.add(Kind::Schema, Severity::Error, place, reference, message.into());
    }

    /// What else makes a document invalid.
    pub(super) fn error(&mut self, place: &Place<'_>, reference: &'static str, message: impl Into<String>) {
        self.add(Kind::Semantic, Severity::Error, place, reference, message.into());
    }

    /// What does not.
    pub(super) fn warning(&mut self, place: &Place<'_>, reference: &'static str, message: impl Into<String>) {
        self.add(Kind::Semantic, Severity::Warning, place, reference, message.into());
    }

    fn add(&mut self, kind: Kind, severity: Severity, place: &Place<'_>, reference: &'static str, message: String) {
        if self.issues.len() < MAX_ISSUES {
            self.issues.push(Issue { kind, path: place.path(), message, severity, reference });
        } else {
            self.has_more = true;
        }
    }

    pub(super) fn into_report(mut self) -> Report {
        if self.has_more {
            let message = format!("there is more than these {MAX_ISSUES}");
            let (kind, severity, path) = (Kind::Schema, Severity::Error, String::new());
            self.issues.push(Issue { kind, path, message, severity, reference: "too-many-issues" });
        }
        let valid = self.issues.iter().all(|issue| issue.severity != Severity::Error);
        Report { valid, issues: self.issues }
    }
}
