//! Query strings, read as the official server reads them (registry-api.md §1.2): unknown parameters are
//! ignored, of repeated ones the first counts, an empty one means its default, all of the wrong kind are
//! reported together.

mod asked;
mod changes;
mod parameters;

use super::cursor;
use super::error::Problem;
use crate::catalog::page::{Filter, Position};

use asked::Asked;
pub(super) use asked::{contradiction, differs};
pub(super) use changes::{CHANGES_PARAMETERS, ChangesQuery, changes};
pub(super) use parameters::Parameters;

/// A list request in canonical form: what is asked for, without how it was spelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ListQuery {
    pub(super) filter: Filter,
    pub(super) after: Option<Position>,
    pub(super) limit: usize,
}

/// The parameters of a list request; all others are ignored. The description names the same.
pub(super) const LIST_PARAMETERS: [&str; 11] = [
    "cursor",
    "limit",
    "search",
    "updated_since",
    "version",
    "include_deleted",
    "registry",
    "type",
    "package_type",
    "transport",
    "status",
];

/// Reads the query of a list request.
pub(super) fn list(query: Option<&str>) -> Result<ListQuery, Problem> {
    let parameters = Parameters::read(query);
    let mut invalid = Vec::new();
    let limit = parameters.limit(&mut invalid);
    let asked = Asked::read(&parameters, &mut invalid);
    if !invalid.is_empty() {
        return Err(Problem::Validation(invalid));
    }
    let asked = asked.with_time(parameters.get("updated_since"))?;
    let (filter, after) = match parameters.get("cursor") {
        None => (asked.into_filter(), None),
        Some(text) => {
            let (filter, position) =
                cursor::decode(text).ok_or(Problem::BadRequest("Invalid cursor parameter".into()))?;
            asked.check_against(&filter)?;
            (filter, Some(position))
        }
    };
    Ok(ListQuery { filter, after, limit })
}

/// Reads the query of a request for versions: whether deleted ones are included.
pub(super) fn include_deleted(query: Option<&str>) -> Result<bool, Problem> {
    let mut invalid = Vec::new();
    let flag = Parameters::read(query).flag("include_deleted", &mut invalid);
    if invalid.is_empty() { Ok(flag.unwrap_or_default()) } else { Err(Problem::Validation(invalid)) }
}

#[cfg(test)]
mod tests;
