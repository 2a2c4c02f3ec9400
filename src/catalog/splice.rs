//! Sorted lists that share most of what they hold with the list before: only the names that changed are looked for, and
//! what stands between them is taken over as it is.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Server;
use super::entry::Name;
use super::listing::Listed;
use super::shared::extend;

/// What a list is sorted by.
pub(super) trait Named {
    /// Its name.
    fn name(&self) -> &Name;
}

impl Named for Listed {
    fn name(&self) -> &Name {
        &self.name
    }
}

impl Named for Server {
    fn name(&self) -> &Name {
        &self.name
    }
}

/// A sorted list while it is made out of the one before.
pub(super) struct Splice<'a, T> {
    /// What has not been taken over yet.
    before: &'a [Arc<T>],
    now: Vec<Arc<T>>,
}

impl<'a, T: Named> Splice<'a, T> {
    /// Out of `before`, with room for so many names more.
    pub(super) fn new(before: &'a [Arc<T>], more: usize) -> Self {
        Self { before, now: Vec::with_capacity(before.len() + more) }
    }

    /// Takes over what stands before a name, and gives out what had the name, which is not taken over. Names have to
    /// come in ascending order.
    pub(super) fn take(&mut self, name: &Name) -> Option<&'a Arc<T>> {
        let (kept, rest) = self.before.split_at(self.before.partition_point(|known| known.name() < name));
        extend(&mut self.now, kept);
        self.before = rest;
        let (first, rest) = rest.split_first().filter(|(first, _)| first.name() == name)?;
        self.before = rest;
        Some(first)
    }

    /// Adds what has the name that was asked for last.
    pub(super) fn push(&mut self, item: Arc<T>) {
        self.now.push(item);
    }

    /// The list, with all that stands behind the last name.
    pub(super) fn finish(mut self) -> Vec<Arc<T>> {
        extend(&mut self.now, self.before);
        self.now
    }
}

/// The names of which two sorted lists do not share what has the name, in order. One comparison of pointers for each
/// name that they share.
pub(super) fn differing<'a, T: Named>(mut before: &'a [Arc<T>], mut now: &'a [Arc<T>]) -> Vec<&'a Name> {
    let mut names = Vec::new();
    loop {
        let shared = before.iter().zip(now).take_while(|(before, now)| Arc::ptr_eq(before, now)).count();
        (before, now) = (&before[shared..], &now[shared..]);
        let (order, name) = match (before.first(), now.first()) {
            (Some(was), Some(is)) => (was.name().cmp(is.name()), was.name().min(is.name())),
            (Some(was), None) => (Ordering::Less, was.name()),
            (None, Some(is)) => (Ordering::Greater, is.name()),
            (None, None) => return names,
        };
        names.push(name);
        before = &before[usize::from(order.is_le())..];
        now = &now[usize::from(order.is_ge())..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str) -> Arc<Listed> {
        Arc::new(Listed { name: Name::new(name).expect("a name"), entries: Vec::new() })
    }

    fn names(list: &[Arc<Listed>]) -> Vec<&str> {
        list.iter().map(|listed| listed.name.as_str()).collect()
    }

    #[test]
    fn what_is_new_changed_or_gone_differs_and_nothing_else() {
        let before: Vec<_> = ["b", "c", "d", "e", "g"].map(listed).into();
        let now =
            vec![listed("a"), Arc::clone(&before[0]), listed("c"), Arc::clone(&before[3]), listed("f"), listed("h")];
        let differing: Vec<&str> = differing(&before, &now).into_iter().map(Name::as_str).collect();
        assert_eq!(differing, ["a", "c", "d", "f", "g", "h"]);
        assert!(super::differing(&now, &now).is_empty());
    }

    #[test]
    fn what_is_not_asked_for_stays_and_what_is_goes_or_is_replaced() {
        let before: Vec<_> = ["b", "c", "d", "e"].map(listed).into();
        let mut splice = Splice::new(&before, 1);
        for (name, is_known, stays) in [("a", false, true), ("c", true, true), ("d", true, false), ("f", false, true)] {
            let new = listed(name);
            assert_eq!(splice.take(&new.name).is_some(), is_known, "{name}");
            if stays {
                splice.push(new);
            }
        }
        let now = splice.finish();
        assert_eq!(names(&now), ["a", "b", "c", "e", "f"]);
        assert!(Arc::ptr_eq(&now[1], &before[0]) && !Arc::ptr_eq(&now[2], &before[1]));
    }
}
