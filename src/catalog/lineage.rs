//! Whose content a catalog passes on: the ids of the proxies behind it. A proxy that finds its own id among
//! those behind a registry has found a loop. How ids travel, `registry` and `serve` know.

use std::sync::Arc;

/// The most ids that are remembered and passed on. What lies beyond is cut off.
pub const MAX_IDS: usize = 64;
/// The longest id.
const MAX_ID_BYTES: usize = 64;

/// The id of a proxy: 1 to 64 of `A-Z a-z 0-9 _ -`. Replicas of one proxy share theirs. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyId(Arc<str>);

impl ProxyId {
    /// The id, if the text can be one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_id = (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(is_allowed);
        is_id.then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Ids of proxies, the nearest first: each once, [`MAX_IDS`] at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage(Vec<ProxyId>);

impl Lineage {
    /// The ids behind several registries: first all the nearest, then all the next. So no registry, however
    /// many ids it names, can crowd out what the others have to say.
    #[must_use]
    pub fn of(registries: &[Arc<Self>]) -> Self {
        let deepest = registries.iter().map(|lineage| lineage.0.len()).max().unwrap_or_default();
        let at = |depth: usize| registries.iter().filter_map(move |lineage| lineage.0.get(depth).cloned());
        (0..deepest).flat_map(at).collect()
    }

    /// The ids, the nearest first.
    pub fn ids(&self) -> impl Iterator<Item = &ProxyId> {
        self.0.iter()
    }
}

impl FromIterator<ProxyId> for Lineage {
    fn from_iter<I: IntoIterator<Item = ProxyId>>(ids: I) -> Self {
        let mut kept: Vec<ProxyId> = Vec::new();
        for id in ids {
            if kept.len() == MAX_IDS {
                break;
            }
            if !kept.contains(&id) {
                kept.push(id);
            }
        }
        Self(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(ids: &[&str]) -> Arc<Lineage> {
        Arc::new(ids.iter().filter_map(|id| ProxyId::new(id)).collect())
    }

    #[test]
    fn an_id_is_short_and_plain() {
        let long = "x".repeat(65);
        for bad in ["", "a b", "a,b", "ä", "a=", "\"a\"", "a\n", &long] {
            assert_eq!(ProxyId::new(bad), None, "{bad:?}");
        }
        for good in ["a", "-_aZ09", &long[..64]] {
            assert_eq!(ProxyId::new(good).as_ref().map(ProxyId::as_str), Some(good));
        }
    }

    #[test]
    fn the_nearest_come_first_and_each_comes_once() {
        let of = Lineage::of(&[lineage(&["b", "d", "e"]), lineage(&[]), lineage(&["c", "b", "f"])]);
        assert_eq!(of, *lineage(&["b", "c", "d", "e", "f"]));
        assert_eq!(Lineage::of(&[]), Lineage::default());
    }

    #[test]
    fn a_registry_that_names_very_many_does_not_crowd_out_the_others() {
        let many: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
        let many = lineage(&many.iter().map(String::as_str).collect::<Vec<_>>());
        let of = Lineage::of(&[many, lineage(&["near", "far"])]);
        assert_eq!(of.ids().count(), MAX_IDS);
        assert!(of.ids().any(|id| id.as_str() == "far"));
    }
}
