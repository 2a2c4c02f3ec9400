//! Replicas, a Redis and a network that lose, delay and forget, driven by seeded schedules: never two leaders whose
//! writes are both accepted, no replica goes back in time, and once the faults are over one leads and all follow.

use std::collections::HashMap;
use std::time::Duration;

use super::{Ask, Committed, Member, Number, Pulse, Role, Shelf, Wish};

const REPLICAS: usize = 3;
const LIFE: Duration = Duration::from_secs(3);
const SCHEDULES: u64 = 2_000;
/// How long things go wrong in one schedule, and then right, in steps of 100 ms.
const FAULTY_STEPS: u64 = 400;
const QUIET_STEPS: u64 = 200;
const STEP: Duration = Duration::from_millis(100);
/// How far the clock of Redis may be ahead.
const MAX_AHEAD: Duration = Duration::from_mins(10);

/// What travels, and arrives at its time.
#[derive(Clone, Copy, Debug)]
enum Message {
    Ask { from: usize, life: u64, sent_at: Duration, ask: Ask },
    Answer { to: usize, life: u64, sent_at: Duration, pulse: Pulse },
    Commit { from: usize, life: u64, replica: u64, epoch: u64, base: Number, next: Number },
    Verdict { to: usize, life: u64, next: Number, verdict: Committed },
}

struct Replica {
    member: Member,
    id: u64,
    /// How often it was started: what was sent to an earlier life is lost.
    life: u64,
    /// It does nothing until then, as under SIGSTOP.
    stopped_until: Duration,
    /// Until when it can neither read nor write, though it is heard.
    unable_until: Duration,
    /// Whether a commit is under way.
    is_committing: bool,
    next_ask: Duration,
}

