//! Test Connection: one request, judged in three stages. Pure: it takes what a request brought, and says in which order
//! it is told.

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

impl Timing {
    /// From the connection to the end of the body.
    pub(super) fn response(&self) -> Duration {
        self.exchange.saturating_sub(self.connect.unwrap_or_default())
    }
}

/// What is told of a test while it runs.
#[derive(Clone, Debug)]
pub enum Told {
    /// A request begins, to this URL; where there was one before, that one decides nothing. A base URL has two places
    /// for its list.
    Attempt {
        /// The URL as the public may see it.
        url: String,
    },
    /// A stage of it has ended.
    Stage(StageView),
}

/// Tells of a test while it runs: each stage once for each attempt, in order.
pub(super) struct Teller<'a> {
    tell: &'a mut (dyn FnMut(Told) + Send),
    /// How many stages of the present attempt have been told.
    told: usize,
}

impl<'a> Teller<'a> {
    pub(super) fn new(tell: &'a mut (dyn FnMut(Told) + Send)) -> Self {
        Self { tell, told: 0 }
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, url: String) {
        self.told = 0;
        (self.tell)(Told::Attempt { url });
    }

    /// A stage has been passed. One that comes after a stage that nobody has seen end waits for the report.
    pub(super) fn pass(&mut self, stage: Stage, duration: Duration) {
        if Stage::ALL.get(self.told) == Some(&stage) {
            self.told += 1;
            (self.tell)(Told::Stage(StageView::of(&StageReport { stage, duration, failure: None })));
        }
    }

    /// An attempt has ended: tells what has not been told of it.
    pub(super) fn finish(&mut self, check: &Check) {
        for report in check.stages.iter().filter(|report| !Stage::ALL[..self.told].contains(&report.stage)) {
            (self.tell)(Told::Stage(StageView::of(report)));
        }
        self.told = Stage::ALL.len();
    }
}

impl StageView {
    fn of(report: &StageReport) -> Self {
        Self {
            stage: report.stage,
            ok: Some(report.failure.is_none()),
            duration_ms: Some((report.duration.as_secs_f64() * 1e6).round() / 1e3),
            reason: report.failure.clone(),
        }
    }
}

impl Check {
    /// Judges a request by its outcome.
    #[must_use]
    pub fn new(at: Timestamp, timing: Timing, result: Result<(), &FetchError>) -> Self {
        let connect = timing.connect.unwrap_or_default();
        let durations = [connect, timing.response(), timing.decode];
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
            report.map_or(StageView { stage, ok: None, duration_ms: None, reason: None }, StageView::of)
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
    fn each_stage_is_told_once_and_those_that_nobody_saw_end_in_the_end() {
        let told = |seen: &[Stage], result: Result<(), &FetchError>| {
            let mut stages = Vec::new();
            let mut tell = |told: Told| match told {
                Told::Attempt { url } => stages.push((url, None)),
                Told::Stage(view) => stages.push((view.stage.as_str().to_owned(), view.ok)),
            };
            let mut teller = Teller::new(&mut tell);
            for _ in 0..2 {
                teller.begin("u".to_owned());
                for stage in seen {
                    teller.pass(*stage, Duration::ZERO);
                }
                teller.finish(&Check::new(Timestamp::UNIX_EPOCH, Timing::default(), result));
                teller.pass(Stage::Format, Duration::ZERO);
            }
            let again = stages.split_off(stages.len() / 2);
            assert_eq!(stages, again, "the second attempt is told as the first one");
            stages.into_iter().filter_map(|(stage, ok)| Some((stage, ok?))).collect::<Vec<_>>()
        };
        let all = ["network", "response", "format"].map(|stage| (stage.to_owned(), true));
        assert_eq!(told(&[Stage::Network, Stage::Response], Ok(())), all);
        assert_eq!(told(&[Stage::Response], Ok(())), all, "in order");
        assert_eq!(told(&[], Ok(())), all);
        let failed = ("response".to_owned(), false);
        assert_eq!(told(&[Stage::Network], Err(&FetchError::Loop)), [all[0].clone(), failed.clone()]);
        assert_eq!(told(&[], Err(&FetchError::NoRoom)), [failed]);
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
