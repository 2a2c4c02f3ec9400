//! What the listeners lead to: the services of the configuration in effect.

use std::sync::Arc;

use super::members::policy;
use crate::catalog::lineage::ProxyId;
use crate::config::Config;
use crate::registry::Registry;
use crate::serve::{Core, Door, Entrance, ReadThroughSettings, Service, ServiceSettings, Visibility};

/// The entrances of both listeners, whether they are open or not.
#[derive(Clone, Debug)]
pub(super) struct Entrances {
    pub(super) public: Arc<Entrance>,
    pub(super) admin: Arc<Entrance>,
}

/// What services are made of.
pub(super) struct Materials<'a> {
    pub(super) core: &'a Core,
    /// In configuration order.
    pub(super) registries: &'a [Arc<Registry>],
    pub(super) config: &'a Config,
    pub(super) own_id: &'a ProxyId,
}

impl Entrances {
    pub(super) fn new(materials: &Materials<'_>) -> Self {
        Self { public: Arc::new(Entrance::new(materials.public())), admin: Arc::new(Entrance::new(materials.admin())) }
    }

    /// Lets requests that come from now on find services made of these.
    pub(super) fn replace(&self, materials: &Materials<'_>) {
        self.public.replace(materials.public());
        self.admin.replace(materials.admin());
    }
}

impl Materials<'_> {
    fn public(&self) -> Service {
        self.service(Door::Public(self.config.server.cors_origins.clone()), visibility(self.config))
    }

    fn admin(&self) -> Service {
        self.service(Door::Admin(self.config.admin.clone()), Visibility::Private)
    }

    fn service(&self, door: Door, visibility: Visibility) -> Service {
        let settings = ServiceSettings {
            door,
            max_age: self.config.cache.max_age,
            visibility,
            shows_urls: self.config.provenance.publish_urls,
            read_through: read_through(self.config),
            own_id: self.own_id.clone(),
        };
        Service::new(self.core.clone(), self.registries.to_vec(), &settings)
    }
}

/// Whether and how registries are asked for what the catalog lacks.
fn read_through(config: &Config) -> Option<ReadThroughSettings> {
    let settings = || ReadThroughSettings { negative_ttl: config.read_through.negative_ttl, policy: policy(config) };
    config.read_through.enabled.then(settings)
}

/// Whoever reaches the listener sees the whole catalog; where credentials brought a part of it, that
/// deserves a word.
fn visibility(config: &Config) -> Visibility {
    if !config.shows_what_credentials_brought() {
        return Visibility::Public;
    }
    tracing::warn!(
        address = %config.server.listen,
        "a registry that needs credentials is served, without any, to whoever reaches this listener"
    );
    Visibility::Private
}