struct World {
    random: fastrand::Rng,
    now: Duration,
    shelf: Shelf,
    /// An older state of Redis, to fall back to.
    copy: Shelf,
    replicas: Vec<Replica>,
    messages: Vec<(Duration, Message)>,
    /// Until when Redis answers nothing.
    down_until: Duration,
    /// How far the clock of Redis is ahead: it is set forward and back.
    ahead: Duration,
    /// Who wrote each generation that was accepted, and since which loss of data.
    authors: HashMap<(u64, Number), u64>,
    losses: u64,
    accepted: usize,
    refused: usize,
    is_faulty: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let replicas = (0..REPLICAS).map(|_| Replica::new(&mut random, Duration::ZERO, 0)).collect();
        Self {
            random,
            now: Duration::ZERO,
            shelf: Shelf::default(),
            copy: Shelf::default(),
            replicas,
            messages: Vec::new(),
            down_until: Duration::ZERO,
            ahead: MAX_AHEAD / 2,
            authors: HashMap::new(),
            losses: 0,
            accepted: 0,
            refused: 0,
            is_faulty: true,
        }
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.is_faulty && self.random.u32(..one_in) == 0
    }

    fn send(&mut self, message: Message) {
        if self.chance(15) {
            return;
        }
        let slow = if self.chance(10) { 60 } else { 2 };
        let delay = STEP * self.random.u32(..slow);
        self.messages.push((self.now + delay, message));
    }

    fn step(&mut self) {
        self.now += STEP;
        self.fail_somehow();
        let now = self.now;
        let due: Vec<Message>;
        (due, self.messages) = {
            let (due, later): (Vec<_>, Vec<_>) = self.messages.drain(..).partition(|(at, _)| *at <= now);
            (due.into_iter().map(|(_, message)| message).collect(), later)
        };
        for message in due {
            self.deliver(message);
        }
        (0..REPLICAS).for_each(|index| self.act(index));
    }

    fn fail_somehow(&mut self) {
        if self.chance(120) {
            self.down_until = self.now + STEP * self.random.u32(5..150);
        }
        if self.chance(150) {
            // Emptied, or failed over to a copy that lagged.
            self.shelf = if self.random.bool() { Shelf::default() } else { self.copy.clone() };
            self.losses += 1;
        }
        if self.chance(20) {
            self.copy = self.shelf.clone();
        }
        if self.chance(60) {
            let index = self.random.usize(..REPLICAS);
            self.replicas[index].stopped_until = self.now + STEP * self.random.u32(5..80);
        }
        if self.chance(60) {
            let index = self.random.usize(..REPLICAS);
            self.replicas[index].unable_until = self.now + STEP * self.random.u32(5..300);
        }
        if self.chance(200) {
            self.ahead = MAX_AHEAD.mul_f64(self.random.f64());
        }
        if self.chance(100) {
            let index = self.random.usize(..REPLICAS);
            let life = self.replicas[index].life + 1;
            self.replicas[index] = Replica::new(&mut self.random, self.now, life);
        }
    }

    fn deliver(&mut self, message: Message) {
        let is_down = self.now < self.down_until;
        match message {
            Message::Ask { from, life, sent_at, ask } if !is_down => {
                let pulse = self.shelf.beat(self.now + self.ahead, &ask);
                self.send(Message::Answer { to: from, life, sent_at, pulse });
            }
            Message::Commit { from, life, replica, epoch, base, next } if !is_down => {
                let verdict = self.shelf.commit(self.now + self.ahead, replica, epoch, base, next);
                self.note(replica, next, verdict);
                self.send(Message::Verdict { to: from, life, next, verdict });
            }
            Message::Answer { to, life, sent_at, pulse } if self.is_there(to, life) => {
                let now = self.now;
                self.replicas[to].member.hear(sent_at, now, &pulse);
            }
            Message::Verdict { to, life, next, verdict } if self.is_there(to, life) => {
                let replica = &mut self.replicas[to];
                replica.is_committing = false;
                match verdict {
                    Committed::Accepted if replica.member.may_take(next) => replica.member.committed(next),
                    Committed::Accepted | Committed::Moved => {}
                    Committed::Fenced => replica.member.step_down(),
                }
            }
            // What comes for one that is stopped waits, as in a socket.
            Message::Answer { to, life, .. } | Message::Verdict { to, life, .. } if self.replicas[to].life == life => {
                self.messages.push((self.replicas[to].stopped_until + STEP, message));
            }
            _ => {}
        }
    }

    fn is_there(&self, index: usize, life: u64) -> bool {
        let replica = &self.replicas[index];
        replica.life == life && replica.stopped_until <= self.now
    }

    /// Of one epoch, between losses of data, all writes are of one replica, and each number is written once.
    fn note(&mut self, replica: u64, next: Number, verdict: Committed) {
        if verdict != Committed::Accepted {
            self.refused += 1;
            return;
        }
        self.accepted += 1;
        assert_eq!(self.shelf.holder, Some(replica), "who writes holds the lease");
        let of_epoch =
            |((loss, number), _): &(&(u64, Number), &u64)| (*loss, number.epoch) == (self.losses, next.epoch);
        assert!(self.authors.iter().filter(of_epoch).all(|(_, author)| *author == replica), "one writer in an epoch");
        let newest = self.authors.keys().filter(|(loss, _)| *loss == self.losses).map(|(_, number)| *number).max();
        assert!(newest < Some(next), "numbers rise");
        self.authors.insert((self.losses, next), replica);
    }

    fn act(&mut self, index: usize) {
        let now = self.now;
        if !self.is_there(index, self.replicas[index].life) {
            return;
        }
        let replica = &mut self.replicas[index];
        let (id, life) = (replica.id, replica.life);
        let is_able = replica.unable_until <= now;
        let asks = (replica.next_ask <= now).then(|| replica.member.ask(replica.member.wish(now), is_able));
        if asks.is_some() {
            replica.next_ask = now + replica.member.interval();
            // A question that nobody has answered is given up, and so is a write.
            replica.is_committing &= !now.as_millis().is_multiple_of(2_000);
        }
        // Content is there to be fetched at once: only the decision counts here.
        if is_able {
            replica.member.succeed();
        } else if replica.member.news().is_some() || matches!(replica.member.role(now), Role::Leading(_)) {
            replica.member.fail(now);
        }
        let news = replica.member.news().filter(|_| is_able);
        if let Some(number) = news {
            assert!(replica.member.may_take(number), "no replica goes back");
            let before = replica.member.seen();
            replica.member.take(number);
            assert!(before < replica.member.seen(), "no replica goes back");
        }
        let commit = match replica.member.role(now) {
            Role::Leading(epoch) if is_able && !replica.is_committing => {
                replica.member.next(epoch).map(|(base, next)| (epoch, base, next))
            }
            _ => None,
        };
        if let Some(ask) = asks {
            self.send(Message::Ask { from: index, life, sent_at: now, ask });
        }
        if let Some((epoch, base, next)) = commit.filter(|_| self.random.u32(..5) == 0) {
            self.replicas[index].is_committing = true;
            self.send(Message::Commit { from: index, life, replica: id, epoch, base, next });
        }
    }

    fn leaders(&self) -> usize {
        let leads = |replica: &&Replica| matches!(replica.member.role(self.now), Role::Leading(_));
        self.replicas.iter().filter(leads).count()
    }
}

impl Replica {
    fn new(random: &mut fastrand::Rng, now: Duration, life: u64) -> Self {
        let id = random.u64(1..);
        let member = Member::new(id, LIFE, now, random.f64());
        Self { member, id, life, stopped_until: now, unable_until: now, is_committing: false, next_ask: now }
    }
}

