//! READ WING: from an accepted connection to an answer out of the catalog. Nothing here waits for a
//! refresh, and only what the catalog lacks waits for registries (`read_through`).
//!
//! In reading order: `listener`, `limits`, `addresses`, `descriptors` and `connection` who asks, `tls` under which
//! certificate, `entrance` which `service` is to answer, `handling` what waits and what does not, `core` what all
//! services share, `configuration` what became of the configuration, `guard` what is refused before anything else,
//! `route`, `escapes` and `query` what is asked for, `cursor` where a page begins, `api`, `registries` and `inspections`
//! the bodies, `changes` the feed of what happened, `body` what is sent, `documents` and `docs` the API's description,
//! `pages` what people look at, `targets` what was asked for in these words before, `cache` the bodies that are there
//! already, `read_through` what no body is there for, `reading` what requests bring, `validation` what is said of a
//! configuration, `mcp` what agents ask, `representation` what is known of a body, `accept`, `coding` and `condition` what
//! the client wants of it and has of it, `error` the problems,
//! `freshness`, `respond` and `cors` the headers, `lineage` the one that names us and those whom we mirror; `admin` what
//! only those who run the proxy may do; `note`, `traffic` and `traced` what is
//! noted, counted and traced of all this; `seldom` what the log says no more often than it should.

mod accept;
mod addresses;
mod admin;
mod api;
mod body;
mod cache;
mod changes;
mod coding;
mod condition;
mod config;
mod configuration;
mod connection;
mod core;
mod cors;
mod cursor;
mod descriptors;
mod docs;
mod documents;
#[cfg(test)]
mod drift;
mod entrance;
mod error;
mod escapes;
mod freshness;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod guard;
mod handling;
mod inspections;
mod limits;
mod lineage;
mod listener;
mod mcp;
mod note;
mod pages;
mod query;
mod read_through;
mod reading;
mod registries;
mod representation;
mod respond;
mod route;
mod seldom;
mod service;
mod targets;
mod tls;
mod traced;
mod traffic;
mod validation;

pub use body::Body;
pub use config::size;
pub use config::{AdminConfig, AdminListen, CacheConfig, ReadThroughConfig, ServerConfig};
pub use configuration::{Configuration, Refusal};
pub use connection::{Connection, Deadlines, Load};
pub use core::{Core, Figures, ReplicaFigures, StoreFigures, TelemetryFigures};
pub use documents::{openapi_json, openapi_yaml};
pub use entrance::Entrance;
use handling::{Answered, Found};
pub use handling::{Handled, Noted};
pub use limits::Limits;
pub use listener::Listener;
pub use note::Note;
pub use read_through::{Flight, ReadThrough, ReadThroughCounts, ReadThroughSettings, Spawn};
pub use respond::Visibility;
pub use service::{Door, Service, ServiceSettings};
pub use tls::Tls;
