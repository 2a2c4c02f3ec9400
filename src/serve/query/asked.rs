//! The filters that a query names, and how they go together with those of its cursor.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::parameters::Parameters;
use crate::catalog::entry::{MAX_KEY_BYTES, Status};
use crate::catalog::facets::Kind;
use crate::catalog::page::{Filter, VersionFilter};
use crate::catalog::search::lowercase;
use crate::serve::error::{InvalidParameter, Problem};

/// The longest search term, in characters. Names have at most 200; cursors carry the term.
const MAX_SEARCH_CHARS: usize = 256;

/// The filters that a query names; what it does not name, a cursor decides.
pub(super) struct Asked {
    search: Option<Box<str>>,
    updated_since: Option<Timestamp>,
    version: Option<VersionFilter>,
    include_deleted: Option<bool>,
    registry: Option<Box<str>>,
    kind: Option<Kind>,
    package_type: Option<Box<str>>,
    transport: Option<Box<str>>,
    status: Option<Status>,
}

impl Asked {
    /// Reads all filters but the time, whose faults are told only where there are no others.
    pub(super) fn read(parameters: &Parameters<'_>, invalid: &mut Vec<InvalidParameter>) -> Self {
        let lowered = |text: &str| lowercase(text).into();
        Self {
            search: parameters.short("search", MAX_SEARCH_CHARS, invalid).map(lowered),
            updated_since: None,
            version: parameters.short("version", MAX_KEY_BYTES, invalid).map(version_filter),
            include_deleted: parameters.flag("include_deleted", invalid),
            registry: parameters.get("registry").map(Into::into),
            kind: parameters.one_of("type", "package, remote", Kind::from_wire, invalid),
            package_type: parameters.get("package_type").map(lowered),
            transport: parameters.get("transport").map(lowered),
            status: parameters.one_of("status", "active, deprecated, deleted", known_status, invalid),
        }
    }

    pub(super) fn with_time(self, updated_since: Option<&str>) -> Result<Self, Problem> {
        let updated_since = updated_since.map(timestamp).transpose()?;
        if updated_since.is_some() && self.include_deleted == Some(false) {
            return Err(Problem::BadRequest(
                "Cannot set include_deleted=false when using updated_since (incremental sync requires deleted servers)"
                    .into(),
            ));
        }
        Ok(Self { updated_since, ..self })
    }

    /// The filter in canonical form: deleted versions are not asked for where they are implied.
    pub(super) fn into_filter(self) -> Filter {
        let mut filter = Filter {
            search: self.search,
            updated_since: self.updated_since,
            version: self.version.unwrap_or_default(),
            include_deleted: false,
            registry: self.registry,
            kind: self.kind,
            package_type: self.package_type,
            transport: self.transport,
            status: self.status,
        };
        filter.include_deleted = self.include_deleted.unwrap_or_default() && !filter.shows_deleted();
        filter
    }

    /// The cursor's filters win; a query that contradicts them is an error (contract §4).
    pub(super) fn check_against(&self, filter: &Filter) -> Result<(), Problem> {
        // With `status=deleted`, deleted versions are listed whatever the query says of them.
        let has_a_say = filter.status != Some(Status::Deleted);
        let contradicted = [
            ("search", differs(self.search.as_ref(), filter.search.as_ref())),
            ("updated_since", differs(self.updated_since.as_ref(), filter.updated_since.as_ref())),
            ("version", self.version.as_ref().is_some_and(|version| *version != filter.version)),
            ("include_deleted", has_a_say && self.include_deleted.is_some_and(|asked| asked != filter.shows_deleted())),
            ("registry", differs(self.registry.as_ref(), filter.registry.as_ref())),
            ("type", differs(self.kind.as_ref(), filter.kind.as_ref())),
            ("package_type", differs(self.package_type.as_ref(), filter.package_type.as_ref())),
            ("transport", differs(self.transport.as_ref(), filter.transport.as_ref())),
            ("status", differs(self.status.as_ref(), filter.status.as_ref())),
        ];
        match contradicted.iter().find(|(_, contradicted)| *contradicted) {
            None => Ok(()),
            Some((key, _)) => Err(contradiction(key)),
        }
    }
}

/// A query says of a filter something else than its cursor.
pub(in crate::serve) fn contradiction(key: &str) -> Problem {
    let advice = format!("leave {key} out, or start without a cursor");
    Problem::BadRequest(format!("The cursor belongs to a list with another {key}; {advice}").into())
}

/// Whether a query asks for something else than its cursor.
pub(in crate::serve) fn differs<T: PartialEq>(asked: Option<&T>, walked: Option<&T>) -> bool {
    asked.is_some() && asked != walked
}

fn version_filter(text: &str) -> VersionFilter {
    if text == "latest" { VersionFilter::Latest } else { VersionFilter::Exact(text.into()) }
}

fn known_status(text: &str) -> Option<Status> {
    Some(Status::from_wire(text)).filter(|status| !matches!(status, Status::Other(_)))
}

/// RFC 3339 as Go's `time.Parse` reads it: `T`, seconds and a zone are needed, the fraction may have any number of
/// digits. An instant beyond those that we can hold becomes the last or the first of them.
fn timestamp(text: &str) -> Result<Timestamp, Problem> {
    read_timestamp(text).ok_or(Problem::BadRequest(
        "Invalid updated_since format: expected RFC3339 timestamp (e.g., 2025-08-07T13:15:04.280Z)".into(),
    ))
}

fn read_timestamp(text: &str) -> Option<Timestamp> {
    let (local, offset) = split_zone(text)?;
    let (seconds, fraction) = local.split_once('.').unwrap_or((local, "0"));
    let is_whole = seconds.len() == "2025-08-07T13:15:04".len() && seconds.as_bytes().get(10) == Some(&b'T');
    let has_digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    // A leap second is none of Go's.
    if !is_whole || !has_digits || seconds.ends_with(":60") {
        return None;
    }
    let nanoseconds = fraction.get(..9).unwrap_or(fraction);
    let local: DateTime = format!("{seconds}.{nanoseconds}").parse().ok()?;
    let edge = if local.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    Some(offset.to_timestamp(local).unwrap_or(edge))
}

/// What stands before the zone, and the zone's offset.
fn split_zone(text: &str) -> Option<(&str, Offset)> {
    if let Some(local) = text.strip_suffix('Z') {
        return Some((local, Offset::UTC));
    }
    let (local, zone) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let is_pair = |digits: &str| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = |digits: &str| is_pair(digits).then(|| digits.parse().ok()).flatten();
    let (hours, minutes): (i32, i32) = (number(hours)?, number(minutes)?);
    let seconds = (hours < 24 && minutes < 60).then_some((hours * 60 + minutes) * 60)?;
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    Some((local, Offset::from_seconds(sign * seconds).ok()?))
}
