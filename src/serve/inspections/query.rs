//! What is asked for: filters, page size and cursor, read as those of the list are, and the cursors that carry them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::cursor::{open, seal};
use super::super::error::{InvalidParameter, Problem};
use super::super::query::{Parameters, contradiction, differs};
use crate::catalog::entry::MAX_KEY_BYTES;
use crate::inspect::conflicts::{self, Key};
use crate::inspect::duplicates;

/// The parameters of `/conflicts`; all others are ignored. The description names the same.
pub(in crate::serve) const CONFLICT_PARAMETERS: [&str; 5] = ["cursor", "limit", "registry", "name", "kind"];
/// The parameters of `/duplicates`.
pub(in crate::serve) const DUPLICATE_PARAMETERS: [&str; 6] = ["cursor", "limit", "registry", "name", "kind", "grade"];

/// An inspection in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::serve) enum Inspection {
    Conflicts(Asked<conflicts::Filter, conflicts::Position>),
    Duplicates(Asked<duplicates::Filter, duplicates::Position>),
}

/// A page that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::serve) struct Asked<F, P> {
    pub(super) filter: F,
    pub(super) after: Option<P>,
    pub(super) limit: usize,
}

impl Inspection {
    /// Reads the query of `/conflicts`.
    pub(in crate::serve) fn conflicts(query: Option<&str>) -> Result<Self, Problem> {
        let parameters = Parameters::read(query);
        let mut invalid = Vec::new();
        let limit = parameters.limit(&mut invalid);
        let asked = conflicts::Filter {
            registry: parameters.get("registry").map(Into::into),
            name: name(&parameters, &mut invalid),
            kind: parameters.one_of("kind", "content, latest, refused", conflicts::Kind::from_wire, &mut invalid),
        };
        let cursor = cursor::<ConflictCursor>(&parameters, invalid)?;
        let Some(ConflictCursor { filter, name, key, .. }) = cursor else {
            return Ok(Self::Conflicts(Asked { filter: asked, after: None, limit }));
        };
        let filter: conflicts::Filter = filter.try_into()?;
        check(&[
            ("registry", differs(asked.registry.as_ref(), filter.registry.as_ref())),
            ("name", differs(asked.name.as_ref(), filter.name.as_ref())),
            ("kind", differs(asked.kind.as_ref(), filter.kind.as_ref())),
        ])?;
        let (kind, version, registry) = key;
        let kind = conflicts::Kind::from_wire(&kind).ok_or_else(no_cursor)?;
        let after = conflicts::Position { name, key: Key { kind, version, registry } };
        Ok(Self::Conflicts(Asked { filter, after: Some(after), limit }))
    }

    /// Reads the query of `/duplicates`.
    pub(in crate::serve) fn duplicates(query: Option<&str>) -> Result<Self, Problem> {
        let parameters = Parameters::read(query);
        let mut invalid = Vec::new();
        let limit = parameters.limit(&mut invalid);
        let asked = duplicates::Filter {
            registry: parameters.get("registry").map(Into::into),
            name: name(&parameters, &mut invalid),
            kind: parameters.one_of("kind", "same, look-alike", duplicates::Kind::from_wire, &mut invalid),
            grade: parameters.one_of("grade", "certain, likely, weak", duplicates::Grade::from_wire, &mut invalid),
        };
        let cursor = cursor::<GroupCursor>(&parameters, invalid)?;
        let Some(GroupCursor { filter, name, id, .. }) = cursor else {
            return Ok(Self::Duplicates(Asked { filter: asked, after: None, limit }));
        };
        let filter: duplicates::Filter = filter.try_into()?;
        check(&[
            ("registry", differs(asked.registry.as_ref(), filter.registry.as_ref())),
            ("name", differs(asked.name.as_ref(), filter.name.as_ref())),
            ("kind", differs(asked.kind.as_ref(), filter.kind.as_ref())),
            ("grade", differs(asked.grade.as_ref(), filter.grade.as_ref())),
        ])?;
        let after = duplicates::Position { name, id };
        Ok(Self::Duplicates(Asked { filter, after: Some(after), limit }))
    }

    /// The registry that it is restricted to, if it is.
    pub(in crate::serve) fn registry(&self) -> Option<&str> {
        match self {
            Self::Conflicts(asked) => asked.filter.registry.as_deref(),
            Self::Duplicates(asked) => asked.filter.registry.as_deref(),
        }
    }

