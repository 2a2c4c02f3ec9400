//! The composition root: the only place where parts meet. Build (binds, may fail), then addresses, then run.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::catalog::current::Current;
use crate::catalog::lineage::ProxyId;
use crate::catalog::merge::Policy;
use crate::config::{Config, ConfigError};
use crate::refresh::Refresh;
use crate::registry::{Network, Registry, Settings};
use crate::serve::{Deadlines, Listener, Service, ServiceSettings, Visibility};
use crate::shutdown::{Ending, Lifecycle};
use crate::store::identity::Secret;

/// A proxy that is bound and not yet running.
#[derive(Debug)]
pub struct App {
    listener: Listener,
    service: Arc<Service>,
    refresh: Refresh,
    lifecycle: Lifecycle,
}

/// Why a proxy could not be built or run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address could not be bound.
    #[error("cannot listen on {address} (`server.listen`): {error}")]
    Bind {
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
    /// Builds all parts and binds the listener.
    ///
    /// # Errors
    /// When the configuration is wrong or the address cannot be bound.
    pub async fn build(config: &Config) -> Result<Self, AppError> {
        let current = Arc::new(Current::default());
        let changed = Arc::new(Notify::new());
        let own_id = own_id(config).await;
        let registries = registries(config, Some(&own_id), &changed)?;
        let schedules = config.registries.iter().map(|registry| config.refresh.overridden_by(&registry.refresh));
        let refresh = Refresh {
            registries: registries.iter().cloned().zip(schedules).collect(),
            policy: Policy { mode: config.catalog.merge, provenance: config.provenance.clone() },
            current: Arc::clone(&current),
            changed,
        };
        let settings = ServiceSettings {
            cors_origins: config.server.cors_origins.clone(),
            cache_bytes: config.cache.max_size.as_u64(),
            max_age: config.cache.max_age,
            visibility: visibility(config),
            shows_urls: config.provenance.publish_urls,
            own_id,
        };
        let service = Arc::new(Service::new(current, registries, &settings));
        let address = config.server.listen;
        let tls = config.server.tls();
        let tls = tls.map_err(|(key, problem)| ConfigError::of_key(&format!("server.{key}"), &problem))?;
        let listener = Listener::bind(address, tls.map(Arc::new)).await;
        let listener = listener.map_err(|error| AppError::Bind { address, error })?;
        Ok(Self { listener, service, refresh, lifecycle: Lifecycle::new() })
    }

    /// Where the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
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
        let Self { listener, service, refresh, lifecycle } = self;
        refresh.start(|name, start| lifecycle.keep_running(name, start));
        if let Some(tls) = listener.tls().map(Arc::clone) {
            lifecycle.keep_running("TLS files".to_owned(), move || Arc::clone(&tls).watch());
        }
        let drain_limit = listener.drain_limit();
        let connections = lifecycle.clone();
        let stopping = lifecycle.clone();
        let stopped = move || {
            let lifecycle = stopping.clone();
            async move { lifecycle.stopped().await }
        };
        lifecycle.spawn(async move {
            listener.run(service, |connection| connections.spawn(connection.serve()), stopped).await;
        });
        lifecycle.run_to_end(drain_limit).await.map_err(AppError::Signals)
    }
}

/// The id by which other proxies know the one that is served from this configuration, if it has been served and
/// kept its id. None is made.
pub async fn known_id(config: &Config) -> Option<ProxyId> {
    let store = config.store.clone();
    match tokio::task::spawn_blocking(move || Secret::find(&store)).await {
        Ok(secret) => secret.map(|secret| secret.id(&config.registries)),
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// The id by which other proxies know this one.
async fn own_id(config: &Config) -> ProxyId {
    let store = config.store.clone();
    // Its file may be on a slow disk.
    match tokio::task::spawn_blocking(move || Secret::load(&store)).await {
        Ok(secret) => secret.id(&config.registries),
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// All configured registries, in configuration order. Loops are found only where there is an id of our own.
///
/// # Errors
/// What is wrong with `[network]`. The registries themselves have been checked with the configuration.
pub fn registries(
    config: &Config,
    own_id: Option<&ProxyId>,
    changed: &Arc<Notify>,
) -> Result<Vec<Arc<Registry>>, AppError> {
    let network = Network::new(&config.network)
        .map_err(|(key, problem)| ConfigError::of_key(&format!("network.{key}"), &problem))?;
    let provenance_key: Arc<str> = config.provenance.key.as_str().into();
    let build = |registry: &crate::registry::config::Config| {
        let problem = |problem: String| ConfigError::of_key(&format!("registries.{}", registry.name), &problem);
        let settings = Settings {
            health: config.health.overridden_by(&registry.health),
            max_rate: config.refresh.overridden_by(&registry.refresh).max_rate,
            provenance_key: Arc::clone(&provenance_key),
            own_id: own_id.cloned(),
        };
        let rules = registry.rules().map_err(|error| problem(error.to_string()))?;
        let target = registry.target().map_err(|found| {
            problem(found.into_iter().map(|(key, found)| format!("{key} {found}")).collect::<Vec<_>>().join("; "))
        })?;
        Registry::new(rules, target, settings, &network, Arc::clone(changed))
            .map(Arc::new)
            .map_err(|error| problem(error.to_string()).into())
    };
    config.registries.iter().map(build).collect()
}

/// Whoever reaches the listener sees the whole catalog; where credentials brought a part of it, that
/// deserves a word.
fn visibility(config: &Config) -> Visibility {
    let has_credentials = config.registries.iter().any(crate::registry::config::Config::has_credentials);
    if !has_credentials || config.server.listen.ip().is_loopback() {
        return Visibility::Public;
    }
    tracing::warn!(
        address = %config.server.listen,
        "a registry that needs credentials is served, without any, to whoever reaches this listener"
    );
    Visibility::Private
}
