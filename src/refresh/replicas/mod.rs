//! Many replicas, one catalog: one of them leads, which asks the registries and writes what it knows to the store that
//! they share; the others follow. What is agreed on and how, `store::shared` says; who leads, `store::shared::protocol`
//! decides.
//!
//! Two tasks take the place of the one that publishes catalogs of one process alone: `pulse` keeps
//! the lease, and `content` makes catalogs: as the leader (`lead`), as a follower (`follow`), or, where nobody leads,
//! alone.

mod content;
mod duties;
mod follow;
mod lead;
mod status;

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::lasting::Lasting;
use super::{Refresh, Start, Task};
use crate::registry::Registry;
use crate::store;
use crate::store::identity::Secret;
use crate::store::shared::chunk::ChunkId;
use crate::store::shared::protocol::{Member, Number, Role, Wish};
use crate::store::shared::{Fault, Heard, Shared, Wanted};
use content::Content;
use duties::Duties;
pub use status::ReplicaStatus;
use status::{Part, Standing};

/// How long a start waits for what the others have, at most.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How long giving up the lease may take at the end.
const RELEASE_LIMIT: Duration = Duration::from_secs(1);
/// For how many lives of a lease a registry that the leader does not ask is left to it.
const NEW_PLACE: u32 = 3;
/// Questions that follow one another wait this long: several pieces of news are one.
const QUIET: Duration = Duration::from_millis(10);
/// The most chunks that the leader remembers others to lack.
const MAX_MISSING: usize = 10_000;

/// One replica of several.
#[derive(Debug)]
pub struct Replicas {
    shared: Shared,
    refresh: Arc<Refresh>,
    member: Mutex<Member>,
    /// What the clock of the protocol counts from.
    started: Instant,
    /// The epoch in which it leads and has written all that it knows; 0 for none.
    settled_in: AtomicU64,
    /// Who asks which registry.
    duties: Mutex<Duties>,
    /// What others want of the leader.
    errands: Mutex<Errands>,
    standing: Mutex<Standing>,
    content: AsyncMutex<Content>,
}

/// What others want of the leader.
#[derive(Debug, Default)]
struct Errands {
    missing: Vec<ChunkId>,
    asked: Vec<Wanted>,
}

impl Replicas {
    /// One replica, which takes up what there is, before anybody asks it. That may take a few seconds; where there is
    /// nothing to be had by then, it goes on without.
    pub async fn open(shared: Shared, config: &store::Config, refresh: Arc<Refresh>) -> Arc<Self> {
        let member = Member::new(shared.replica(), config.lease, Duration::ZERO, fastrand::f64());
        let standing = Standing::new(shared.address().to_owned());
        let replicas = Arc::new(Self {
            shared,
            refresh,
            member: Mutex::new(member),
            started: Instant::now(),
            settled_in: AtomicU64::new(0),
            duties: Mutex::new(Duties::new(config.lease * NEW_PLACE)),
            errands: Mutex::default(),
            standing: Mutex::new(standing),
            content: AsyncMutex::default(),
        });
        // Nobody is asked before it is clear who does.
        replicas.take_turn(Role::Following);
        let opening = async {
            let wish = replicas.member().wish(replicas.now());
            replicas.beat(wish).await;
            replicas.cycle().await;
        };
        if timeout(OPEN_LIMIT, opening).await.is_err() {
            tracing::warn!("what the other replicas have takes longer than a start waits for");
        }
        replicas
    }

    /// Gives up the lease, so that another replica leads at once.
    async fn hand_over(self: Arc<Self>) {
        if timeout(RELEASE_LIMIT, self.beat(Wish::Release)).await.is_err() {
            tracing::warn!("the lease could not be given up: another replica leads once it has run out");
        }
    }

    /// Keeps the lease, or waits for it.
    async fn pulse(self: Arc<Self>) {
        loop {
            let wish = self.member().wish(self.now());
            self.in_time(self.beat(wish)).await;
            self.stand_down();
            self.standing().show_role(self.role());
            self.refresh.changed.notify_one();
            let interval = self.member().interval();
            self.in_time(async {
                sleep(QUIET).await;
                let _ = timeout(interval, self.shared.news()).await;
            })
            .await;
        }
    }

    /// Does something; should the lease end meanwhile, nobody is asked from then on.
    async fn in_time(&self, work: impl Future<Output = ()>) {
        let mut work = pin!(work);
        tokio::select! {
            () = &mut work => {}
            () = self.lease_ends() => {
                self.stand_down();
                work.await;
            }
        }
    }

    /// Ends with the lease; never where there is none.
    async fn lease_ends(&self) {
        let until = self.member().leads_until();
        match until {
            Some(until) => sleep_until(self.started + until).await,
            None => std::future::pending().await,
        }
    }

    /// Asks nobody any more, whatever is under way, where another replica does from now on.
    fn stand_down(&self) {
        if self.role() == Role::Following {
            self.take_turn(Role::Following);
        }
    }

    /// Takes in a role: whose it is to ask the registries.
    fn take_turn(&self, role: Role) {
        self.duties().turn(role, &self.refresh.members.load().registries);
    }

