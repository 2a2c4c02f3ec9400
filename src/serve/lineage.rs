//! The header `MCP-Registry-Proxy` of every answer: our id, then those of the proxies whose content we pass on.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderValue;

use crate::catalog::current::Current;
use crate::catalog::lineage::{Lineage, MAX_IDS, ProxyId};

/// The longest value of the header. Proxies in front of this one often take no more than 4 KiB of headers in all,
/// and a registry that names long ids shall not bring that about.
const MAX_BYTES: usize = 2 << 10;

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

    /// The value as it is now.
    pub(super) fn value(&self, current: &Current) -> HeaderValue {
        let lineage = current.lineage();
        let made = self.made.load();
        if Arc::ptr_eq(&made.of, &lineage) {
            return made.value.clone();
        }
        let made = Made::new(&self.own, Arc::clone(&lineage));
        let value = made.value.clone();
        self.made.store(Arc::new(made));
        value
    }
}

fn value(own: &ProxyId, lineage: &Lineage) -> HeaderValue {
    let mut text = own.as_str().to_owned();
    for id in lineage.ids().filter(|id| *id != own).take(MAX_IDS - 1) {
        if MAX_BYTES < text.len() + ", ".len() + id.as_str().len() {
            break;
        }
        text.push_str(", ");
        text.push_str(id.as_str());
    }
    HeaderValue::from_str(&text).expect("ids are letters, digits, hyphens and underscores")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ProxyId {
        ProxyId::new(text).expect("an id")
    }

    #[test]
    fn ours_comes_first_and_once() {
        let (current, header) = (Current::default(), LineageHeader::new(id("us")));
        assert_eq!(header.value(&current), "us");
        current.set_lineage(Arc::new([id("b"), id("us"), id("a")].into_iter().collect()));
        for _ in 0..2 {
            assert_eq!(header.value(&current), "us, b, a");
        }
    }

    #[test]
    fn neither_many_nor_long_ids_make_a_long_header() {
        let header = LineageHeader::new(id("us"));
        let lengths = [1, 64].map(|width| {
            let current = Current::default();
            current.set_lineage(Arc::new((0..100).map(|number| id(&format!("{number:0>width$}"))).collect()));
            let value = header.value(&current);
            let value = value.to_str().expect("text");
            (value.split(", ").count(), value.len() <= MAX_BYTES)
        });
        assert_eq!(lengths, [(64, true), (32, true)]);
    }
}
