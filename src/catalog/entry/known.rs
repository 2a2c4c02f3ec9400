//! What entries have in common, held once.

use std::collections::HashSet;

use crate::catalog::facets::Facets;

/// The sets of facets of one document: most of its entries have one that another one has.
#[derive(Debug, Default)]
pub struct KnownFacets(HashSet<Facets>);

impl KnownFacets {
    /// The set that was known before, if it is the same, in its place.
    pub fn share(&mut self, facets: Facets) -> Facets {
        if let Some(known) = self.0.get(&facets) {
            return known.clone();
        }
        self.0.insert(facets.clone());
        facets
    }
}
