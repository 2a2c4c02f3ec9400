//! Whose content a catalog passes on: the ids of the proxies behind it. A proxy that finds its own id among
//! those behind a registry has found a loop. How ids travel, `registry` and `serve` know.

use std::collections::HashSet;
use std::sync::Arc;

/// The most ids that one proxy passes on, its own included, and the most bytes that they may take. Servers in front
/// of this one often take no more than 4 KiB of headers in all. Only what lies beyond the nearest ids is cut.
const MAX_IDS: usize = 128;
/// See [`MAX_IDS`].
const MAX_BYTES: usize = 3 << 10;
/// The most ids that are remembered of one registry.
const MAX_HEARD: usize = 1024;
/// The longest id.
const MAX_ID_BYTES: usize = 64;
/// What stands between two ids.
pub const SEPARATOR: &str = ", ";

/// The id of a proxy: 1 to 64 of `A-Z a-z 0-9 _ -`. Replicas of one proxy share theirs. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// Ids of proxies, the nearest first: each once, and a bounded number of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage(Vec<ProxyId>);

impl Lineage {
    /// What the ids in a registry's answer tell the proxy that has those that `is_own` knows: the proxies behind the
    /// registry, and whether that is a loop.
    ///
    /// Of a loop, only what stands before our own id is kept. What follows it may have been learned from us, and
    /// two proxies that believed each other would name for ever what is long gone. What stands before it was
    /// learned elsewhere: an id moves back by one place at least from proxy to proxy, so one that nobody stands
    /// for any more moves back until it is out of all lists.
    #[must_use]
    pub fn heard(ids: impl IntoIterator<Item = ProxyId>, is_own: impl Fn(&ProxyId) -> bool) -> (Self, bool) {
        let mut ids = ids.into_iter();
        let mut is_loop = false;
        let before = ids.by_ref().take_while(|id| {
            is_loop = is_own(id);
            !is_loop
        });
        let kept = before.collect();
        // Looked for in all that the answer holds, also beyond what is kept of it.
        (kept, is_loop || ids.any(|id| is_own(&id)))
    }

    /// The ids behind several registries, as they are passed on, and whether some had to be cut off: first all the
    /// nearest, then all the next. So no registry, however many ids it names, can crowd out what the others have
    /// to say; and the nearest, of which there is one for each registry at most, are never cut: two proxies that
    /// list each other always see it.
    ///
    /// The first ids of what is passed on depend on fewer of the first ids of what was heard. That is why proxies
    /// in whatever loops agree in the end on who names whom, and why the limit must cut at the end only.
    #[must_use]
    pub fn of(registries: &[Arc<Self>]) -> (Self, bool) {
        let deepest = registries.iter().map(|lineage| lineage.0.len()).max().unwrap_or_default();
        let at = |depth: usize| registries.iter().filter_map(move |lineage| Some((depth, lineage.0.get(depth)?)));
        let (mut kept, mut seen) = (Vec::new(), HashSet::new());
        // Ours comes before them.
        let mut bytes = MAX_ID_BYTES;
        for (depth, id) in (0..deepest).flat_map(at) {
            if !seen.insert(id) {
                continue;
            }
            bytes += SEPARATOR.len() + id.as_str().len();
            if depth > 0 && (MAX_IDS <= kept.len() + 1 || MAX_BYTES < bytes) {
                return (Self(kept), true);
            }
            kept.push(id.clone());
        }
        (Self(kept), false)
    }

    /// The ids, the nearest first.
    pub fn ids(&self) -> impl Iterator<Item = &ProxyId> {
        self.0.iter()
    }
}

impl FromIterator<ProxyId> for Lineage {
    fn from_iter<I: IntoIterator<Item = ProxyId>>(ids: I) -> Self {
        let mut seen = HashSet::new();
        Self(ids.into_iter().filter(|id| seen.insert(id.clone())).take(MAX_HEARD).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(ids: &[&str]) -> Arc<Lineage> {
        Arc::new(ids.iter().filter_map(|id| ProxyId::new(id)).collect())
    }

    fn numbered(prefix: &str, count: usize) -> Arc<Lineage> {
        Arc::new((0..count).filter_map(|number| ProxyId::new(&format!("{prefix}{number}"))).collect())
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
    fn of_a_loop_only_what_stands_before_our_own_id_is_kept() {
        let heard = |ids: &[&str]| Lineage::heard(lineage(ids).0.clone(), |id| id.as_str() == "us");
        assert_eq!(heard(&["a", "b"]), (lineage(&["a", "b"]).as_ref().clone(), false));
        assert_eq!(heard(&["a", "us", "b"]), (lineage(&["a"]).as_ref().clone(), true));
        assert_eq!(heard(&["us", "b"]), (Lineage::default(), true));
        let (kept, is_loop) =
            Lineage::heard([numbered("n", 5000).0.clone(), lineage(&["us"]).0.clone()].concat(), |_| false);
        assert_eq!((kept.0.len(), is_loop), (MAX_HEARD, false), "without an id of our own there is no loop");
    }

    #[test]
    fn the_nearest_come_first_and_each_comes_once() {
        let of = Lineage::of(&[lineage(&["b", "d", "e"]), lineage(&[]), lineage(&["c", "b", "f"])]);
        assert_eq!(of, (lineage(&["b", "c", "d", "e", "f"]).as_ref().clone(), false));
        assert_eq!(Lineage::of(&[]), (Lineage::default(), false));
    }

    #[test]
    fn a_registry_that_names_very_many_does_not_crowd_out_the_others() {
        let (of, is_cut) = Lineage::of(&[numbered("", 10_000), lineage(&["near", "far"])]);
        assert_eq!((of.ids().count() + 1, is_cut), (MAX_IDS, true));
        assert!(of.ids().any(|id| id.as_str() == "far"));
        let (of, is_cut) = Lineage::of(&[numbered(&"x".repeat(60), 100)]);
        let bytes: usize = of.ids().map(|id| id.as_str().len() + SEPARATOR.len()).sum();
        assert!(is_cut && bytes + MAX_ID_BYTES <= MAX_BYTES, "{bytes}");
    }

    #[test]
    fn the_nearest_are_never_cut() {
        let long = |number| format!("{}{number:04}", "x".repeat(60));
        let registries: Vec<_> = (0..300).map(|number| lineage(&[&long(number), "far"])).collect();
        let (of, is_cut) = Lineage::of(&registries);
        assert_eq!((of.ids().count(), is_cut), (300, true));
        assert!(of.ids().any(|id| id.as_str() == long(299)));
        assert!(!Lineage::of(&[numbered("", MAX_IDS - 1)]).1, "what fits is not cut");
    }
}
