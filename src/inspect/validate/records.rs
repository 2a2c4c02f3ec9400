//! What a listed version says of how it is run and reached: the part of a `server.json` that validation compares.
//! Lenient: a package or remote that is not as it should be is as good as not listed.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::address::{self, Template};
use super::package::{Package, PackageType};
use crate::catalog::entry::Entry;

/// How one version is run and reached.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) packages: Vec<ListedPackage>,
    pub(super) remotes: Vec<ListedRemote>,
}

/// A package of a version.
#[derive(Clone, Debug)]
pub(super) struct ListedPackage {
    pub(super) package: Package,
    pub(super) transport: String,
    /// The host of the package registry, where it is another than the usual one.
    pub(super) host: Option<String>,
    /// The variables that have to be set, and are secret.
    pub(super) secrets: Vec<String>,
}

/// A remote of a version.
#[derive(Clone, Debug)]
pub(super) struct ListedRemote {
    pub(super) address: Address,
    pub(super) transport: String,
    /// The headers that have to be sent, and are secret.
    pub(super) secrets: Vec<String>,
}

/// Where a remote is.
#[derive(Clone, Debug)]
pub(super) enum Address {
    /// At a normalised URL.
    At(String),
    /// At each that this matches.
    Like(Template),
}

impl ListedRemote {
    /// Whether it is at a normalised URL.
    pub(super) fn is_at(&self, url: &str) -> bool {
        match &self.address {
            Address::At(listed) => listed == url,
            Address::Like(template) => template.matches(url),
        }
    }
}

#[derive(Deserialize)]
struct Server<'a> {
    #[serde(borrow, default)]
    packages: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    remotes: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPackage {
    registry_type: String,
    identifier: String,
    version: Option<String>,
    registry_base_url: Option<String>,
    transport: Option<RawTransport>,
    environment_variables: Option<Value>,
}

#[derive(Deserialize)]
struct RawTransport {
    r#type: String,
}

#[derive(Deserialize)]
struct RawRemote {
    r#type: String,
    url: String,
    headers: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    name: String,
    #[serde(default)]
    is_required: bool,
    #[serde(default)]
    is_secret: bool,
    value: Option<String>,
}

impl Record {
    pub(super) fn of(entry: &Entry) -> Self {
        Self::of_server(&entry.server())
    }

    /// Of a `server` object.
    pub(super) fn of_server(server: &str) -> Self {
        let Ok(Server { packages, remotes }) = serde_json::from_str(server) else { return Self::default() };
        Self {
            packages: each(packages).filter_map(ListedPackage::of).collect(),
            remotes: each(remotes).filter_map(ListedRemote::of).collect(),
        }
    }
}

fn each<T: DeserializeOwned>(parts: Option<Vec<&RawValue>>) -> impl Iterator<Item = T> {
    parts.unwrap_or_default().into_iter().filter_map(|part| serde_json::from_str(part.get()).ok())
}

/// The inputs that users have to give, and keep to themselves.
fn secrets(inputs: Option<Value>) -> Vec<String> {
    // One that is not as it should be says nothing of the others.
    let Some(Value::Array(inputs)) = inputs else { return Vec::new() };
    inputs
        .into_iter()
        .filter_map(|input| serde_json::from_value::<Input>(input).ok())
        .filter(|input| {
            input.is_required && input.is_secret && input.value.as_deref().is_none_or(|value| value.contains('{'))
        })
        .map(|input| input.name)
        .collect()
}

impl ListedPackage {
    fn of(raw: RawPackage) -> Option<Self> {
        let base = raw.registry_base_url.as_deref();
        let package = Package::listed(&raw.registry_type, &raw.identifier, raw.version.as_deref(), base)?;
        let host = PackageType::unusual_host(package.kind, base.unwrap_or_default());
        let transport = raw.transport.map_or_else(|| "stdio".to_owned(), |transport| transport.r#type);
        Some(Self { package, transport, host, secrets: secrets(raw.environment_variables) })
    }
}

impl ListedRemote {
    fn of(raw: RawRemote) -> Option<Self> {
        let address = match Template::new(&raw.url) {
            Some(template) => Address::Like(template),
            None if raw.url.split('?').next().unwrap_or_default().contains('{') => return None,
            None => Address::At(address::normalised(&raw.url)?),
        };
        Some(Self { address, transport: raw.r#type, secrets: secrets(raw.headers) })
    }
}
