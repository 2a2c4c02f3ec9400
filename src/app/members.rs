//! The registries as they run: what each was made from, and the life of its tasks.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{AppError, Network, OwnIds, Policy, Registry, refresh};
use crate::config::{Config, ConfigError};
use crate::registry::config::Config as RegistryConfig;
use crate::registry::limits::Limits;
use crate::registry::lookup::common::Common;
use crate::registry::{Settings, health};
use crate::shutdown::Lifecycle;

/// What all registries share.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    network: Network,
    provenance_key: Arc<str>,
    pub(super) own_ids: OwnIds,
    pub(super) policy: Arc<Policy>,
    common: Option<Arc<dyn Common>>,
    /// Told whenever the catalog may have to change.
    pub(super) changed: Arc<Notify>,
}

/// What a registry is made from, besides the [`Surroundings`]: the same of both means the same registry.
#[derive(Clone, Debug)]
pub(super) struct Blueprint {
    section: RegistryConfig,
    health: health::Config,
    schedule: refresh::Config,
    limits: Limits,
}

/// A registry with what it was made from and, once it runs, the life of its tasks.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) blueprint: Blueprint,
    pub(super) registry: Arc<Registry>,
    life: Option<Lifecycle>,
}

impl Surroundings {
    /// What a configuration gives to all registries.
    ///
    /// # Errors
    /// What is wrong with `[network]`.
    pub(super) fn new(config: &Config, own_ids: OwnIds, changed: Arc<Notify>) -> Result<Self, AppError> {
        Ok(Self {
            network: network(config)?,
            provenance_key: config.provenance.key.as_str().into(),
            own_ids,
            policy: Arc::new(policy(config)),
            common: None,
            changed,
        })
    }

    /// The same, with look-ups that meet those of other replicas.
    pub(super) fn with_common(self, common: Option<Arc<dyn Common>>) -> Self {
        Self { common, ..self }
    }

    /// The way out.
    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    /// The same after a change of the configuration, from `before` to `now`. Says whether every registry has to be
    /// made anew for it.
    ///
    /// # Errors
    /// What is wrong with `[network]`.
    pub(super) fn changed_to(&self, before: &Config, now: &Config) -> Result<(Self, bool), AppError> {
        let mut next = self.clone();
        // Read again in any case: its files may hold something else.
        let network = network(now)?;
        let is_same_network = before.network.is_same_as(&now.network) && network.trusts_the_same_as(&self.network);
        let has_other_policy = before.catalog != now.catalog || before.provenance != now.provenance;
        if !is_same_network {
            next.network = network;
        }
        if has_other_policy {
            next.policy = Arc::new(policy(now));
        }
        Ok((next, !is_same_network || has_other_policy))
    }

    /// All configured registries, in configuration order, not running yet.
    ///
    /// # Errors
    /// What shows only when they are built. Their sections have been checked with the configuration.
    pub(super) fn members(&self, config: &Config) -> Result<Vec<Member>, AppError> {
        config.registries.iter().map(|section| self.member(Blueprint::new(config, section))).collect()
    }

    /// A registry that is not running yet.
    ///
    /// # Errors
    /// What shows only when it is built.
    pub(super) fn member(&self, blueprint: Blueprint) -> Result<Member, AppError> {
        let Blueprint { section, health, schedule, limits } = &blueprint;
        let problem = |problem: String| ConfigError::of_key(&format!("registries.{}", section.name), &problem);
        let settings = Settings {
            health: health.clone(),
            max_rate: schedule.max_rate,
            limits: *limits,
            read_through: section.read_through.unwrap_or(true),
            provenance_key: Arc::clone(&self.provenance_key),
            own_ids: self.own_ids.clone(),
            common: self.common.clone(),
        };
        let rules = section.rules().map_err(|error| problem(error.to_string()))?;
        let target = section.target().map_err(|found| {
            problem(found.into_iter().map(|(key, found)| format!("{key} {found}")).collect::<Vec<_>>().join("; "))
        })?;
        let registry = Registry::new(rules, target, settings, &self.network, Arc::clone(&self.changed));
        let registry = Arc::new(registry.map_err(|error| problem(error.to_string()))?);
        Ok(Member { blueprint, registry, life: None })
    }
}

impl Blueprint {
    pub(super) fn new(config: &Config, section: &RegistryConfig) -> Self {
        Self {
            section: section.clone(),
            health: config.health.overridden_by(&section.health),
            schedule: config.refresh.overridden_by(&section.refresh),
            limits: config.limits.of_registries(),
        }
    }

    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.section.is_same_as(&other.section)
            && self.health == other.health
            && self.schedule == other.schedule
            && self.limits == other.limits
    }
}

impl Member {
    /// The name in the configuration.
    pub(super) fn name(&self) -> &str {
        &self.blueprint.section.name
    }

    /// Whether what one of them lists is what the other lists.
    pub(super) fn has_same_place_as(&self, other: &Self) -> bool {
        self.blueprint.section.has_same_place_as(&other.blueprint.section)
    }

    /// Starts its tasks, unless they run.
    pub(super) fn start(&mut self, lifecycle: &Lifecycle) {
        if self.life.is_some() {
            return;
        }
        let life = lifecycle.child();
        for (name, start) in refresh::tasks(&self.registry, &self.blueprint.schedule) {
            life.keep_running(name, start);
        }
        self.life = Some(life);
    }

    /// Ends its tasks.
    pub(super) fn stop(self) {
        if let Some(life) = self.life {
            life.stop();
        }
    }
}

/// All configured registries, in configuration order, for commands that run nothing. Loops are found only where there
/// is an id of our own.
///
/// # Errors
/// What is wrong with `[network]`. The registries themselves have been checked with the configuration.
pub fn registries(config: &Config, own_ids: &OwnIds, changed: &Arc<Notify>) -> Result<Vec<Arc<Registry>>, AppError> {
    let surroundings = Surroundings::new(config, own_ids.clone(), Arc::clone(changed))?;
    Ok(surroundings.members(config)?.into_iter().map(|member| member.registry).collect())
}

fn network(config: &Config) -> Result<Network, AppError> {
    let network = Network::new(&config.network);
    Ok(network.map_err(|(key, problem)| ConfigError::of_key(&format!("network.{key}"), &problem))?)
}

/// How the registries of a configuration are merged.
pub(super) fn policy(config: &Config) -> Policy {
    Policy { mode: config.catalog.merge, provenance: config.provenance.clone() }
}