#[test]
fn never_two_leaders_are_believed_and_nobody_goes_back() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..SCHEDULES {
        let mut world = World::new(seed);
        (0..FAULTY_STEPS).for_each(|_| world.step());
        world.is_faulty = false;
        world.down_until = Duration::ZERO;
        world.replicas.iter_mut().for_each(|replica| replica.unable_until = Duration::ZERO);
        (0..QUIET_STEPS).for_each(|_| world.step());
        assert_eq!(world.leaders(), 1, "seed {seed}: one leads when all is well");
        let stored = world.shelf.stored;
        let behind = |replica: &Replica| stored.sequence.saturating_sub(replica.member.seen().sequence);
        assert!(world.replicas.iter().all(|replica| behind(replica) <= 20), "seed {seed}: all follow");
        let is_well = |replica: &Replica| replica.member.role(world.now) != Role::Alone;
        assert!(world.replicas.iter().all(is_well), "seed {seed}: nobody is alone when all is well");
        accepted += world.accepted;
        refused += world.refused;
    }
    // The schedules are no good where nothing is ever refused.
    assert!(100 * SCHEDULES < accepted as u64 * 10 && SCHEDULES < refused as u64 * 10, "{accepted}, {refused}");
}

#[test]
fn who_was_stopped_for_longer_than_the_lease_writes_nothing() {
    let (mut shelf, at) = (Shelf::default(), Duration::from_secs);
    let mut old = Member::new(1, LIFE, at(0), 0.0);
    let mut new = Member::new(2, LIFE, at(0), 0.0);
    old.hear(at(0), at(0), &shelf.beat(at(0), &old.ask(Wish::Lead, true)));
    assert_eq!(old.role(at(2)), Role::Leading(1));
    let (base, next) = old.next(1).expect("nothing to take first");
    // By its own clock it still leads where that stood still.
    new.hear(at(4), at(4), &shelf.beat(at(4), &new.ask(Wish::Lead, true)));
    assert_eq!(new.role(at(4)), Role::Leading(2));
    assert_eq!(shelf.commit(at(4), 1, 1, base, next), Committed::Fenced);
    let (base, next) = new.next(2).expect("nothing to take first");
    assert_eq!(shelf.commit(at(4), 2, 2, base, next), Committed::Accepted);
    assert_eq!(shelf.commit(at(4), 2, 2, base, next), Committed::Moved, "it is there");
}

#[test]
fn after_a_flush_nobody_begins_below_what_replicas_know() {
    let (mut shelf, at) = (Shelf { epoch: 7, ..Shelf::default() }, Duration::from_secs);
    let mut leader = Member::new(1, LIFE, at(0), 0.0);
    leader.hear(at(0), at(0), &shelf.beat(at(0), &leader.ask(Wish::Lead, true)));
    leader.committed(Number { epoch: 8, sequence: 5 });
    shelf = Shelf::default();
    // Somebody who knows nothing is first.
    let mut young = Member::new(2, LIFE, at(1), 0.0);
    young.hear(at(1), at(1), &shelf.beat(at(1), &young.ask(Wish::Lead, true)));
    assert_eq!(young.role(at(1)), Role::Leading(1));
    leader.hear(at(1), at(1), &shelf.beat(at(1), &leader.ask(Wish::Lead, true)));
    let Role::Leading(epoch) = leader.role(at(1)) else { panic!("it knows more") };
    assert!(8 < epoch, "{epoch}");
    let (base, next) = young.next(1).expect("nothing to take first");
    assert_eq!(shelf.commit(at(1), 2, 1, base, next), Committed::Fenced);
}

#[test]
fn who_hears_of_no_leader_goes_on_alone_after_a_while() {
    let (mut shelf, at) = (Shelf::default(), Duration::from_secs);
    let mut leader = Member::new(1, LIFE, at(0), 0.0);
    let mut follower = Member::new(2, LIFE, at(0), 0.0);
    leader.hear(at(0), at(0), &shelf.beat(at(0), &leader.ask(Wish::Lead, true)));
    follower.hear(at(0), at(0), &shelf.beat(at(0), &follower.ask(Wish::Lead, true)));
    assert_eq!(follower.role(at(2)), Role::Following);
    assert_eq!(follower.role(at(3)), Role::Alone, "it has nothing to serve, and waits no longer than a lease lives");
    let (base, next) = leader.next(1).expect("nothing to take first");
    assert_eq!(shelf.commit(at(0), 1, 1, base, next), Committed::Accepted);
    leader.committed(next);
    follower.take(next);
    assert_eq!((follower.role(at(17)), follower.role(at(18))), (Role::Following, Role::Alone));
    // A leader that holds its lease and cannot write is none.
    for second in 1..60 {
        leader.hear(at(second), at(second), &shelf.beat(at(second), &leader.ask(Wish::Lead, false)));
        follower.hear(at(second), at(second), &shelf.beat(at(second), &follower.ask(Wish::Lead, true)));
    }
    assert_eq!(follower.role(at(60)), Role::Alone);
    leader.hear(at(60), at(60), &shelf.beat(at(60), &leader.ask(Wish::Lead, true)));
    follower.hear(at(60), at(60), &shelf.beat(at(60), &follower.ask(Wish::Lead, true)));
    assert_eq!(follower.role(at(60)), Role::Following);
}

