//! Many replicas, one catalog: one of them leads, which asks the registries and writes what it knows to the store that
//! they share; the others follow. What is agreed on and how, `store::shared` says; who leads, `store::shared::protocol`
//! decides.
//!
//! Two tasks take the place of the one that publishes catalogs of one process alone: `pulse` keeps
//! the lease, and `content` makes catalogs: as the leader (`lead`), as a follower (`follow`), or, where nobody leads,
//! alone.

mod content;
mod follow;
mod lead;
mod status;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, sleep, timeout};

use super::lasting::Lasting;
use super::{Refresh, Start, Task};
use crate::registry::Registry;
use crate::store;
use crate::store::shared::protocol::{Member, Number, Role, Wish};
use crate::store::shared::{Fault, Heard, Shared};
use content::Content;
pub use status::ReplicaStatus;
use status::{Part, Standing};

/// How long a start waits for what the others have, at most.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How long giving up the lease may take at the end.
const RELEASE_LIMIT: Duration = Duration::from_secs(1);
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
    /// Whether all that the leader knows is written.
    is_settled: AtomicBool,
    /// What others want of the leader.
    errands: Mutex<Errands>,
    standing: Mutex<Standing>,
    content: AsyncMutex<Content>,
}

/// What others want of the leader.
#[derive(Debug, Default)]
struct Errands {
    missing: Vec<store::shared::chunk::ChunkId>,
    asked: Vec<(String, bool)>,
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
            is_settled: AtomicBool::new(true),
            errands: Mutex::default(),
            standing: Mutex::new(standing),
            content: AsyncMutex::default(),
        });
        // Nobody is asked before it is clear who does.
        for registry in &replicas.refresh.members.load().registries {
            registry.set_duty(None);
        }
        let opening = async {
            replicas.beat(Wish::Lead).await;
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
            let led = self.role();
            self.beat(Wish::Lead).await;
            if matches!(led, Role::Leading(_)) && self.role() == Role::Following {
                // At once, whatever is under way: another replica asks them from now on.
                self.refresh.members.load().registries.iter().for_each(|registry| registry.set_duty(None));
            }
            self.refresh.changed.notify_one();
            sleep(QUIET).await;
            let interval = self.member().interval();
            let _ = timeout(interval, self.shared.news()).await;
        }
    }

    async fn beat(&self, wish: Wish) {
        let (sent_at, ask) = (self.now(), self.member().ask(wish, self.is_settled.load(Ordering::Relaxed)));
        let heard = self.shared.beat(&ask).await;
        let now = self.now();
        match heard {
            Ok(Heard { pulse, missing, asked }) => {
                self.member().hear(sent_at, now, &pulse);
                let mut errands = self.errands.lock().unwrap_or_else(PoisonError::into_inner);
                let room = MAX_MISSING.saturating_sub(errands.missing.len());
                errands.missing.extend(missing.into_iter().take(room));
                errands.asked.extend(asked);
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
        content.turn(role, &members);
        let done = match role {
            Role::Leading(epoch) => self.lead(&mut content, &members, epoch).await,
            Role::Following => self.follow(&mut content, &members).await,
            Role::Alone => {
                self.go_alone(&mut content, &members).await;
                Ok(())
            }
        };
        let is_leading = matches!(role, Role::Leading(_));
        if let Err(fault) = &done {
            self.fail(&mut content, &members, fault, is_leading).await;
        } else if role != Role::Alone {
            content.failing_since = None;
            self.standing().recover(Part::Content);
        }
        self.is_settled.store(!is_leading || content.failing_since.is_none(), Ordering::Relaxed);
        let seen = self.member().seen();
        self.standing().show(role, seen, content.is_own, &self.shared.traffic());
        content.until_due(role)
    }

    /// What becomes of a write or a look that failed.
    async fn fail(&self, content: &mut Content, members: &Arc<super::Members>, fault: &Fault, is_leading: bool) {
        match fault {
            Fault::Fenced => self.member().step_down(),
            // The next answer tells what is there.
            Fault::Moved => {}
            Fault::Missing(_) | Fault::Unwell(_) | Fault::Unreadable(_) => {
                self.standing().miss(Part::Content, fault);
                let since = *content.failing_since.get_or_insert_with(Instant::now);
                // It leads, and cannot tell anybody what it knows: its own clients shall know at least.
                if is_leading && self.member().patience() < since.elapsed() {
                    self.go_alone(content, members).await;
                }
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

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it stands, for others to show.
    #[must_use]
    pub fn status(&self) -> ReplicaStatus {
        self.standing().status()
    }

    fn take_errands(&self) -> Errands {
        std::mem::take(&mut *self.errands.lock().unwrap_or_else(PoisonError::into_inner))
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

    /// Each cycle looks at what [`Refresh`] has.
    fn follow(&self, _registries: Vec<Arc<Registry>>) {}

    fn finish(self: Arc<Self>) -> Task {
        Box::pin(self.hand_over())
    }
}
