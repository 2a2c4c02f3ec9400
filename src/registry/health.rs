//! Whether a registry is healthy: a pure state machine with hysteresis both ways. From `starting` one
//! outcome decides; later, several in a row.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::duration;

/// `[health]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time from one probe to the next.
    #[serde(deserialize_with = "duration::required")]
    pub interval: Duration,
    /// How long a probe may take.
    #[serde(deserialize_with = "duration::required")]
    pub timeout: Duration,
    /// Consecutive failures that make a healthy registry unhealthy.
    pub unhealthy_after: u32,
    /// Consecutive successes that make an unhealthy registry healthy.
    pub healthy_after: u32,
    /// What becomes of an unhealthy registry's servers.
    pub when_unhealthy: WhenUnhealthy,
    /// How old a listing `serve-stale` still serves.
    #[serde(deserialize_with = "duration::required")]
    pub max_stale: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            unhealthy_after: 3,
            healthy_after: 2,
            when_unhealthy: WhenUnhealthy::Drop,
            max_stale: Duration::from_hours(24),
        }
    }
}

/// What becomes of an unhealthy registry's servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenUnhealthy {
    /// They leave the catalog.
    Drop,
    /// They stay while the listing is younger than `max_stale`.
    ServeStale,
}

/// `[registries.health]`: what one registry has otherwise than all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// See [`Config::interval`].
    #[serde(deserialize_with = "duration::optional")]
    pub interval: Option<Duration>,
    /// See [`Config::timeout`].
    #[serde(deserialize_with = "duration::optional")]
    pub timeout: Option<Duration>,
    /// See [`Config::unhealthy_after`].
    pub unhealthy_after: Option<u32>,
    /// See [`Config::healthy_after`].
    pub healthy_after: Option<u32>,
    /// See [`Config::when_unhealthy`].
    pub when_unhealthy: Option<WhenUnhealthy>,
    /// See [`Config::max_stale`].
    #[serde(deserialize_with = "duration::optional")]
    pub max_stale: Option<Duration>,
}

impl Config {
    /// The settings of a registry that overrides some.
    #[must_use]
    pub fn overridden_by(&self, overrides: &Overrides) -> Self {
        Self {
            interval: overrides.interval.unwrap_or(self.interval),
            timeout: overrides.timeout.unwrap_or(self.timeout),
            unhealthy_after: overrides.unhealthy_after.unwrap_or(self.unhealthy_after),
            healthy_after: overrides.healthy_after.unwrap_or(self.healthy_after),
            when_unhealthy: overrides.when_unhealthy.unwrap_or(self.when_unhealthy),
            max_stale: overrides.max_stale.unwrap_or(self.max_stale),
        }
    }

    /// The keys whose values make no sense, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        for (key, duration) in [("interval", self.interval), ("timeout", self.timeout)] {
            if duration < Duration::from_millis(10) {
                problems.push((key, "must be at least 10ms".to_owned()));
            }
        }
        if self.when_unhealthy == WhenUnhealthy::ServeStale && self.max_stale.is_zero() {
            problems
                .push(("max_stale", "of 0 contradicts `when_unhealthy = \"serve-stale\"`; use \"drop\"".to_owned()));
        }
        for (key, count) in [("unhealthy_after", self.unhealthy_after), ("healthy_after", self.healthy_after)] {
            if count == 0 {
                problems.push((key, "must be at least 1".to_owned()));
            }
        }
        problems
    }
}

/// A registry's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing is known yet.
    Starting,
    /// It responds as a registry should.
    Healthy,
    /// It does not.
    Unhealthy,
}

/// What a probe, a page or a walk tells about health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It worked.
    Success,
    /// It did not.
    Failure,
    /// It tells nothing: the registry limits our rate.
    Neither,
    /// The registry lists what we serve. That is certain: it needs no second look.
    Loop,
}

/// The health of one registry and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The present state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Outcomes in a row that speak for the other state.
    contrary: u32,
}

