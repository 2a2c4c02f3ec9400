//! The header `MCP-Registry-Proxy` of every answer: our id, then those of the proxies whose content we pass on.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderValue;

use crate::catalog::lineage::{Lineage, ProxyId, SEPARATOR};

/// The header's value, made anew only when it changes.
#[derive(Debug)]
pub(super) struct LineageHeader {
    own: ProxyId,
    made: ArcSwap<Made>,
}

#[derive(Debug)]
struct Made {
    of: Arc<Lineage>,
    value: HeaderValue,
}

impl Made {
    fn new(own: &ProxyId, of: Arc<Lineage>) -> Self {
        Self { value: value(own, &of), of }
    }
}

impl LineageHeader {
    pub(super) fn new(own: ProxyId) -> Self {
        let made = Made::new(&own, Arc::default());
        Self { own, made: ArcSwap::from_pointee(made) }
    }

    /// Our own id.
    pub(super) fn own(&self) -> &ProxyId {
        &self.own
    }

    /// The value for a lineage.
    pub(super) fn value(&self, lineage: &Arc<Lineage>) -> HeaderValue {
        let made = self.made.load();
        if Arc::ptr_eq(&made.of, lineage) {
            return made.value.clone();
        }
        let made = Made::new(&self.own, Arc::clone(lineage));
        let value = made.value.clone();
        self.made.store(Arc::new(made));
        value
    }
}

/// How many there are at most, the lineage knows.
fn value(own: &ProxyId, lineage: &Lineage) -> HeaderValue {
    let mut text = own.as_str().to_owned();
    for id in lineage.ids().filter(|id| *id != own) {
        text.push_str(SEPARATOR);
        text.push_str(id.as_str());
    }
    HeaderValue::from_str(&text).expect("ids are letters, digits, hyphens and underscores")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::current::Current;

    fn id(text: &str) -> ProxyId {
        ProxyId::new(text).expect("an id")
    }

    #[test]
    fn ours_comes_first_and_once() {
        let (current, header) = (Current::default(), LineageHeader::new(id("us")));
        assert_eq!(header.value(&current.lineage()), "us");
        current.set_lineage(Arc::new([id("b"), id("us"), id("a")].into_iter().collect()));
        for _ in 0..2 {
            assert_eq!(header.value(&current.lineage()), "us, b, a");
        }
    }
}
