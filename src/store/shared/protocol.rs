//! What replicas agree on, decided: pure, with the time as an argument. [`Shelf`] is what Redis does, in the words of
//! `scripts`, whose Lua a test holds against it; [`Member`] is what one replica makes of what it hears. The simulation
//! drives these very two.
//!
//! - Redis holds one *lease*. Whoever holds it leads, for as long as the lease lives; each time that it goes to somebody,
//!   the *epoch* rises, which is the fencing token: Redis refuses what comes with another one.
//! - It holds one *generation*, with a number: the epoch in which it was written, then a sequence that rises over all of
//!   them. Only the leader writes one, only in place of the one that it knows, and only with a greater number.
//! - A replica takes no generation whose number is not greater than that of the last one it had. What a replica has seen
//!   it tells Redis with every question: where Redis knows less, it has lost data (it was emptied, or failed over to a
//!   copy that lagged), and whoever leads by what is left must begin a new epoch above all that anybody has seen.
//! - Who hears of no leader for [`Member::patience`] goes on alone, until one is heard of; and so does who hears of one and
//!   cannot read what that one writes.
//! - A leader that can neither read nor write what is shared gives the lease up after half of that, and stands back for as
//!   long as it was patient: another one may be able to. Nothing is overwritten by who has not read it, unless nobody
//!   has been able to for the whole of that.
//! - Who has nothing leaves a Redis that has nothing to others for a moment: they may have something.
//! - Redis's clock may be set back. No lease lives longer than one life from any question on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many lives of a lease a replica waits for a leader before it goes on alone, with the 10 s of a usual lease a
/// minute; up to a fifth more, so that not all begin at once.
const PATIENCE: u32 = 6;
const JITTER: f64 = 0.2;
/// How many turns who has nothing leaves to the others.
const TURNS: u32 = 2;

/// The number of a generation: later ones are greater. The default is that of none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Number {
    /// In which epoch it was written.
    pub epoch: u64,
    /// How many there were, about: it rises over all epochs.
    pub sequence: u64,
}

/// What a replica wants of the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To hold it, if nobody else does.
    Lead,
    /// Not to hold it: whoever does gives it up, for others to take at once.
    Release,
}

/// What a replica asks Redis, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who asks: a random number.
    pub replica: u64,
    /// What it wants.
    pub wish: Wish,
    /// The highest epoch that it has heard of.
    pub floor: u64,
    /// The last generation that it has taken.
    pub seen: Number,
    /// How long it would hold the lease.
    pub life: Duration,
    /// Whether it has written all that it knows, where it leads.
    pub is_settled: bool,
}

/// What Redis answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// The present epoch.
    pub epoch: u64,
    /// Whether the lease is with who asks.
    pub is_ours: bool,
    /// How long it will be with whoever has it.
    pub left: Duration,
    /// The generation that is there.
    pub stored: Number,
    /// How long ago the leader last said that it had written all that it knows.
    pub fresh: Duration,
}

/// What became of a generation that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is there, for all to see.
    Accepted,
    /// The lease is with somebody else, or with nobody.
    Fenced,
    /// There is another one than the writer knows.
    Moved,
}

/// What Redis keeps, and what its scripts do with it. Times are those of its own clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// How often the lease has gone to somebody.
    pub epoch: u64,
    /// Who has it, or had it last.
    pub holder: Option<u64>,
    /// Until when.
    pub until: Duration,
    /// How long its lease lives from each question on.
    pub life: Duration,
    /// The generation that is there.
    pub stored: Number,
    /// When the leader had last written all that it knew.
    pub fresh_at: Duration,
}

impl Shelf {
    /// Answers a replica (`scripts::BEAT`).
    pub fn beat(&mut self, now: Duration, ask: &Ask) -> Pulse {
        // The clock may have been set back since these were written.
        self.until = self.until.min(now + self.life);
        self.fresh_at = self.fresh_at.min(now);
        self.epoch_above(ask);
        match ask.wish {
            Wish::Release if self.holder == Some(ask.replica) => self.holder = None,
            Wish::Lead if self.is_held_by(ask.replica, now) => {
                (self.until, self.life) = (now + ask.life, ask.life);
                self.fresh_at = if ask.is_settled { now } else { self.fresh_at };
            }
            Wish::Lead if self.holder.is_none() || self.until <= now => {
                // That it has the lease does not say that it can write.
                (self.epoch, self.holder) = (self.epoch + 1, Some(ask.replica));
                (self.until, self.life) = (now + ask.life, ask.life);
            }
            Wish::Lead | Wish::Release => {}
        }
        Pulse {
            epoch: self.epoch,
            is_ours: self.holder == Some(ask.replica),
            left: self.holder.map_or(Duration::ZERO, |_| self.until.saturating_sub(now)),
            stored: self.stored,
            fresh: now.saturating_sub(self.fresh_at),
        }
    }

