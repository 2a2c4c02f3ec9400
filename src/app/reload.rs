//! Following the configuration while the proxy runs: a file that changes, or SIGHUP, and it is read again. What is
//! wrong is refused whole and the running configuration stays; what is right takes effect in one step, without a
//! restart and without a failed request.

use std::sync::Arc;
use std::time::Duration;

use figment::value::magic::RelativePathBuf;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};

use super::{AppError, Blueprint, Entrances, Materials, Member, Surroundings, refresh};
use crate::aside::aside;
use crate::config::{Config, ConfigError, Loaded, Origin, Signature};
use crate::refresh::Refresh;
use crate::refresh::lasting::Lasting;
use crate::serve::{Core, Refusal};
use crate::shutdown::Lifecycle;
use crate::store::identity::Secret;
use crate::telemetry;

/// How often the files are looked at. A change counts once it has been seen twice: by then, who writes has finished.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How long a registry that is new may wait for what the store has of it.
const RESTORE_LIMIT: Duration = Duration::from_secs(5);

/// Follows the configuration.
#[derive(Debug)]
pub(super) struct Reloader {
    pub(super) origin: Origin,
    /// What its files looked like before they were read for the last time.
    pub(super) read: Signature,
    /// What waits for a restart is compared with this.
    pub(super) started_with: Config,
    pub(super) running: Config,
    pub(super) secret: Secret,
    pub(super) surroundings: Surroundings,
    pub(super) members: Vec<Member>,
    pub(super) refresh: Arc<Refresh>,
    pub(super) core: Core,
    pub(super) entrances: Entrances,
    /// What outlives the process, where something does.
    pub(super) lasting: Option<Arc<dyn Lasting>>,
}

impl Reloader {
    /// Starts the registries' tasks, and follows the configuration until the life ends.
    ///
    /// # Errors
    /// When SIGHUP cannot be listened to.
    pub(super) fn start(mut self, lifecycle: &Lifecycle) -> std::io::Result<()> {
        let hang_ups = signal(SignalKind::hangup())?;
        for member in &mut self.members {
            member.start(lifecycle);
        }
        let life = lifecycle.clone();
        lifecycle.spawn(async move {
            let stopped = life.clone();
            tokio::select! {
                () = stopped.stopped() => {}
                () = self.follow(hang_ups, &life) => {}
            }
        });
        Ok(())
    }

    async fn follow(mut self, mut hang_ups: Signal, lifecycle: &Lifecycle) {
        let mut last = self.read.clone();
        loop {
            let is_asked = tokio::select! {
                hang_up = hang_ups.recv() => hang_up.is_some(),
                () = sleep(POLL_INTERVAL) => false,
            };
            self.follow_secret();
            let now = self.signature().await;
            let has_settled = now == std::mem::replace(&mut last, now.clone());
            if is_asked || has_settled && now != self.read {
                self.read = now;
                self.reload(is_asked, lifecycle).await;
            }
        }
    }

    async fn signature(&self) -> Signature {
        let origin = self.origin.clone();
        aside(move || origin.signature()).await
    }

    /// Goes by the secret that all replicas go by, as soon as that is known.
    fn follow_secret(&mut self) {
        let Some(secret) = self.lasting.as_ref().and_then(|lasting| lasting.secret()) else { return };
        if secret == self.secret {
            return;
        }
        self.secret = secret;
        self.surroundings.own_ids.replace_with(&self.secret.id(&self.running.registries));
        self.show_members();
        tracing::info!("this replica goes by the id of the others now");
    }

    /// Reads the configuration again. All of it takes effect, or nothing.
    async fn reload(&mut self, is_asked: bool, lifecycle: &Lifecycle) {
        let origin = self.origin.clone();
        let taken = match aside(move || origin.load()).await {
            Ok(Loaded { config, without_effect, .. }) => {
                if !without_effect.is_empty() {
                    let keys = without_effect.join(", ");
                    tracing::warn!(keys, "these keys are valid and have no effect in this version yet");
                }
                self.take(config, lifecycle).await
            }
            Err(error) => Err(error),
        };
        match taken {
            Ok(pending) => {
                tracing::info!(
                    registries = self.members.len(),
                    on_signal = is_asked,
                    "the configuration was read again"
                );
                if !pending.is_empty() {
                    let keys = pending.join(", ");
                    tracing::warn!(keys, "these keys have changed and wait for a restart");
                }
                self.core.note_change(Timestamp::now(), pending);
            }
            Err(error) => {
                for problem in error.to_string().lines() {
                    tracing::error!(problem, "the changed configuration is refused; the one before stays in effect");
                }
                let refusal = Refusal { at: Timestamp::now(), error: error.redacted(), detail: error.to_string() };
                self.core.note_refusal(refusal);
            }
        }
    }

