//! Work on a long list by two threads: what a start waits for, and a change of rules.

use std::panic::resume_unwind;
use std::thread;

/// Does both, the second one in a thread of its own; where there is none to be had, one after the other.
pub(super) fn both<T: Send>(first: impl FnOnce() -> T, second: impl Fn() -> T + Sync) -> (T, T) {
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, &second);
        let done = first();
        match other {
            Ok(other) => (done, other.join().unwrap_or_else(|panic| resume_unwind(panic))),
            Err(_) => (done, second()),
        }
    })
}