    /// Begins a new epoch where the one that asks knows of more than there is.
    fn epoch_above(&mut self, ask: &Ask) {
        let has_lost_generations = self.stored < ask.seen && self.epoch <= ask.seen.epoch;
        let floor = if has_lost_generations { ask.floor.max(ask.seen.epoch + 1) } else { ask.floor };
        if self.epoch < floor {
            (self.epoch, self.holder) = (floor, None);
        }
    }

    /// Takes a generation in place of `base` (`scripts::COMMIT`).
    pub fn commit(&mut self, now: Duration, replica: u64, epoch: u64, base: Number, next: Number) -> Committed {
        if self.epoch != epoch || !self.is_held_by(replica, now) {
            return Committed::Fenced;
        }
        if self.stored != base || next <= base {
            return Committed::Moved;
        }
        (self.stored, self.fresh_at) = (next, now);
        Committed::Accepted
    }

    fn is_held_by(&self, replica: u64, now: Duration) -> bool {
        self.holder == Some(replica) && now < self.until
    }
}

/// What a replica is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It asks the registries for all, and writes what it knows, in this epoch.
    Leading(u64),
    /// It takes up what the leader writes.
    Following,
    /// It asks the registries for itself.
    Alone,
}

/// One replica, as far as the agreement goes. Times are those of its own clock, which does not go back.
#[derive(Clone, Debug)]
pub struct Member {
    replica: u64,
    life: Duration,
    patience: Duration,
    /// The highest epoch that it has heard of.
    floor: u64,
    seen: Number,
    /// What is there, as far as it has heard.
    stored: Number,
    /// The epoch in which it leads, and until when.
    lease: Option<(u64, Duration)>,
    /// When it last heard that somebody leads.
    well_at: Duration,
    /// Since when it fails to read or write what is shared.
    failing_since: Option<Duration>,
    /// Until when it leaves the lease to others.
    back_at: Duration,
    /// When Redis first answered.
    first_heard: Option<Duration>,
    /// Whether it has taken anything to serve: one that has not waits no longer than a lease lives.
    has_content: bool,
    /// Whether it shows something that it made itself. How long it waits for a leader does not depend on that: it would
    /// wait for one again, just because it has begun to do without.
    has_own_content: bool,
}

impl Member {
    /// A replica that has heard of nothing. `random` is in `0.0..1.0`.
    #[must_use]
    pub fn new(replica: u64, life: Duration, now: Duration, random: f64) -> Self {
        let patience = (life * PATIENCE).mul_f64(1.0 + JITTER * random);
        Self {
            replica,
            life,
            patience,
            floor: 0,
            seen: Number::default(),
            stored: Number::default(),
            lease: None,
            well_at: now,
            failing_since: None,
            back_at: now,
            first_heard: None,
            has_content: false,
            has_own_content: false,
        }
    }

    /// What to ask Redis.
    #[must_use]
    pub fn ask(&self, wish: Wish, is_settled: bool) -> Ask {
        let &Self { replica, floor, seen, life, .. } = self;
        Ask { replica, wish, floor, seen, life, is_settled }
    }

    /// What it wants of the lease now.
    #[must_use]
    pub fn wish(&self, now: Duration) -> Wish {
        let may_know_less =
            !self.has_something() && self.stored == Number::default() && self.is_within(now, self.first_heard);
        if now < self.back_at || may_know_less { Wish::Release } else { Wish::Lead }
    }

