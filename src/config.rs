//! The configuration: figment's layers, the sections that the parts own, and what must hold between
//! them. The only module that reads the environment and configuration files.
//!
//! Layers, later over earlier: built-in defaults, files in the order in which they are named (or the
//! embedded `config/default.toml` where none is), the environment, flags.

mod advice;
pub mod edit;
mod effective;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod keys;
mod layer;
mod limits;
mod origin;
mod place;
mod reference;
mod rules;
mod secrets;
mod traces;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::Env;
use serde::Deserialize;

use crate::catalog::{self, provenance};
use crate::registry::config::{Config as RegistryConfig, HttpTarget, NetworkConfig, Target, Token};
use crate::registry::{Network, health};
use crate::serve::{AdminConfig, AdminListen, CacheConfig, ReadThroughConfig, ServerConfig};
use crate::{refresh, store, telemetry};

pub use effective::{Setting, Source, Table, effective};
pub use error::ConfigError;
use error::{Problem, Problems};
use layer::Syntax;
pub use limits::LimitsConfig;
pub use origin::{Origin, Signature};
pub use reference::reference;
pub use traces::Traces;

/// The configuration that counts where no file is named.
const DEFAULT: &str = include_str!("../config/default.toml");
/// What that one goes by in messages.
const BUILT_IN: &str = "the built-in config/default.toml";
const ENV_PREFIX: &str = "MCP_REGISTRY_PROXY__";

/// The whole configuration, as written and valid.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The public listener.
    pub server: ServerConfig,
    /// The listener for people who run the proxy.
    pub admin: AdminConfig,
    /// Schedules.
    pub refresh: refresh::Config,
    /// Tests of registries.
    pub health: health::Config,
    /// How registries come together.
    pub catalog: catalog::Config,
    /// Rendered responses.
    pub cache: CacheConfig,
    /// Asking for what the catalog does not hold.
    pub read_through: ReadThroughConfig,
    /// Listings that outlive the process.
    pub store: store::Config,
    /// The block that is added to every entry.
    pub provenance: provenance::Config,
    /// Outgoing connections.
    pub network: NetworkConfig,
    /// What peers may cost.
    pub limits: LimitsConfig,
    /// Logs.
    pub log: telemetry::Config,
    /// The registries, in the order that decides between them.
    pub registries: Vec<RegistryConfig>,
}

/// What flags set; they count more than everything else.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `server.listen`.
    pub listen: Option<String>,
    /// `log.level`.
    pub log_level: Option<String>,
}

/// A configuration and what is to be said about it at the start.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The keys that were set and have no effect in this version.
    pub without_effect: Vec<String>,
    /// What its files looked like just before they were read.
    pub signature: Signature,
    /// Where traces go, by the environment.
    pub traces: Traces,
    /// Whether `log.level` was set for this run of the program, by the flag or the environment, and not by a file.
    pub is_level_of_run: bool,
}

/// Keys whose effect comes later (contract §3).
const LATER: [&str; 0] = [];

/// Reads and checks the configuration.
///
/// # Errors
/// Every problem found, each with its key, its file, and what would be right.
pub fn load(files: &[PathBuf], flags: &Flags) -> Result<Loaded, ConfigError> {
    let (figment, loaded, problems) = load_with(files, flags, None)?;
    if problems.is_empty() { Ok(loaded) } else { Err(ConfigError::from_problems(&figment, problems)) }
}

/// The same as if a file held something else. Secrets that are not at hand are left to judge: they may be where the
/// proxy runs, and not where its file is edited.
fn load_with(
    files: &[PathBuf],
    flags: &Flags,
    instead: Option<Instead<'_>>,
) -> Result<(Figment, Loaded, Problems), ConfigError> {
    let signature = Signature::of(files);
    let figment = layers(files, flags, instead)?;
    let mut config = extract(&figment)?;
    let mut problems = Problems::default();
    #[expect(clippy::disallowed_methods, reason = "this is the module that reads the environment")]
    let lookup = |name: &str| std::env::var(name).ok();
    secrets::expand(&mut config.registries, lookup, &mut problems);
    check(&config, &mut problems);
    if !problems.are_all_of_secrets() {
        return Err(ConfigError::from_problems(&figment, problems));
    }
    let (without_effect, traces) = (without_effect(&figment), Traces::read(lookup));
    let is_level_of_run = is_of_run(&figment, "log.level");
    let loaded = Loaded { config, without_effect, signature, traces, is_level_of_run };
    Ok((figment, loaded, problems))
}

/// Reads the configuration and neither the environment nor the files that it names: for who only wants to
/// know how to reach a proxy that runs already, whatever has become of those since.
///
/// # Errors
/// What cannot be read as a configuration.
pub fn read(files: &[PathBuf], flags: &Flags) -> Result<Config, ConfigError> {
    extract(&layers(files, flags, None)?)
}

fn extract(figment: &Figment) -> Result<Config, ConfigError> {
    figment.extract().map_err(|error| ConfigError::from_figment(figment, error))
}

/// A file, and what it is taken to hold.
type Instead<'a> = (&'a Path, &'a str);

fn layers(files: &[PathBuf], flags: &Flags, instead: Option<Instead<'_>>) -> Result<Figment, ConfigError> {
    let mut figment = Figment::new();
    if files.is_empty() {
        figment = figment.merge(layer::Text(BUILT_IN, Syntax::Toml, DEFAULT));
    }
    for file in files {
        figment = add_file(figment, file, instead)?;
    }
    figment = figment.merge(Env::prefixed(ENV_PREFIX).split("__"));
    let flags = [("--listen", "server.listen", &flags.listen), ("--log-level", "log.level", &flags.log_level)];
    for (name, key, value) in flags {
        if let Some(value) = value {
            figment = figment.merge(layer::Named(name, (key, value)));
        }
    }
    Ok(figment)
}

