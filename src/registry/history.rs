//! What a registry's last tests came to: of each as much as it takes to draw how the registry has been answering.
//! Pure; `serve` draws it.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::error::Stage;
use super::probe::Check;

/// The most tests that are remembered of a registry: an hour of them at the usual interval.
pub const MAX_CHECKS: usize = 120;

/// What is remembered of one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastCheck {
    /// When it ended.
    pub at: Timestamp,
    /// How long its stages took, as far as it came.
    pub duration: Duration,
    /// The stage that failed, if one did.
    pub failed: Option<Stage>,
}

/// The last tests of a registry, the oldest first; [`MAX_CHECKS`] of them at most.
#[derive(Clone, Debug, Default)]
pub struct History(VecDeque<PastCheck>);

impl History {
    pub(super) fn note(&mut self, check: &Check) {
        if self.0.len() == MAX_CHECKS {
            self.0.pop_front();
        }
        self.0.push_back(PastCheck {
            at: check.at,
            duration: check.stages.iter().map(|report| report.duration).sum(),
            failed: check.failure().map(|(stage, _)| stage),
        });
    }

    /// The tests, the oldest first.
    pub fn checks(&self) -> impl ExactSizeIterator<Item = &PastCheck> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::FetchError;
    use super::super::probe::Timing;
    use super::*;

    #[test]
    fn the_last_tests_are_remembered_and_no_more() {
        let timing = Timing {
            connect: Some(Duration::from_millis(2)),
            exchange: Duration::from_millis(7),
            decode: Duration::from_millis(1),
        };
        let mut history = History::default();
        for second in 0..150 {
            let at = Timestamp::from_second(second).expect("a time");
            let error = FetchError::Status { status: 500, retry_after: None };
            let result = if second % 2 == 0 { Ok(()) } else { Err(&error) };
            history.note(&Check::new(at, timing, result));
        }
        let checks: Vec<_> = history.checks().copied().collect();
        assert_eq!((checks.len(), checks[0].at.as_second()), (MAX_CHECKS, 30));
        assert_eq!((checks[0].duration, checks[0].failed), (Duration::from_millis(8), None));
        // What was not reached took no time.
        assert_eq!((checks[1].duration, checks[1].failed), (Duration::from_millis(7), Some(Stage::Response)));
    }
}