impl Health {
    /// The health of a registry of which nothing is known.
    #[must_use]
    pub fn starting(now: Timestamp) -> Self {
        Self { state: State::Starting, since: now, contrary: 0 }
    }

    /// Takes one outcome in, and says whether the state flipped.
    pub fn observe(&mut self, outcome: Outcome, config: &Config, now: Timestamp) -> bool {
        let (target, needed) = match (self.state, outcome) {
            (_, Outcome::Neither) => return false,
            (State::Starting, Outcome::Success) => (State::Healthy, 1),
            (State::Starting, Outcome::Failure) | (State::Starting | State::Healthy, Outcome::Loop) => {
                (State::Unhealthy, 1)
            }
            (State::Healthy, Outcome::Failure) => (State::Unhealthy, config.unhealthy_after),
            (State::Unhealthy, Outcome::Success) => (State::Healthy, config.healthy_after),
            (State::Healthy, Outcome::Success) | (State::Unhealthy, Outcome::Failure | Outcome::Loop) => {
                self.contrary = 0;
                return false;
            }
        };
        self.contrary += 1;
        if self.contrary < needed {
            return false;
        }
        *self = Self { state: target, since: now, contrary: 0 };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Failure, Loop, Neither, Success};
    use super::*;
    use proptest::prelude::*;

    fn after(outcomes: &[Outcome]) -> State {
        let mut health = Health::starting(Timestamp::UNIX_EPOCH);
        for outcome in outcomes {
            health.observe(*outcome, &Config::default(), Timestamp::UNIX_EPOCH);
        }
        health.state
    }

    #[test]
    fn one_outcome_decides_at_the_start() {
        assert_eq!(after(&[Success]), State::Healthy);
        assert_eq!(after(&[Failure]), State::Unhealthy);
        assert_eq!(after(&[Neither]), State::Starting);
    }

    #[test]
    fn later_it_takes_several_in_a_row() {
        assert_eq!(after(&[Success, Failure, Failure]), State::Healthy);
        assert_eq!(after(&[Success, Failure, Failure, Failure]), State::Unhealthy);
        assert_eq!(after(&[Success, Failure, Failure, Success, Failure, Failure]), State::Healthy);
        assert_eq!(after(&[Failure, Success]), State::Unhealthy);
        assert_eq!(after(&[Failure, Success, Success]), State::Healthy);
    }

    #[test]
    fn a_rate_limit_counts_as_neither() {
        assert_eq!(after(&[Success, Failure, Failure, Neither, Failure]), State::Unhealthy);
        assert_eq!(after(&[Success, Neither, Neither, Neither]), State::Healthy);
    }

    #[test]
    fn a_loop_needs_no_second_look_and_its_end_does() {
        assert_eq!(after(&[Loop]), State::Unhealthy);
        assert_eq!(after(&[Success, Loop]), State::Unhealthy);
        assert_eq!(after(&[Loop, Success]), State::Unhealthy);
        assert_eq!(after(&[Loop, Success, Loop, Success]), State::Unhealthy);
        assert_eq!(after(&[Loop, Success, Success]), State::Healthy);
    }

    proptest! {
        #[test]
        fn it_never_flips_below_its_threshold(outcomes in prop::collection::vec(prop_oneof![Just(Success), Just(Failure), Just(Neither)], 1..200)) {
            let config = Config::default();
            let mut health = Health::starting(Timestamp::UNIX_EPOCH);
            let mut run: Vec<Outcome> = Vec::new();
            for outcome in outcomes {
                if outcome != Neither {
                    if run.last().is_some_and(|last| *last != outcome) { run.clear(); }
                    run.push(outcome);
                }
                let before = health.state;
                if health.observe(outcome, &config, Timestamp::UNIX_EPOCH) {
                    let needed = match before {
                        State::Starting => 1,
                        State::Healthy => config.unhealthy_after,
                        State::Unhealthy => config.healthy_after,
                    };
                    prop_assert!(run.len() >= needed as usize);
                    prop_assert_ne!(before, health.state);
                }
            }
        }
    }
}