fn add_file(figment: Figment, file: &Path, instead: Option<Instead<'_>>) -> Result<Figment, ConfigError> {
    // figment takes a file that is not there for an empty one.
    std::fs::File::open(file).map_err(|error| ConfigError::file(file, &format!("cannot be read: {error}")))?;
    let file = absolute(file);
    let Some(syntax) = Syntax::of(&file) else {
        return Err(ConfigError::file(&file, "has an unknown format; name it .toml, .yaml, .yml or .json"));
    };
    let instead = instead.filter(|(path, _)| *path == file).map(|(_, text)| text.to_owned());
    Ok(figment.merge(layer::TextFile::new(&file, syntax, instead)))
}

fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

/// The environment variable of a key.
fn variable_of(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

fn check(config: &Config, problems: &mut Problems) {
    problems.add("server", config.server.problems());
    problems.add("admin", config.admin.problems());
    problems.add("refresh", config.refresh.problems());
    problems.add("health", config.health.problems());
    problems.add("read_through", config.read_through.problems());
    problems.add("store", config.store.problems());
    problems.add("limits", config.limits.problems());
    problems.add("log", config.log.problems());
    if let Some(problem) = config.provenance.problem_with_key() {
        problems.push(Problem::new("provenance.key", format!("{:?} {problem}", config.provenance.key)));
    }
    if let Err(problem) = Network::new(&config.network) {
        problems.add("network", vec![problem]);
    }
    if listens_twice(config) {
        problems.push(Problem::new("admin.listen", "is the same as `server.listen`; give it another port"));
    }
    if let Some(file) = &config.admin.token_file {
        check_secret_file(&file.relative(), "admin.token_file", problems);
    }
    check_registries(config, problems);
}

/// Whether both listeners want the same port of one address. Where the admin listener is by default, it gives way to
/// one that takes every address.
fn listens_twice(config: &Config) -> bool {
    let (AdminListen::At(admin), public) = (config.admin.listen(), config.server.listen) else { return false };
    // [::] takes the addresses of IPv4 too.
    let takes = |one: IpAddr, other: IpAddr| one.is_unspecified() && (one.is_ipv6() || other.is_ipv4());
    let is_taken = takes(admin.ip(), public.ip()) || takes(public.ip(), admin.ip());
    let is_same = admin.ip() == public.ip() || (config.admin.listen.is_some() && is_taken);
    is_same && admin.port() == public.port() && public.port() != 0
}

fn check_registries(config: &Config, problems: &mut Problems) {
    for (index, key, problem) in rules::contradictions(&config.registries) {
        problems.push(Problem::new(format!("registries.{}.{key}", label(&config.registries[index], index)), problem));
    }
    if config.registries.is_empty() {
        let advice = "is empty; add at least one [[registries]] with a `name` and a `url`";
        problems.push(Problem::new("registries", advice));
    }
    let mut names = BTreeSet::new();
    for (index, registry) in config.registries.iter().enumerate() {
        let at = |key: &str| format!("registries.{}.{key}", label(registry, index));
        if !names.insert(&registry.name) {
            let advice = format!("{:?} is the name of two registries; each needs its own", registry.name);
            problems.push(Problem::new(at("name"), advice));
        }
        match registry.target() {
            Ok(Target::Http(HttpTarget { token: Some(Token::File(path)), .. })) => {
                check_secret_file(&path, &at("bearer_token_file"), problems);
            }
            Ok(_) => {}
            Err(found) => found.into_iter().for_each(|(key, problem)| problems.push(Problem::new(at(key), problem))),
        }
        let health = config.health.overridden_by(&registry.health).problems();
        if registry.health != health::Overrides::default() {
            for (key, problem) in health {
                problems.push(Problem::new(at(&format!("health.{key}")), problem));
            }
        }
        let schedule = config.refresh.overridden_by(&registry.refresh);
        if schedule != config.refresh {
            for (key, problem) in schedule.problems().into_iter().filter(|(key, _)| *key != "max_rate") {
                problems.push(Problem::new(at(&format!("refresh.{key}")), problem));
            }
        }
    }
}

/// A registry's name, or its position where it has none.
fn label(registry: &RegistryConfig, index: usize) -> String {
    if registry.name.is_empty() { index.to_string() } else { registry.name.clone() }
}

/// A file with a token has to be there from the start. What it holds is read later, and again.
fn check_secret_file(path: &Path, key: &str, problems: &mut Problems) {
    let path_shown = path.display();
    match std::fs::File::open(path).and_then(|file| file.metadata()) {
        Ok(found) if found.is_dir() => {
            problems.push(Problem::new(key, format!("{path_shown} is a directory; name a file")));
        }
        Ok(_) => {}
        Err(error) => problems.push(Problem::of_secret(key, format!("{path_shown} cannot be read: {error}"))),
    }
}

/// Whether a key's value comes from a flag or the environment.
fn is_of_run(figment: &Figment, key: &str) -> bool {
    let metadata = figment.find_metadata(key);
    let source = metadata.map(|metadata| effective::source(metadata, || variable_of(key)));
    matches!(source, Some(Source::Variable(_) | Source::Flag(_)))
}

fn without_effect(figment: &Figment) -> Vec<String> {
    let is_set = |key: &&&str| figment.find_value(key).is_ok();
    LATER.iter().filter(is_set).map(ToString::to_string).collect()
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
