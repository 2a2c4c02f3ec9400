//! When what is kept is written anew. Pure: the instant is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// How often changes of one registry, or of the effects, are written while they go on.
const CHANGE_INTERVAL: Duration = Duration::from_secs(30);
/// How often it is written that a registry has confirmed what it lists.
const CONFIRMATION_INTERVAL: Duration = Duration::from_mins(5);
/// How soon what could not be written is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// When something was last written, or could not be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// The last time that a change was written.
    change: Option<Instant>,
    /// The last time that anything was written.
    write: Option<Instant>,
    /// The last time that it failed, unless it has gone well since.
    failure: Option<Instant>,
}

/// How what there is differs from what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Not at all.
    None,
    /// The registry has confirmed what it lists.
    Confirmed,
    /// It lists something else.
    Changed,
    /// What is kept may not be used any more.
    Tainted,
}

impl Pace {
    /// The pace of what was read at the start: that it is confirmed need not be written at once, a change has to be.
    pub(super) fn of_what_was_read(now: Instant) -> Self {
        Self { write: Some(now), ..Self::default() }
    }

    /// Whether a difference is to be written now.
    pub(super) fn is_due(&self, difference: Difference, now: Instant) -> bool {
        let is_past = |at: Option<Instant>, interval| at.is_none_or(|at| interval <= now.duration_since(at));
        is_past(self.failure, RETRY_INTERVAL)
            && match difference {
                Difference::None => false,
                Difference::Confirmed => is_past(self.write, CONFIRMATION_INTERVAL),
                Difference::Changed => is_past(self.change, CHANGE_INTERVAL),
                Difference::Tainted => true,
            }
    }

    /// Notes that a difference was written, or could not be.
    pub(super) fn note(&mut self, difference: Difference, is_written: bool, now: Instant) {
        if !is_written {
            self.failure = Some(now);
            return;
        }
        self.failure = None;
        self.write = Some(now);
        if difference != Difference::Confirmed {
            self.change = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_written_at_once_and_then_at_intervals_and_confirmations_seldom() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        let due = |pace: &Pace, seconds| {
            [Difference::None, Difference::Confirmed, Difference::Changed, Difference::Tainted]
                .map(|difference| pace.is_due(difference, at(seconds)))
        };
        assert_eq!(due(&pace, 0), [false, true, true, true]);
        pace.note(Difference::Changed, true, at(0));
        assert_eq!(due(&pace, 29), [false, false, false, true]);
        assert_eq!(due(&pace, 30), [false, false, true, true]);
        assert_eq!(due(&pace, 300), [false, true, true, true]);
        // That nothing has changed for long does not hold up a change.
        pace.note(Difference::Confirmed, true, at(300));
        assert_eq!(due(&pace, 301), [false, false, true, true]);
        // What fails is tried again, whatever it is.
        pace.note(Difference::Tainted, false, at(301));
        assert_eq!(due(&pace, 330), [false; 4]);
        assert_eq!(due(&pace, 331), [false, false, true, true]);
        pace.note(Difference::Changed, true, at(331));
        assert_eq!(due(&pace, 332), [false, false, false, true]);
    }
}