    async fn beat(&self, wish: Wish) {
        let sent_at = self.now();
        let ask = {
            let member = self.member();
            let is_settled = matches!(member.role(sent_at), Role::Leading(epoch) if self.settled_in.load(Ordering::Relaxed) == epoch);
            member.ask(wish, is_settled)
        };
        let heard = self.shared.beat(&ask).await;
        let now = self.now();
        match heard {
            Ok(Heard { pulse, missing, asked }) => {
                self.member().hear(sent_at, now, &pulse);
                let mut errands = self.errands();
                let room = MAX_MISSING.saturating_sub(errands.missing.len());
                errands.missing.extend(missing.into_iter().take(room));
                errands.asked = asked;
                drop(errands);
                let mut standing = self.standing();
                standing.hear();
                standing.recover(Part::Pulse);
            }
            Err(fault) => self.standing().miss(Part::Pulse, &fault),
        }
    }

    /// Makes catalogs, for ever.
    async fn publish(self: Arc<Self>) {
        loop {
            let wait = self.cycle().await;
            // What arrives while this one settles becomes one catalog; what arrived first was published at once.
            sleep(super::publish::SETTLE).await;
            // Elapsing is as good as being told: everything is compared again.
            let _ = timeout(wait, self.refresh.changed.notified()).await;
        }
    }

    /// Does what is to be done now; says how long until something is due by itself.
    async fn cycle(&self) -> Duration {
        let mut content = self.content.lock().await;
        let (role, members) = (self.role(), self.refresh.members.load_full());
        let done = match role {
            Role::Leading(epoch) => self.lead(&mut content, &members, epoch).await,
            Role::Following => {
                self.take_turn(role);
                self.follow(&mut content, &members).await
            }
            Role::Alone => {
                self.take_turn(role);
                content.alone_at = Some(Instant::now());
                content.ask_itself(&members);
                self.go_alone(&mut content, &members).await;
                if content.has_shown() {
                    self.member().go_alone();
                }
                self.return_to_others(&mut content, &members).await
            }
        };
        self.judge(role, done);
        let seen = self.member().seen();
        self.standing().show(seen, content.is_own, &self.shared.traffic());
        self.standing().show_role(self.role());
        content.until_due(role)
    }

    /// What becomes of a write or a look that failed, or did not.
    fn judge(&self, role: Role, done: Result<(), Fault>) {
        let now = self.now();
        let settled_in = match (role, &done) {
            (Role::Leading(epoch), Ok(())) => epoch,
            _ => 0,
        };
        self.settled_in.store(settled_in, Ordering::Relaxed);
        match done {
            Ok(()) => {
                self.member().succeed();
                self.standing().recover(Part::Content);
            }
            Err(Fault::Fenced) => self.member().step_down(),
            // The next answer tells what is there. Until then nothing has been shown to work, or to fail.
            Err(Fault::Moved) => {}
            Err(fault @ (Fault::Missing(_) | Fault::Unwell(_) | Fault::Unreadable(_))) => {
                self.standing().miss(Part::Content, &fault);
                self.member().fail(now);
            }
        }
    }

    fn role(&self) -> Role {
        self.member().role(self.now())
    }

    /// Whether it leads in this epoch still.
    fn leads_in(&self, epoch: u64) -> bool {
        self.role() == Role::Leading(epoch)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn member(&self) -> MutexGuard<'_, Member> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn duties(&self) -> MutexGuard<'_, Duties> {
        self.duties.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn errands(&self) -> MutexGuard<'_, Errands> {
        self.errands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it stands, for others to show.
    #[must_use]
    pub fn status(&self) -> ReplicaStatus {
        self.standing().status()
    }

    fn take_errands(&self) -> Errands {
        std::mem::take(&mut *self.errands())
    }

    fn may_take(&self, number: Number) -> bool {
        let member = self.member();
        member.may_take(number) || member.seen() == number
    }
}

impl Lasting for Replicas {
    fn tasks(self: Arc<Self>) -> Vec<(String, Start)> {
        let pulsing = Arc::clone(&self);
        let pulse = move || -> Task { Box::pin(Arc::clone(&pulsing).pulse()) };
        let publish = move || -> Task { Box::pin(Arc::clone(&self).publish()) };
        vec![("lease".to_owned(), Box::new(pulse)), ("publish".to_owned(), Box::new(publish))]
    }

    fn publishes(&self) -> bool {
        true
    }

    /// What the others know of it comes with the next cycle.
    fn restore(self: Arc<Self>, _registry: Arc<Registry>) -> Task {
        Box::pin(async {})
    }

    /// Each cycle looks at what [`Refresh`] has. Before these are asked, it is clear who does.
    fn follow(&self, registries: Vec<Arc<Registry>>) {
        let role = self.role();
        self.duties().turn(role, &registries);
    }

    /// The one that all replicas go by.
    fn secret(&self) -> Option<Secret> {
        self.shared.known_secret()
    }

    fn finish(self: Arc<Self>) -> Task {
        Box::pin(self.hand_over())
    }
}
