//! How long a peer may take for what.

use std::time::Duration;

use tokio::time::Instant;

/// The deadlines of every connection. They are no keys of the configuration; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// From accepting to the end of the TLS handshake.
    pub handshake: Duration,
    /// From there until the first bytes have told which HTTP it is.
    pub first_bytes: Duration,
    /// From the first byte of a request's head to its last (HTTP/1).
    pub head: Duration,
    /// From there to the last byte of its body, where somebody wants that. Shorter than `stall`, so that who is late is
    /// told so.
    pub body: Duration,
    /// From one request's end to the next one's beginning.
    pub idle: Duration,
    /// Without the peer taking anything of an answer.
    pub stall: Duration,
    /// The same while others find no room for their answers.
    pub stall_when_full: Duration,
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
            body: Duration::from_secs(20),
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(30),
            stall_when_full: Duration::from_secs(2),
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

    /// When to look again at a peer that has taken nothing since then; `None` if it is to be given up. Who looks
    /// only sees a shortage then, and so there is nothing to be woken when one begins.
    pub(super) fn look_again(&self, since: Instant, now: Instant, is_short: bool) -> Option<Instant> {
        let (ends_at, may_end_at) = (since + self.stall, since + self.stall_when_full);
        if ends_at <= now || is_short && may_end_at <= now {
            return None;
        }
        let next = if now < may_end_at { may_end_at } else { now + self.stall_when_full };
        Some(next.min(ends_at))
    }

    /// The age at which one connection is to end: not all that came together shall go together.
    pub(super) fn jittered_age(&self) -> Duration {
        self.age.mul_f64(0.9 + 0.2 * fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_sooner_where_there_is_no_room() {
        let (deadlines, since) = (Deadlines::default(), Instant::now());
        for (now, is_short, again) in [
            (0, false, Some(2)),
            (0, true, Some(2)),
            (1, true, Some(2)),
            (2, true, None),
            (2, false, Some(4)),
            (5, false, Some(7)),
            (29, false, Some(30)),
            (30, false, None),
        ] {
            let at = |seconds| since + Duration::from_secs(seconds);
            assert_eq!(deadlines.look_again(since, at(now), is_short), again.map(at), "{now} {is_short}");
        }
    }
}
