//! Long lists of what successive listings and catalogs share.
//!
//! Each refresh makes such lists out of the ones before and drops those, and so counts every item up and down once.
//! The counts lie all over the memory. An atomic addition waits until its count has come into the cache, and all that
//! follows waits for it; but reads wait side by side. So the counts of a few items are read first.

use std::fmt;
use std::hint::black_box;
use std::ops::Deref;
use std::slice::Iter;
use std::sync::Arc;

/// How many counts are read at a time: about as many as a processor waits for at a time.
const AT_ONCE: usize = 16;

/// A list whose items others hold, too.
pub struct Shared<T>(Vec<Arc<T>>);

impl<T> Shared<T> {
    pub(super) fn push(&mut self, item: Arc<T>) {
        self.0.push(item);
    }

    pub(super) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    pub(super) fn reserve_exact(&mut self, more: usize) {
        self.0.reserve_exact(more);
    }
}

/// Adds items to a list.
pub(super) fn extend<T>(list: &mut Vec<Arc<T>>, more: &[Arc<T>]) {
    list.reserve(more.len());
    for items in more.chunks(AT_ONCE) {
        read_counts(items);
        list.extend_from_slice(items);
    }
}

fn read_counts<T>(items: &[Arc<T>]) {
    black_box(items.iter().map(Arc::strong_count).fold(0, usize::wrapping_add));
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let mut left = self.0.len();
        while left > 0 {
            left = left.saturating_sub(AT_ONCE);
            read_counts(&self.0[left..]);
            self.0.truncate(left);
        }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        let mut list = Vec::new();
        extend(&mut list, &self.0);
        Self(list)
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<T> Deref for Shared<T> {
    type Target = [Arc<T>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> From<Vec<Arc<T>>> for Shared<T> {
    fn from(list: Vec<Arc<T>>) -> Self {
        Self(list)
    }
}

impl<T> FromIterator<Arc<T>> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = Arc<T>>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<'a, T> IntoIterator for &'a Shared<T> {
    type Item = &'a Arc<T>;
    type IntoIter = Iter<'a, Arc<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_counted_once() {
        for length in [0, 1, AT_ONCE - 1, AT_ONCE, 3 * AT_ONCE + 5] {
            let items: Vec<Arc<usize>> = (0..length).map(Arc::new).collect();
            let mut list = Shared::from(items.clone());
            let mut more = Vec::new();
            extend(&mut more, &list);
            list.append(Shared::from(more));
            assert!(list.iter().zip(items.iter().chain(&items)).all(|(one, other)| Arc::ptr_eq(one, other)));
            let again = list.clone();
            assert!(items.iter().all(|item| Arc::strong_count(item) == 5));
            drop((list, again));
            assert!(items.iter().all(|item| Arc::strong_count(item) == 1));
        }
    }
}
