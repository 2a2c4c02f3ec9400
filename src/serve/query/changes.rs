//! The query of a request for the feed of changes.

use super::parameters::Parameters;
use crate::catalog::entry::MAX_KEY_BYTES;
use crate::serve::changes::Form;
use crate::serve::error::Problem;

/// The parameters of such a request; all others are ignored. The description names the same.
pub(in super::super) const CHANGES_PARAMETERS: [&str; 5] = ["since", "limit", "registry", "name", "format"];

/// What of the feed is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct ChangesQuery {
    /// A cursor.
    pub(in super::super) since: Option<String>,
    pub(in super::super) limit: usize,
    /// Where `Accept` is not to say it.
    pub(in super::super) form: Option<Form>,
    pub(in super::super) registry: Option<Box<str>>,
    pub(in super::super) name: Option<Box<str>>,
}

/// Reads the query of a request for the feed of changes.
pub(in super::super) fn changes(query: Option<&str>) -> Result<ChangesQuery, Problem> {
    let parameters = Parameters::read(query);
    let mut invalid = Vec::new();
    let query = ChangesQuery {
        since: parameters.get("since").map(str::to_owned),
        limit: parameters.limit(&mut invalid),
        form: parameters.one_of("format", "json, ndjson, event-stream, atom", Form::from_name, &mut invalid),
        registry: parameters.get("registry").map(Into::into),
        name: parameters.short("name", MAX_KEY_BYTES, &mut invalid).map(Into::into),
    };
    if invalid.is_empty() { Ok(query) } else { Err(Problem::Validation(invalid)) }
}
