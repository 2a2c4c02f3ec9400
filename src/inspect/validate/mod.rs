//! Whether the servers that people have configured are those of the catalog: inputs are read ([`read`]), each server is
//! taken down to what tells which one it is ([`Configured`]), and judged by what the catalog lists ([`Lookup`]).
//!
//! Pure: nothing is fetched, run or asked. What may be secret in an input (values of variables and headers, arguments,
//! the userinfo and query of URLs) is let go where it is read, and can get into no answer, log or error.

mod address;
mod input;
mod judge;
mod launch;
mod lookup;
mod near;
mod package;
mod pin;
mod records;
mod report;

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use input::{InputError, Syntax, read};
pub use lookup::Lookup;
pub use package::{Package, PackageType, image_with_host};
pub use report::{Found, Judged, Metadata, Report, Verdict};

/// The longest input, in bytes.
pub const MAX_INPUT_BYTES: usize = 1 << 20;
/// The most servers of one input.
pub const MAX_SERVERS: usize = 1000;

/// The kind of input that is a `server.json`.
const SERVER_JSON: &str = "server.json";
/// The kind of input that another command line has made.
const REDUCED: &str = "reduced";

/// What tells which server is configured, and nothing else of it: all that a command line sends to a proxy, and all of
/// an input that an answer shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reduced {
    /// Its name in a registry, where the input says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version in a registry, where the input says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What runs the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// The package; a `server.json` may have several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<Package>,
    /// The URL of a remote server, normalised, without userinfo and query; a `server.json` may have several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// `stdio`, `sse` or `streamable-http`, where the input says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
}

/// A configured server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// What the input calls it.
    pub label: String,
    /// In which line it stands, counted from 1.
    pub line: usize,
    /// The kind of input.
    pub client: &'static str,
    /// What tells which one it is.
    pub reduced: Reduced,
    /// Why that cannot be told, where it cannot.
    unclear: Option<Cow<'static, str>>,
    /// Which package registry is asked.
    origin: package::Origin,
    /// The names, in lower case, of the variables and headers that are set; none where that cannot be told.
    secrets: Option<BTreeSet<String>>,
}

impl Configured {
    fn new(label: &str, client: &'static str, reduced: Reduced) -> Self {
        Self { label: label.to_owned(), line: 1, client, reduced, ..Self::default() }
    }

    /// What a proxy is sent of it. What a client calls a server is its user's own; it is sent only where there is
    /// nothing else to know the server by, and a `server.json` is known by its name.
    #[must_use]
    pub fn sent(&self) -> Reduced {
        let name = self.name_that_counts().filter(|_| self.unclear.is_none()).map(str::to_owned);
        Reduced { name, ..self.reduced.clone() }
    }

    /// Its name, where that decides which server it is: of a `server.json`, and where there is neither package nor URL.
    fn name_that_counts(&self) -> Option<&str> {
        let is_document = matches!(self.client, SERVER_JSON | REDUCED);
        let is_alone = self.reduced.packages.is_empty() && self.reduced.urls.is_empty();
        self.reduced.name.as_deref().filter(|_| is_document || is_alone)
    }
}

/// The package that a command line runs, where that can be told: what is generated is read back by this. None where it
/// comes from another package registry than the usual one.
pub(super) fn package_run_by(command: &str, arguments: &[String]) -> Option<Package> {
    let launch = launch::launch(command, arguments);
    match launch.target {
        launch::Target::Package(package) => Some(package).filter(|_| !launch.origin.is_other_than(None)),
        launch::Target::Remote(_) | launch::Target::Unclear(_) => None,
    }
}

#[cfg(test)]
mod cases;