    /// Whether it begins behind the first page.
    pub(in crate::serve) fn is_later(&self) -> bool {
        match self {
            Self::Conflicts(asked) => asked.after.is_some(),
            Self::Duplicates(asked) => asked.after.is_some(),
        }
    }

    /// Roughly what it takes of memory besides itself.
    pub(in crate::serve) fn heap_bytes(&self) -> usize {
        let length = |texts: &[Option<&str>]| texts.iter().flatten().map(|text| text.len()).sum();
        match self {
            Self::Conflicts(Asked { filter, after, .. }) => {
                let after = after.as_ref();
                length(&[
                    filter.registry.as_deref(),
                    filter.name.as_deref(),
                    after.map(|after| &*after.name),
                    after.map(|after| &*after.key.version),
                    after.map(|after| &*after.key.registry),
                ])
            }
            Self::Duplicates(Asked { filter, after, .. }) => {
                let after = after.as_ref();
                length(&[
                    filter.registry.as_deref(),
                    filter.name.as_deref(),
                    after.map(|after| &*after.name),
                    after.map(|after| &*after.id),
                ])
            }
        }
    }
}

fn name(parameters: &Parameters<'_>, invalid: &mut Vec<InvalidParameter>) -> Option<Box<str>> {
    parameters.short("name", MAX_KEY_BYTES, invalid).map(Into::into)
}

/// Reads the cursor, if there is one, where nothing else is wrong.
fn cursor<T: DeserializeOwned>(
    parameters: &Parameters<'_>,
    invalid: Vec<InvalidParameter>,
) -> Result<Option<T>, Problem> {
    if !invalid.is_empty() {
        return Err(Problem::Validation(invalid));
    }
    parameters.get("cursor").map(|text| open(text).ok_or_else(no_cursor)).transpose()
}

fn no_cursor() -> Problem {
    Problem::BadRequest("Invalid cursor parameter".into())
}

/// The cursor's filters win; a query that contradicts them is an error (contract §4).
fn check(contradicted: &[(&str, bool)]) -> Result<(), Problem> {
    contradicted.iter().find(|(_, contradicted)| *contradicted).map_or(Ok(()), |(key, _)| Err(contradiction(key)))
}

/// What tells a cursor of one list from that of another.
#[derive(Serialize, Deserialize)]
enum OfConflicts {
    #[serde(rename = "conflicts")]
    Here,
}

#[derive(Serialize, Deserialize)]
enum OfDuplicates {
    #[serde(rename = "duplicates")]
    Here,
}

