//! Test Connection: one request, judged in three stages. Pure: it takes what a request brought.

use std::time::Duration;

use jiff::Timestamp;

use super::error::{FetchError, Stage};
use super::health::Outcome;

/// One test of a registry.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Check {
    /// When it ended.
    pub at: Timestamp,
    /// The stages in order. After a failed stage come none.
    pub stages: Vec<StageReport>,
    /// What it tells about the registry's health.
    pub outcome: Outcome,
}

/// How one stage went.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StageReport {
    /// The stage.
    pub stage: Stage,
    /// How long it took.
    pub duration: Duration,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// One stage as it is shown, in `/registries` and by `test`.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageView {
    /// The stage.
    pub stage: Stage,
    /// Whether it passed; null where it was not reached.
    pub ok: Option<bool>,
    /// How long it took; absent where it was not reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How long the parts of a request took, as far as it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// Connecting, where that was seen.
    pub connect: Option<Duration>,
    /// From sending the request to the end of the body, connecting included.
    pub exchange: Duration,
    /// Decoding the body.
    pub decode: Duration,
}

impl Check {
    /// Judges a request by its outcome.
    #[must_use]
    pub fn new(at: Timestamp, timing: Timing, result: Result<(), &FetchError>) -> Self {
        let connect = timing.connect.unwrap_or_default();
        let durations = [connect, timing.exchange.saturating_sub(connect), timing.decode];
        let failed = result.err().map(|error| (error.stage(), error.to_string()));
        let mut stages = Vec::with_capacity(3);
        // Where nothing was asked, nothing is known of the network.
        let skipped = usize::from(result.is_err_and(FetchError::was_not_asked));
        for (stage, duration) in Stage::ALL.into_iter().zip(durations).skip(skipped) {
            let failure = failed.as_ref().filter(|(failed, _)| *failed == stage).map(|(_, reason)| reason.clone());
            let has_failed = failure.is_some();
            // A request that never connected spent all its time on trying to.
            let duration = if has_failed && stage == Stage::Network { timing.exchange } else { duration };
            stages.push(StageReport { stage, duration, failure });
            if has_failed {
                break;
            }
        }
        let outcome = match result {
            Ok(()) => Outcome::Success,
            Err(FetchError::Loop) => Outcome::Loop,
            Err(error) if error.tells_nothing() => Outcome::Neither,
            Err(_) => Outcome::Failure,
        };
        Self { at, stages, outcome }
    }

    /// All three stages as they are shown.
    #[must_use]
    pub fn views(&self) -> [StageView; 3] {
        Stage::ALL.map(|stage| {
            let report = self.stages.iter().find(|report| report.stage == stage);
            StageView {
                stage,
                ok: report.map(|report| report.failure.is_none()),
                duration_ms: report.map(|report| (report.duration.as_secs_f64() * 1e6).round() / 1e3),
                reason: report.and_then(|report| report.failure.clone()),
            }
        })
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<(Stage, &str)> {
        self.stages.iter().find_map(|report| Some((report.stage, report.failure.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(result: Result<(), &FetchError>) -> Vec<(Stage, bool)> {
        let check = Check::new(Timestamp::UNIX_EPOCH, Timing::default(), result);
        check.stages.iter().map(|report| (report.stage, report.failure.is_none())).collect()
    }

    #[test]
    fn stages_end_at_the_one_that_failed() {
        assert_eq!(stages(Ok(())), [(Stage::Network, true), (Stage::Response, true), (Stage::Format, true)]);
        assert_eq!(stages(Err(&FetchError::Connect(String::new()))), [(Stage::Network, false)]);
        let status = FetchError::Status { status: 500, retry_after: None };
        assert_eq!(stages(Err(&status)), [(Stage::Network, true), (Stage::Response, false)]);
    }

    #[test]
    fn what_was_not_asked_says_nothing_of_the_network() {
        let busy = FetchError::Busy(Duration::from_secs(3));
        let check = Check::new(Timestamp::UNIX_EPOCH, Timing::default(), Err(&busy));
        assert_eq!(check.views().map(|view| view.ok), [None, Some(false), None]);
        assert_eq!(check.outcome, Outcome::Failure);
    }

    #[test]
    fn a_loop_is_a_bad_response_and_an_outcome_of_its_own() {
        let check = Check::new(Timestamp::UNIX_EPOCH, Timing::default(), Err(&FetchError::Loop));
        assert_eq!(check.outcome, Outcome::Loop);
        let (stage, reason) = check.failure().expect("a failure");
        assert!(stage == Stage::Response && reason.starts_with("loop: "), "{reason}");
    }

    #[test]
    fn a_rate_limit_fails_its_stage_and_tells_nothing_of_health() {
        let error = FetchError::Status { status: 429, retry_after: None };
        let check = Check::new(Timestamp::UNIX_EPOCH, Timing::default(), Err(&error));
        assert_eq!(check.outcome, Outcome::Neither);
        assert_eq!(check.failure().map(|(stage, _)| stage), Some(Stage::Response));
    }
}
