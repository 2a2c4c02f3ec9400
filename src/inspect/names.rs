//! The part of a catalog that a question is about: its names in order, and those that a filter lets through.

use std::sync::Arc;

use crate::catalog::rules::Shape;
use crate::catalog::{Catalog, Server};

/// Names that a request asks for: one, or with `*` as many as there are; letter case is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFilter(Shape);

impl NameFilter {
    /// The filter that this text is.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Shape::of_wildcards(text))
    }

    /// Whether a name passes.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.matches(name)
    }
}

/// All names that registries list, whether any of their versions is served or not, from this one on, in the order of
/// their bytes.
pub(super) fn listed_from<'a>(catalog: &'a Catalog, name: &str) -> impl Iterator<Item = &'a Arc<Server>> + use<'a> {
    let from = |servers: &'a [Arc<Server>]| {
        let start = servers.partition_point(|server| server.name.as_str() < name);
        servers[start..].iter().peekable()
    };
    let (mut served, mut unserved) = (from(catalog.servers()), from(catalog.unserved()));
    std::iter::from_fn(move || match (served.peek(), unserved.peek()) {
        (Some(one), Some(other)) if other.name < one.name => unserved.next(),
        (Some(_), _) => served.next(),
        (None, _) => unserved.next(),
    })
}
