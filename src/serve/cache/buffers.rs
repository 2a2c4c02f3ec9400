//! Buffers for bodies that are not kept. The one that was sent last is the next one that is written: the processor
//! still has its memory at hand, and the allocator need not look for as much anew.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// How many wait to be used again, at most: more than are on their way at a time, where clients take what they ask for.
const MAX_BUFFERS: usize = 16;
/// How large a new one is, which is enough for a page of fifty entries, and the largest that is used again.
const NEW_BUFFER_BYTES: usize = 64 << 10;
const MAX_BUFFER_BYTES: usize = 256 << 10;

/// The buffers that wait. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        self.waiting().pop().unwrap_or_else(|| Vec::with_capacity(NEW_BUFFER_BYTES))
    }

    /// A body out of what was written to a buffer, which comes back when the body has gone. A short one does not keep a
    /// large buffer: of a body, only its length is counted (`connection::load`).
    pub(super) fn body(&self, buffer: Vec<u8>) -> Bytes {
        let lent = Lent { buffer, home: self.clone() };
        if lent.buffer.len() < lent.buffer.capacity() / 2 {
            return Bytes::copy_from_slice(&lent.buffer);
        }
        Bytes::from_owner(lent)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer, until it comes back.
struct Lent {
    buffer: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if MAX_BUFFER_BYTES < self.buffer.capacity() {
            return;
        }
        self.buffer.clear();
        let mut waiting = self.home.waiting();
        if waiting.len() < MAX_BUFFERS {
            waiting.push(mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_body_has_gone() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take();
        buffer.resize(NEW_BUFFER_BYTES, b' ');
        let place = buffer.as_ptr();
        let body = buffers.body(buffer);
        let part = body.slice(10..20);
        drop(body);
        assert!(buffers.waiting().is_empty(), "a part of it is on its way");
        drop(part);
        let again = buffers.take();
        assert_eq!((again.len(), again.as_ptr()), (0, place));
    }

    #[test]
    fn a_short_body_keeps_no_large_buffer() {
        let buffers = Buffers::default();
        let mut buffer = Vec::with_capacity(100_000);
        buffer.push(b' ');
        let body = buffers.body(buffer);
        assert_eq!((body.len(), buffers.take().capacity()), (1, 100_000));
    }

    #[test]
    fn so_many_wait_and_no_more_and_none_that_is_larger() {
        let buffers = Buffers::default();
        let body = |bytes: usize| buffers.body(vec![b' '; bytes]);
        let bodies: Vec<Bytes> = (0..2 * MAX_BUFFERS).map(|_| body(1_000)).collect();
        drop(bodies);
        assert_eq!(buffers.waiting().len(), MAX_BUFFERS);
        buffers.waiting().clear();
        drop(body(MAX_BUFFER_BYTES + 1));
        assert!(buffers.waiting().is_empty());
    }
}