    /// Takes in what Redis answered to a question that was sent at `sent_at`: the lease lives from then on, at most.
    pub fn hear(&mut self, sent_at: Duration, now: Duration, pulse: &Pulse) {
        if pulse.epoch < self.floor {
            // An answer that was late: another one has told more.
            return;
        }
        self.floor = pulse.epoch;
        self.stored = pulse.stored;
        self.first_heard.get_or_insert(now);
        self.lease = pulse.is_ours.then_some((pulse.epoch, sent_at + self.life.min(pulse.left)));
        if pulse.is_ours || !pulse.left.is_zero() && pulse.fresh < self.waits() {
            self.well_at = now;
        }
    }

    /// Takes in that it could not read or write what is shared. A leader for which that goes on stands back.
    pub fn fail(&mut self, now: Duration) {
        let since = *self.failing_since.get_or_insert(now);
        let is_leading = self.lease.is_some_and(|(_, until)| now < until);
        if is_leading && self.waits() / 2 <= now.saturating_sub(since) {
            self.lease = None;
            self.back_at = now + self.waits();
        }
    }

    /// Takes in that it could.
    pub fn succeed(&mut self) {
        self.failing_since = None;
    }

    /// Takes in that it shows something of its own, where nobody leads.
    pub fn go_alone(&mut self) {
        self.has_own_content = true;
    }

    /// Whether it has failed to read what is there for so long that everybody has had a turn, those first who have
    /// something: then it may be given up.
    #[must_use]
    pub fn may_give_up(&self, now: Duration) -> bool {
        let turns = if self.has_something() { 1 } else { 3 };
        self.failing_since.is_some_and(|since| self.patience * turns <= now.saturating_sub(since))
    }

    /// Whether it has heard of Redis for no longer than those need who may know more to be heard as well.
    fn is_within(&self, now: Duration, first_heard: Option<Duration>) -> bool {
        first_heard.is_none_or(|first| now.saturating_sub(first) < self.interval() * TURNS)
    }

    /// Whether somebody leads, as far as it has heard of late.
    #[must_use]
    pub fn is_led(&self, now: Duration) -> bool {
        now.saturating_sub(self.well_at) < self.life
    }

    /// When the lease ends that it has, unless it is renewed.
    #[must_use]
    pub fn leads_until(&self) -> Option<Duration> {
        self.lease.map(|(_, until)| until)
    }

    fn has_something(&self) -> bool {
        self.has_content || self.has_own_content
    }

    /// How long it waits for a leader, or for what one writes.
    fn waits(&self) -> Duration {
        if self.has_content { self.patience } else { self.life }
    }

    /// Takes in that the lease is with somebody else: Redis has refused a write.
    pub fn step_down(&mut self) {
        self.lease = None;
    }

    /// What to do now.
    #[must_use]
    pub fn role(&self, now: Duration) -> Role {
        let waits = self.waits();
        let is_over = |since: Duration| waits <= now.saturating_sub(since);
        match self.lease {
            Some((epoch, until)) if now < until => Role::Leading(epoch),
            _ if is_over(self.well_at) || self.failing_since.is_some_and(is_over) => Role::Alone,
            _ => Role::Following,
        }
    }

    /// The generation that is there and that it has not taken, if there is one.
    #[must_use]
    pub fn news(&self) -> Option<Number> {
        (self.seen < self.stored).then_some(self.stored)
    }

    /// Whether it may take a generation.
    #[must_use]
    pub fn may_take(&self, number: Number) -> bool {
        self.seen < number
    }

    /// Takes a generation.
    pub fn take(&mut self, number: Number) {
        self.seen = self.seen.max(number);
        self.has_content = true;
    }

    /// What its next generation takes the place of, and the number of that; none while there is one to take first.
    #[must_use]
    pub fn next(&self, epoch: u64) -> Option<(Number, Number)> {
        let next = Number { epoch, sequence: self.seen.sequence.max(self.stored.sequence) + 1 };
        self.news().is_none().then_some((self.stored, next))
    }

    /// Takes in that its generation is there.
    pub fn committed(&mut self, number: Number) {
        self.take(number);
        self.stored = number;
    }

    /// The last generation that it has taken.
    #[must_use]
    pub fn seen(&self) -> Number {
        self.seen
    }

    /// How long it waits for a leader before it goes on alone.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// How often it asks: at a third of the lease's life, and each second at least.
    #[must_use]
    pub fn interval(&self) -> Duration {
        (self.life / 3).min(Duration::from_secs(1))
    }
}

#[cfg(test)]
#[path = "simulation.rs"]
mod simulation;