/// The filters of both, in short words: the whole is a part of every follow-up URL.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filters {
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    registry: Option<Box<str>>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    name: Option<Box<str>>,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    kind: Option<Box<str>>,
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    grade: Option<Box<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConflictCursor {
    of: OfConflicts,
    #[serde(rename = "f", default)]
    filter: Filters,
    #[serde(rename = "n")]
    name: Box<str>,
    /// Kind, version, registry.
    #[serde(rename = "k")]
    key: (Box<str>, Box<str>, Box<str>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupCursor {
    of: OfDuplicates,
    #[serde(rename = "f", default)]
    filter: Filters,
    #[serde(rename = "n")]
    name: Box<str>,
    #[serde(rename = "i")]
    id: Box<str>,
}

impl TryFrom<Filters> for conflicts::Filter {
    type Error = Problem;

    fn try_from(Filters { registry, name, kind, grade }: Filters) -> Result<Self, Problem> {
        let kind = kind.map(|kind| conflicts::Kind::from_wire(&kind).ok_or_else(no_cursor)).transpose()?;
        if grade.is_some() { Err(no_cursor()) } else { Ok(Self { registry, name, kind }) }
    }
}

impl TryFrom<Filters> for duplicates::Filter {
    type Error = Problem;

    fn try_from(Filters { registry, name, kind, grade }: Filters) -> Result<Self, Problem> {
        let kind = kind.map(|kind| duplicates::Kind::from_wire(&kind).ok_or_else(no_cursor)).transpose()?;
        let grade = grade.map(|grade| duplicates::Grade::from_wire(&grade).ok_or_else(no_cursor)).transpose()?;
        Ok(Self { registry, name, kind, grade })
    }
}

/// The cursor of the page that begins after a conflict.
pub(super) fn after_conflict(filter: &conflicts::Filter, position: conflicts::Position) -> String {
    let conflicts::Filter { registry, name, kind } = filter.clone();
    let filter = Filters { registry, name, kind: kind.map(|kind| kind.as_str().into()), grade: None };
    let Key { kind, version, registry } = position.key;
    let key = (kind.as_str().into(), version, registry);
    sealed(&ConflictCursor { of: OfConflicts::Here, filter, name: position.name, key })
}

/// The cursor of the page that begins after a group.
pub(super) fn after_group(filter: &duplicates::Filter, position: duplicates::Position) -> String {
    let duplicates::Filter { registry, name, kind, grade } = filter.clone();
    let kind = kind.map(|kind| kind.as_str().into());
    let filter = Filters { registry, name, kind, grade: grade.map(|grade| grade.as_str().into()) };
    sealed(&GroupCursor { of: OfDuplicates::Here, filter, name: position.name, id: position.id })
}

fn sealed(cursor: &impl Serialize) -> String {
    seal(&serde_json::to_vec(cursor).expect("a cursor holds only texts"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = Option<Box<str>>> {
        prop::option::of(".{1,20}".prop_map(Into::into))
    }

    proptest! {
        #[test]
        fn a_cursor_reads_as_what_it_was_made_of(
            (registry, name, version) in (text(), text(), text()), kind in 0_usize..4, id in "[0-9a-f]{16}"
        ) {
            let kinds = conflicts::Kind::ALL;
            let filter = conflicts::Filter { registry, name, kind: kinds.get(kind).copied() };
            let key = Key { kind: kinds[kind % 3], version: version.unwrap_or_default(), registry: "r".into() };
            let position = conflicts::Position { name: "a/b".into(), key };
            let query = format!("limit=7&cursor={}", after_conflict(&filter, position.clone()));
            let asked = Asked { filter, after: Some(position), limit: 7 };
            prop_assert_eq!(Inspection::conflicts(Some(&query)), Ok(Inspection::Conflicts(asked)));
            prop_assert!(Inspection::duplicates(Some(&query)).is_err(), "it is another list's");

            let filter = duplicates::Filter { grade: duplicates::Grade::ALL.get(kind).copied(), ..Default::default() };
            let position = duplicates::Position { name: "a/b".into(), id: id.into() };
            let query = format!("cursor={}", after_group(&filter, position.clone()));
            let asked = Asked { filter, after: Some(position), limit: 30 };
            prop_assert_eq!(Inspection::duplicates(Some(&query)), Ok(Inspection::Duplicates(asked)));
            prop_assert!(Inspection::conflicts(Some(&query)).is_err(), "it is another list's");
        }
    }

    #[test]
    fn a_query_that_contradicts_its_cursor_is_refused_and_one_that_repeats_it_is_not() {
        let filter = conflicts::Filter { name: Some("com.acme/*".into()), ..conflicts::Filter::default() };
        let key = Key { kind: conflicts::Kind::Latest, version: "".into(), registry: "".into() };
        let cursor = after_conflict(&filter, conflicts::Position { name: "com.acme/a".into(), key });
        let status = |query: &str| {
            let asked = Inspection::conflicts(Some(&format!("{query}&cursor={cursor}")));
            asked.map_err(|problem| problem.status().as_u16()).map(|_| ())
        };
        assert_eq!(status("name=com.acme/*"), Ok(()));
        assert_eq!(status("name=com.other/*"), Err(400));
        assert_eq!(status("kind=latest"), Err(400));
        assert_eq!(status("kind=sometimes"), Err(422));
        assert_eq!(Inspection::conflicts(Some("cursor=AAAA")).map_err(|problem| problem.status().as_u16()), Err(400));
    }

    #[test]
    fn the_longest_cursor_fits_in_a_url() {
        let text = |length| Some(Box::<str>::from("\"".repeat(length)));
        let filter = conflicts::Filter { registry: text(63), name: text(MAX_KEY_BYTES), kind: None };
        let (name, version) = (text(MAX_KEY_BYTES), text(MAX_KEY_BYTES));
        let key = Key { kind: conflicts::Kind::Refused, version: version.unwrap_or_default(), registry: "r".into() };
        let cursor = after_conflict(&filter, conflicts::Position { name: name.unwrap_or_default(), key });
        assert!(cursor.len() + 100 < super::super::super::guard::MAX_URI_BYTES, "{}", cursor.len());
    }
}
