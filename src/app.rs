//! The composition root: the only place where parts meet. Build (binds, may fail), then addresses, then run.
//! `members` are the registries as they run, `entrances` what listeners lead to, `reload` follows the configuration
//! while they do; `once` fetches them for commands that end.

mod entrances;
mod members;
mod once;
mod reload;
mod replicas;
mod traces;

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::aside::aside;
use crate::catalog::current::Current;
use crate::catalog::lineage::ProxyId;
use crate::catalog::merge::Policy;
use crate::config::{Config, ConfigError, Loaded, Origin};
use crate::refresh::keep::{self, Keeper};
use crate::refresh::lasting::Lasting;
use crate::refresh::replicas::Replicas;
use crate::refresh::{self, Refresh};
use crate::registry::{Network, OwnIds, Registry};
use crate::serve::{
    AdminListen, Configuration, Core, Deadlines, Entrance, Figures, Listener, ReadThrough, Spawn, StoreFigures,
    TelemetryFigures,
};
use crate::shutdown::{Ending, Lifecycle};
use crate::store::StoreStatus;
use crate::store::identity::Secret;
use crate::store::shared::Shared;
use crate::telemetry::{self, Traces};

use entrances::{Entrances, Materials};
pub use members::registries;
use members::{Blueprint, Member, Surroundings};
pub use once::{Incomplete, Missing, Progress, Snapshot, fetch_once};
use reload::Reloader;

/// A proxy that is bound and not yet running.
#[derive(Debug)]
pub struct App {
    listener: Listener,
    admin: Option<Listener>,
    refresh: Arc<Refresh>,
    reloader: Reloader,
    lasting: Option<Arc<dyn Lasting>>,
    lifecycle: Lifecycle,
    traces: Option<Traces>,
}

/// Why a proxy could not be built or run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address could not be bound.
    #[error("cannot listen on {address} (`{key}`): {error}")]
    Bind {
        /// The key that has the address.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// Signals cannot be listened to.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
}

impl App {
    /// Builds all parts and binds the listener. The configuration has been loaded from `origin`, which is followed
    /// while the proxy runs.
    ///
    /// # Errors
    /// When the configuration is wrong or the address cannot be bound.
    pub async fn build(origin: Origin, loaded: &Loaded) -> Result<Self, AppError> {
        let config = &loaded.config;
        let shared = shared(config)?;
        let secret = match &shared {
            Some(shared) => replicas::secret(shared).await,
            None => secret(config, Secret::load).await,
        };
        let own_id = secret.id(&config.registries);
        let own_ids = OwnIds::of(Some(own_id.clone()));
        let changed = Arc::new(Notify::new());
        let surroundings = Surroundings::new(config, own_ids, changed)?.with_common(replicas::look_ups(config)?);
        let traces = traces::start(&loaded.traces, surroundings.network());
        let members = surroundings.members(config)?;

        let current = Arc::new(Current::default());
        let registries: Vec<_> = members.iter().map(|member| Arc::clone(&member.registry)).collect();
        let keeper = keep::open(&config.store, &registries, Arc::clone(&current)).await;
        let policy = Arc::clone(&surroundings.policy);
        let wing = refresh::Members { registries: registries.clone(), policy };
        let refresh = Arc::new(Refresh::new(wing, Arc::clone(&current), Arc::clone(&surroundings.changed)));
        let replicas = match shared {
            Some(shared) => Some(Replicas::open(shared, &config.store, Arc::clone(&refresh)).await),
            None => None,
        };
        let configuration = Arc::new(Configuration::new(Timestamp::now()));
        let lifecycle = Lifecycle::new();
        let read_through = Arc::new(ReadThrough::new(flights(&lifecycle), config.limits.of_clients().requests));
        let core = Core::new(current, configuration, read_through, config.cache.max_size.as_u64());
        let listener = bind(config).await?;
        let admin = bind_admin(config).await?;
        let core = core
            .with_figures(figures(&listener, admin.as_ref(), keeper.as_ref(), replicas.as_ref()))
            .with_published(refresh.published());
        // There is one store: on disk, or shared.
        let lasting: Option<Arc<dyn Lasting>> = match (keeper, replicas) {
            (_, Some(replicas)) => Some(replicas),
            (keeper, None) => keeper.map(|keeper| -> Arc<dyn Lasting> { keeper }),
        };
        let materials = Materials { core: &core, registries: &registries, config, own_id: &own_id };
        let entrances = Entrances::new(&materials);
        let reloader = Reloader {
            origin,
            read: loaded.signature.clone(),
            started_with: config.clone(),
            running: config.clone(),
            secret,
            surroundings,
            members,
            refresh: Arc::clone(&refresh),
            core,
            entrances,
            lasting: lasting.clone(),
        };
        Ok(Self { listener, admin, refresh, reloader, lasting, lifecycle, traces })
    }