#[test]
fn a_leader_that_cannot_write_lets_another_try() {
    let (mut shelf, at) = (Shelf::default(), Duration::from_secs);
    let mut unable = Member::new(1, LIFE, at(0), 0.0);
    let mut able = Member::new(2, LIFE, at(0), 0.0);
    for member in [&mut unable, &mut able] {
        member.take(Number { epoch: 0, sequence: 1 });
    }
    shelf.stored = Number { epoch: 0, sequence: 1 };
    let mut leads = Vec::new();
    for second in 0..40 {
        for member in [&mut unable, &mut able] {
            let is_settled = member.replica == 2;
            member.hear(
                at(second),
                at(second),
                &shelf.beat(at(second), &member.ask(member.wish(at(second)), is_settled)),
            );
        }
        if matches!(unable.role(at(second)), Role::Leading(_)) {
            unable.fail(at(second));
        }
        leads.push(shelf.holder);
    }
    // Half its patience of six lives.
    assert_eq!(leads[8..12], [Some(1), Some(1), Some(2), Some(2)], "{leads:?}");
    assert!(leads[12..].iter().all(|holder| *holder == Some(2)));
    assert_eq!(able.role(at(39)), Role::Leading(2));
    // It heard of a leader all the time; what it cannot do itself does not keep others from it.
    unable.succeed();
    assert_eq!(unable.role(at(39)), Role::Following);
}

#[test]
fn who_is_alone_stays_so_when_it_has_something_to_show() {
    let at = Duration::from_secs;
    let mut member = Member::new(1, LIFE, at(0), 0.0);
    for second in 0..30 {
        let expected = if second < 3 { Role::Following } else { Role::Alone };
        assert_eq!(member.role(at(second)), expected, "{second}");
        if expected == Role::Alone {
            member.go_alone();
        }
    }
    // And leads as soon as it is let to: it has more than nobody.
    let mut shelf = Shelf::default();
    member.hear(at(30), at(30), &shelf.beat(at(30), &member.ask(member.wish(at(30)), true)));
    assert_eq!(member.role(at(30)), Role::Leading(1));
}

#[test]
fn who_cannot_read_what_the_leader_writes_goes_on_alone_until_it_can() {
    let (mut shelf, at) = (Shelf::default(), Duration::from_secs);
    let mut leader = Member::new(1, LIFE, at(0), 0.0);
    let mut follower = Member::new(2, LIFE, at(0), 0.0);
    follower.take(Number { epoch: 0, sequence: 1 });
    for second in 0..30 {
        for member in [&mut leader, &mut follower] {
            member.hear(at(second), at(second), &shelf.beat(at(second), &member.ask(Wish::Lead, true)));
        }
        follower.fail(at(second));
        let expected = if second < 18 { Role::Following } else { Role::Alone };
        assert_eq!(follower.role(at(second)), expected, "{second}");
    }
    assert!(follower.is_led(at(29)) && follower.may_give_up(at(29)));
    follower.succeed();
    assert_eq!(follower.role(at(29)), Role::Following);
}

#[test]
fn a_clock_that_goes_back_gives_nobody_a_longer_lease() {
    let (mut shelf, at) = (Shelf::default(), Duration::from_secs);
    let mut dead = Member::new(1, LIFE, at(0), 0.0);
    dead.hear(at(0), at(0), &shelf.beat(at(9_000), &dead.ask(Wish::Lead, true)));
    dead.hear(at(0), at(0), &shelf.beat(at(9_000), &dead.ask(Wish::Lead, true)));
    let mut other = Member::new(2, LIFE, at(0), 0.0);
    // An hour earlier by its clock, and a second later by ours.
    for (second, role) in [(1, Role::Following), (3, Role::Following), (4, Role::Leading(2))] {
        other.take(Number { epoch: 0, sequence: 1 });
        other.hear(at(second), at(second), &shelf.beat(at(5_400 + second), &other.ask(Wish::Lead, true)));
        assert_eq!(other.role(at(second)), role, "{second}");
    }
    assert!(shelf.fresh_at <= at(5_404), "what is said to be new is not from later");
}
