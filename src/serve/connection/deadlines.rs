//! How long a peer may take for what.

use std::time::Duration;

/// The deadlines of every connection. They are no keys of the configuration; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// From accepting to the end of the TLS handshake.
    pub handshake: Duration,
    /// From there until the first bytes have told which HTTP it is.
    pub first_bytes: Duration,
    /// From the first byte of a request's head to its last (HTTP/1).
    pub head: Duration,
    /// From one request's end to the next one's beginning.
    pub idle: Duration,
    /// Without the peer taking anything of an answer.
    pub stall: Duration,
    /// How old a connection gets, give or take a tenth, before it is to end with its last answer.
    pub age: Duration,
    /// How long answers in flight may then take, or when the process ends. See [`Deadlines::drain_limit`].
    pub finish: Duration,
    /// How long the goodbye may take on a connection that is idle or stalled.
    pub farewell: Duration,
    /// How long what a client still sends is read after our last byte.
    pub linger: Duration,
    /// From one HTTP/2 ping of ours to the next.
    pub ping_interval: Duration,
    /// How long the answer to a ping may take.
    pub ping_timeout: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            first_bytes: Duration::from_secs(5),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(30),
            age: Duration::from_hours(1),
            finish: Duration::from_secs(18),
            farewell: Duration::from_secs(3),
            linger: Duration::from_secs(1),
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(10),
        }
    }
}

/// What is left to do when all connections have had their time.
const LAST_STEPS: Duration = Duration::from_secs(2);

impl Deadlines {
    /// How long the end of all connections may take, from the moment when the process is asked to end.
    #[must_use]
    pub fn drain_limit(&self) -> Duration {
        self.finish.max(self.farewell) + LAST_STEPS
    }

    /// The age at which one connection is to end: not all that came together shall go together.
    pub(super) fn jittered_age(&self) -> Duration {
        self.age.mul_f64(0.9 + 0.2 * fastrand::f64())
    }
}