    /// Where the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Where those who run the proxy reach it, if it listens for them.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Listener::address)
    }

    /// Where clients reach the proxy.
    #[must_use]
    pub fn base_url(&self) -> String {
        let scheme = if self.listener.tls().is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// The same with other deadlines for its connections, for tests.
    #[must_use]
    pub fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self { listener: self.listener.with_deadlines(deadlines), ..self }
    }

    /// The proxy's life, to end it from elsewhere than a signal.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycle {
        self.lifecycle.clone()
    }

    /// Runs until a signal, or until its [`Lifecycle`] is asked to stop.
    ///
    /// # Errors
    /// When signals cannot be listened to.
    pub async fn run(self) -> Result<Ending, AppError> {
        let Self { listener, admin, refresh, reloader, lasting, lifecycle, traces } = self;
        let entrances = reloader.entrances.clone();
        if !lasting.as_ref().is_some_and(|lasting| lasting.publishes()) {
            let (name, publish) = refresh.publishing();
            lifecycle.keep_running(name, publish);
        }
        reloader.start(&lifecycle).map_err(AppError::Signals)?;
        if let Some(lasting) = lasting {
            let (last, stopping) = (Arc::clone(&lasting), lifecycle.clone());
            for (name, task) in lasting.tasks() {
                lifecycle.keep_running(name, task);
            }
            lifecycle.spawn(async move {
                stopping.stopped().await;
                last.finish().await;
            });
        }
        if let Some(tls) = listener.tls().map(Arc::clone) {
            lifecycle.keep_running("TLS files".to_owned(), move || Arc::clone(&tls).watch());
        }
        let drain_limit = listener.drain_limit();
        accept(listener, entrances.public, &lifecycle);
        if let Some(admin) = admin {
            accept(admin, entrances.admin, &lifecycle);
        }
        let ending = lifecycle.run_to_end(drain_limit).await.map_err(AppError::Signals)?;
        if let Some(traces) = traces.filter(|_| ending == Ending::Clean) {
            aside(move || traces.finish()).await;
        }
        Ok(ending)
    }
}

/// Accepts connections until the life ends.
fn accept(listener: Listener, entrance: Arc<Entrance>, lifecycle: &Lifecycle) {
    let (connections, stopping) = (lifecycle.clone(), lifecycle.clone());
    let stopped = move || {
        let lifecycle = stopping.clone();
        async move { lifecycle.stopped().await }
    };
    lifecycle.spawn(async move {
        listener.run(entrance, |connection| connections.spawn(connection.serve()), stopped).await;
    });
}

async fn bind(config: &Config) -> Result<Listener, AppError> {
    let address = config.server.listen;
    let tls = config.server.tls();
    let tls = tls.map_err(|(key, problem)| ConfigError::of_key(&format!("server.{key}"), &problem))?;
    let listener = Listener::bind(address, tls.map(Arc::new)).await;
    let listener = listener.map_err(|error| AppError::Bind { key: "server.listen", address, error })?;
    Ok(listener.with_limits(config.limits.of_clients()))
}

async fn bind_admin(config: &Config) -> Result<Option<Listener>, AppError> {
    let AdminListen::At(address) = config.admin.listen() else { return Ok(None) };
    match Listener::bind(address, None).await {
        Ok(listener) => Ok(Some(listener.for_admin())),
        // Nobody asked for this very address: a second proxy on one machine shall not fail for it.
        Err(error) if config.admin.listen.is_none() => {
            tracing::warn!(%address, %error, "there is no admin listener: its usual address is taken; set `admin.listen`");
            Ok(None)
        }
        Err(error) => Err(AppError::Bind { key: "admin.listen", address, error }),
    }
}

/// What the metrics show of parts that services know nothing of.
fn figures(
    listener: &Listener,
    admin: Option<&Listener>,
    keeper: Option<&Arc<Keeper>>,
    replicas: Option<&Arc<Replicas>>,
) -> Figures {
    let store = keeper.map(|keeper| -> Arc<dyn Fn() -> StoreFigures + Send + Sync> {
        let health = Arc::clone(keeper.health());
        Arc::new(move || {
            let StoreStatus { last_write, is_failing, failing, writes, failures, written_bytes } = health.status();
            StoreFigures { last_write, is_failing, failing, writes, failures, written_bytes }
        })
    });
    let load = |listener: &Listener| Arc::clone(listener.load());
    Figures {
        load: Some(load(listener)),
        admin: admin.map(load),
        store,
        telemetry: Some(telemetry_figures),
        replica: replicas.map(replicas::figures),
    }
}

fn telemetry_figures() -> TelemetryFigures {
    let (trace_exports, failed_trace_exports) = telemetry::trace_exports();
    let (lost_log_lines, started_at) = (telemetry::lost_lines(), telemetry::started_at());
    TelemetryFigures { lost_log_lines, trace_exports, failed_trace_exports, started_at }
}

/// Runs flights beside the connections: each may outlive the client that it began for. Once everything is to end,
/// they have as long as a request waits for them.
fn flights(lifecycle: &Lifecycle) -> Spawn {
    let lifecycle = lifecycle.clone();
    Box::new(move |flight| {
        let life = lifecycle.clone();
        lifecycle.spawn(async move {
            let over = async {
                life.stopped().await;
                sleep(ReadThrough::MAX_WAIT).await;
            };
            tokio::select! {
                () = flight => {}
                () = over => {}
            }
        });
    })
}

/// The id by which other proxies know the one that is served from this configuration, if it has been served and
/// kept its id. None is made.
pub async fn known_id(config: &Config) -> Option<ProxyId> {
    let secret = match shared(config) {
        Ok(Some(shared)) => replicas::find_secret(&shared).await,
        _ => secret(config, Secret::find).await,
    };
    secret.map(|secret| secret.id(&config.registries))
}

/// The store that replicas share, where there is one.
fn shared(config: &Config) -> Result<Option<Shared>, AppError> {
    Ok(replicas::shared(config)?)
}

/// What the store has as the secret. Its file may be on a slow disk.
async fn secret<S: Send + 'static>(config: &Config, read: fn(&crate::store::Config) -> S) -> S {
    let store = config.store.clone();
    aside(move || read(&store)).await
}
