//! A proxy that is one replica of several: where they meet, and what is shown of that.

use std::sync::Arc;

use figment::value::magic::RelativePathBuf;

use crate::config::{Config, ConfigError};
use crate::refresh::replicas::{ReplicaStatus, Replicas};
use crate::registry::lookup::common::Common;
use crate::serve::ReplicaFigures;
use crate::store::identity::Secret;
use crate::store::shared::{Fault, LookUps, Shared};

/// The store that replicas share, where there is one. Nobody is asked yet.
pub(super) fn shared(config: &Config) -> Result<Option<Shared>, ConfigError> {
    Shared::of(&config.store, authorities(config)?.as_deref()).map_err(|fault| unfit(&fault))
}

/// Where their look-ups meet. Likewise.
pub(super) fn look_ups(config: &Config) -> Result<Option<Arc<dyn Common>>, ConfigError> {
    let look_ups = LookUps::of(&config.store, authorities(config)?.as_deref()).map_err(|fault| unfit(&fault))?;
    Ok(look_ups.map(|look_ups| -> Arc<dyn Common> { Arc::new(look_ups) }))
}

fn authorities(config: &Config) -> Result<Option<Vec<u8>>, ConfigError> {
    let file = config.network.ca_file.as_ref().map(RelativePathBuf::relative);
    let read = |path: std::path::PathBuf| {
        std::fs::read(&path).map_err(|error| {
            ConfigError::of_key("network.ca_file", &format!("{} cannot be read: {error}", path.display()))
        })
    };
    file.filter(|_| config.store.url.is_some()).map(read).transpose()
}

fn unfit(fault: &Fault) -> ConfigError {
    ConfigError::of_key("store.url", &format!("cannot be used: {fault}"))
}

/// The secret that all replicas have. Where Redis does not give it yet, that is said once, and there is another one until
/// it does.
pub(super) async fn secret(shared: &Shared) -> Secret {
    let own = Secret::random();
    match shared.secret(&own).await {
        Ok(secret) => secret,
        Err(fault) => {
            tracing::warn!(
                redis = shared.address(),
                reason = %fault,
                "the id of all replicas cannot be read yet: until it can be, this one has another, and a loop through a replica stays unseen"
            );
            own
        }
    }
}

/// The same where there is one, and Redis gives it.
pub(super) async fn find_secret(shared: &Shared) -> Option<Secret> {
    shared.find_secret().await.ok().flatten()
}

/// How the replica stands, as services show it.
pub(super) fn figures(replicas: &Arc<Replicas>) -> Arc<dyn Fn() -> ReplicaFigures + Send + Sync> {
    let replicas = Arc::clone(replicas);
    Arc::new(move || {
        let ReplicaStatus { address, role, since, generation, is_own, heard_at, fault, traffic } = replicas.status();
        ReplicaFigures {
            address,
            role,
            since,
            generation,
            is_own,
            heard_at,
            fault,
            sent: traffic.sent,
            received: traffic.received,
        }
    })
}
