//! The official block of `_meta`: read from whatever a registry sent, completed, and rendered.
//!
//! Clients need all of `status`, `statusChangedAt`, `publishedAt`, `updatedAt` and `isLatest`
//! (clients.md §0.3, §3); what a registry leaves out is filled in here, and stays the same from one fetch to
//! the next for as long as the entry does.

use std::borrow::Cow;

use jiff::Timestamp;

use super::json::{Raw, RawMembers, compact, kind_of, value_of};
use super::time::{self, Stamp};
use crate::catalog::entry::{Entry, Official, Status};

/// How much room is made for a block as it is served.
const USUAL_BYTES: usize = 192;

/// What a registry said in its block, before anything is filled in.
#[derive(Debug, Default)]
pub(super) struct Sent<'a> {
    status: Option<Cow<'a, str>>,
    message: Option<Cow<'a, str>>,
    status_changed_at: Option<Stamp<'a>>,
    published_at: Option<Stamp<'a>>,
    updated_at: Option<Stamp<'a>>,
    /// `"id":"…",…`: identifiers of older formats.
    ids: String,
    /// `"key":value,…`: members that we do not know.
    unknown: String,
}

/// Whether members that we do not know are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    Keep,
    Drop,
}

impl<'a> Sent<'a> {
    /// Reads a block, in the current spelling or an older one.
    ///
    /// # Errors
    /// A sentence that names the member that is of the wrong type, or a timestamp that is none.
    pub(super) fn read(block: &RawMembers<'a>, unknown: Unknown) -> Result<Self, String> {
        let mut sent = Self::default();
        for (key, &value) in block.iter() {
            // `null` says that the registry has none; we fill in what it lacks.
            if kind_of(value) != "null" {
                sent.take(key, value, unknown)?;
            }
        }
        Ok(sent)
    }

    fn take(&mut self, key: &str, value: Raw<'a>, unknown: Unknown) -> Result<(), String> {
        match key {
            "status" => self.status = Some(text(key, value)?),
            "statusMessage" => self.message = Some(text(key, value)?),
            "statusChangedAt" | "status_changed_at" => self.status_changed_at = self.stamp(key, value)?,
            // Where both stand, the more precise one counts.
            "release_date" if self.published_at.is_some() => {}
            "publishedAt" | "published_at" | "release_date" => self.published_at = self.stamp(key, value)?,
            "updatedAt" | "updated_at" => self.updated_at = self.stamp(key, value)?,
            "isLatest" | "is_latest" => {
                value_of::<bool>(value).ok_or_else(|| mismatch(key, value, "a boolean"))?;
            }
            "id" | "serverId" | "versionId" => push_member(&mut self.ids, key, value),
            _ if unknown == Unknown::Keep => push_member(&mut self.unknown, key, value),
            _ => {}
        }
        Ok(())
    }

    /// A timestamp: mostly, one of those that have been read already.
    fn stamp(&self, key: &str, value: Raw<'a>) -> Result<Option<Stamp<'a>>, String> {
        let text = text(key, value)?;
        let mut known = [&self.status_changed_at, &self.published_at, &self.updated_at].into_iter().flatten();
        match known.find(|known| known.text == text) {
            Some(known) => Ok(Some(known.clone())),
            None => time::read(text.clone()).map_err(|()| {
                let shown: String = text.chars().take(40).collect();
                format!("`_meta` has a `{key}` of {shown:?}, which is not an RFC 3339 timestamp")
            }),
        }
    }

    /// Everything that identifies the block, `isLatest` aside.
    pub(super) fn fingerprint(&self) -> impl Iterator<Item = &[u8]> {
        let stamps = [&self.status_changed_at, &self.published_at, &self.updated_at];
        let stamps = stamps.map(|stamp| stamp.as_ref().map_or("", |stamp| &*stamp.text));
        let texts = [self.status.as_deref().unwrap_or_default(), self.message.as_deref().unwrap_or_default()];
        texts.into_iter().chain(stamps).chain([&*self.ids, &*self.unknown]).map(str::as_bytes)
    }

    /// The identifiers of an older format as a JSON object.
    pub(super) fn legacy_ids(&self) -> Option<Box<str>> {
        (!self.ids.is_empty()).then(|| format!("{{{}}}", self.ids).into())
    }

    /// Fills in what is missing. `previous` is what the same registry listed under this version before.
    pub(super) fn complete(self, now: Timestamp, previous: Option<&Entry>) -> Official<'static> {
        let first_seen = previous.map(Entry::published_at);
        let published_at = self
            .published_at
            .unwrap_or_else(|| first_seen.map(Stamp::from).or(self.updated_at.clone()).unwrap_or_else(|| now.into()));
        let updated_at = self.updated_at.unwrap_or_else(|| match previous {
            Some(_) => now.into(),
            None => published_at.clone(),
        });
        let status_changed_at = self.status_changed_at.as_ref().unwrap_or(&updated_at);
        let status = self.status.as_deref().map(Status::from_wire).unwrap_or_default();

        let mut rendered = String::with_capacity(USUAL_BYTES);
        for part in [r#""status":"#, &quoted(status.as_str()), r#","statusChangedAt":""#, &status_changed_at.text, "\""]
        {
            rendered.push_str(part);
        }
        if let Some(message) = &self.message {
            rendered.push_str(r#","statusMessage":"#);
            rendered.push_str(&quoted(message));
        }
        for part in [r#","publishedAt":""#, &published_at.text, r#"","updatedAt":""#, &updated_at.text, "\""] {
            rendered.push_str(part);
        }
        if !self.unknown.is_empty() {
            rendered.push(',');
            rendered.push_str(&self.unknown);
        }
        Official { status, published_at: published_at.at, updated_at: updated_at.at, rendered: rendered.into() }
    }
}

/// Appends `"key":value` to rendered members.
pub(super) fn push_member(members: &mut String, key: &str, value: Raw<'_>) {
    if !members.is_empty() {
        members.push(',');
    }
    members.push_str(&quoted(key));
    members.push(':');
    members.push_str(&compact(value.get()));
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

fn text<'a>(key: &str, value: Raw<'a>) -> Result<Cow<'a, str>, String> {
    value.text().ok_or_else(|| mismatch(key, value, "a string"))
}

fn mismatch(key: &str, value: Raw<'_>, expected: &str) -> String {
    format!("`_meta` has a `{key}` that is {}; expected {expected}", kind_of(value))
}
