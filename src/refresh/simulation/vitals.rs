//! The health that a registry must have, told plainly. Whether the last page of a walk counts as a success depends on
//! what the walk makes of it, which is not told here: then both are allowed.

use crate::registry::health::{Outcome, State};

/// The health that a registry must have.
#[derive(Debug)]
pub(super) struct Vitals {
    pub(super) state: State,
    unhealthy_after: u32,
    healthy_after: u32,
    /// How many failures there have been in a row at least, and at most.
    failures: (u32, u32),
    successes: u32,
    /// How often the state has changed.
    pub(super) changes: u32,
}

impl Vitals {
    pub(super) fn new(unhealthy_after: u32, healthy_after: u32) -> Self {
        Self { state: State::Starting, unhealthy_after, healthy_after, failures: (0, 0), successes: 0, changes: 0 }
    }

    /// Takes in an outcome, and compares what follows from it with the state that the program is in now.
    pub(super) fn observe(&mut self, outcome: Outcome, is_certain: bool, actual: State) {
        let allowed: [State; 2] = match (self.state, outcome) {
            (state, Outcome::Neither) => [state; 2],
            (_, Outcome::Loop) | (State::Unhealthy, Outcome::Failure) => {
                self.successes = 0;
                [State::Unhealthy; 2]
            }
            (State::Starting, Outcome::Success) if is_certain => [State::Healthy; 2],
            (State::Starting, Outcome::Success) => [State::Healthy, State::Starting],
            (State::Starting, Outcome::Failure) => [State::Unhealthy; 2],
            (State::Healthy, Outcome::Success) => {
                self.failures = (0, if is_certain { 0 } else { self.failures.1 });
                [State::Healthy; 2]
            }
            (State::Healthy, Outcome::Failure) => self.fail(),
            (State::Unhealthy, Outcome::Success) => {
                self.successes += 1;
                [if self.successes < self.healthy_after { State::Unhealthy } else { State::Healthy }; 2]
            }
        };
        assert!(allowed.contains(&actual), "{:?} became {actual:?} by {outcome:?}, not one of {allowed:?}", self.state);
        if actual != self.state {
            (self.state, self.failures, self.successes) = (actual, (0, 0), 0);
            self.changes += 1;
        }
    }

    fn fail(&mut self) -> [State; 2] {
        self.failures = (self.failures.0 + 1, self.failures.1 + 1);
        match (self.unhealthy_after <= self.failures.0, self.unhealthy_after <= self.failures.1) {
            (true, _) => [State::Unhealthy; 2],
            (false, true) => [State::Unhealthy, State::Healthy],
            (false, false) => [State::Healthy; 2],
        }
    }
}