    /// Takes another configuration, and returns the keys that wait for a restart. Whatever can fail comes before
    /// anything that shows.
    async fn take(&mut self, config: Config, lifecycle: &Lifecycle) -> Result<Vec<&'static str>, ConfigError> {
        let pending = pending(&self.started_with, &config);
        let config = self.with_what_stays(config)?;
        let (surroundings, needs_all_anew) =
            self.surroundings.changed_to(&self.running, &config).map_err(config_error)?;
        let next = self.next_members(&config, &surroundings, needs_all_anew)?;
        self.restore(&next).await;
        // From here on nothing fails.
        let id = self.secret.id(&config.registries);
        if surroundings.own_ids.present().as_ref() != Some(&id) {
            surroundings.own_ids.replace_with(&id);
        }
        telemetry::set_level(&config.log);
        self.core = self.core.clone().with_cache_bytes(config.cache.max_size.as_u64());
        (self.running, self.surroundings) = (config, surroundings);
        self.replace_members(next, lifecycle);
        Ok(pending)
    }

    /// The members of a configuration: the ones there are, at their places, and new ones where there is none or
    /// where one has changed.
    fn next_members(
        &self,
        config: &Config,
        surroundings: &Surroundings,
        needs_all_anew: bool,
    ) -> Result<Vec<Next>, ConfigError> {
        let next = |section| {
            let blueprint = Blueprint::new(config, section);
            let known = self.members.iter().position(|member| member.blueprint.is_same_as(&blueprint));
            match known.filter(|_| !needs_all_anew) {
                Some(index) => Ok(Next::Stays(index)),
                None => surroundings.member(blueprint).map(Box::new).map(Next::New).map_err(config_error),
            }
        };
        config.registries.iter().map(next).collect()
    }

    /// Takes up what was kept of registries that nobody hands anything over to.
    async fn restore(&self, next: &[Next]) {
        let Some(lasting) = &self.lasting else { return };
        for next in next {
            if let Next::New(member) = next
                && !self.members.iter().any(|before| before.has_same_place_as(member))
            {
                let restored = timeout(RESTORE_LIMIT, Arc::clone(lasting).restore(Arc::clone(&member.registry))).await;
                if restored.is_err() {
                    tracing::warn!(registry = member.name(), "the store is too slow to wait for what it has of it");
                }
            }
        }
    }

    fn replace_members(&mut self, next: Vec<Next>, lifecycle: &Lifecycle) {
        let mut before: Vec<Option<Member>> = std::mem::take(&mut self.members).into_iter().map(Some).collect();
        // Those that stay are taken out first: what is left is replaced or removed.
        let next: Vec<Member> = next
            .into_iter()
            .filter_map(|next| match next {
                Next::Stays(index) => before[index].take(),
                Next::New(member) => Some(*member),
            })
            .collect();
        for gone in before.into_iter().flatten() {
            let successor = next.iter().find(|member| member.has_same_place_as(&gone));
            if let Some(successor) = successor {
                successor.registry.take_over(&gone.registry);
            } else {
                tracing::info!(registry = gone.name(), "registry is no longer configured, or starts anew");
            }
            gone.stop();
        }
        self.members = next;
        self.show_members();
        for member in &mut self.members {
            member.start(lifecycle);
        }
    }

    /// Lets catalogs and answers be made of the present members.
    fn show_members(&self) {
        let registries: Vec<_> = self.members.iter().map(|member| Arc::clone(&member.registry)).collect();
        let policy = Arc::clone(&self.surroundings.policy);
        self.refresh.replace(refresh::Members { registries: registries.clone(), policy });
        if let Some(lasting) = &self.lasting {
            lasting.follow(registries.clone());
        }
        let own_id = self.secret.id(&self.running.registries);
        let Self { core, running: config, .. } = self;
        self.entrances.replace(&Materials { core, registries: &registries, config, own_id: &own_id });
    }

    /// The configuration where what waits for a restart is as it was. The rules are judged by that: a listener that
    /// stays where it is must not lose its token because it is to move.
    fn with_what_stays(&self, mut config: Config) -> Result<Config, ConfigError> {
        let started_with = &self.started_with;
        config.server.listen = started_with.server.listen;
        config.admin.listen = started_with.admin.listen;
        config.provenance.key.clone_from(&started_with.provenance.key);
        match config.admin.problems().into_iter().next() {
            None => Ok(config),
            Some((key, problem)) => {
                let advice = format!("{problem}, and `admin.listen` changes only with a restart");
                Err(ConfigError::of_key(&format!("admin.{key}"), &advice))
            }
        }
    }
}

/// A member of the configuration that is to take effect.
enum Next {
    /// The one at this position stays.
    Stays(usize),
    New(Box<Member>),
}

/// The keys that have changed and take effect only with a restart.
fn pending(started_with: &Config, config: &Config) -> Vec<&'static str> {
    let (before, now) = (started_with, config);
    let path = |file: &Option<RelativePathBuf>| file.as_ref().map(RelativePathBuf::relative);
    let certificate = |config: &Config| path(&config.server.tls_certificate_file);
    let key = |config: &Config| path(&config.server.tls_key_file);
    let (clients, new_clients) = (before.limits.of_clients(), now.limits.of_clients());
    let changes = [
        ("server.listen", before.server.listen != now.server.listen),
        ("server.tls_certificate_file", certificate(before) != certificate(now)),
        ("server.tls_key_file", key(before) != key(now)),
        ("admin.listen", before.admin.listen() != now.admin.listen()),
        ("store", !before.store.is_same_as(&now.store)),
        // Listings hold what registries say under other keys, and nothing of what they say under ours.
        ("provenance.key", before.provenance.key != now.provenance.key),
        ("limits.connections", clients.connections != new_clients.connections),
        ("limits.connections_per_address", clients.connections_per_address != new_clients.connections_per_address),
        ("limits.requests", clients.requests != new_clients.requests),
        ("limits.max_sending_size", clients.max_sending_size != new_clients.max_sending_size),
        ("log.format", before.log.format != now.log.format),
    ];
    changes.into_iter().filter_map(|(key, has_changed)| has_changed.then_some(key)).collect()
}

fn config_error(error: AppError) -> ConfigError {
    match error {
        AppError::Config(error) => error,
        other => ConfigError::of_key("registries", &other.to_string()),
    }
}
