//! One URL in front of many MCP registries: a caching aggregation proxy for the MCP Registry API.
//!
//! # The two walks
//!
//! Everything that happens is one of two walks, both only forward:
//!
//! - **a refresh**: [`refresh`] says when → [`registry`] asks one registry and turns bytes into entries →
//!   [`catalog::merge`] makes one catalog of all listings → [`catalog::current`] publishes it;
//! - **a request**: [`serve`] accepts and routes it → reads the catalog of the moment → finds the answer
//!   rendered, or renders it out of entries that are → responds.
//!
//! They meet in one place: an immutable [`catalog::Catalog`], published whole. Besides it they share what is known
//! of each registry ([`registry::status`]), which `/registries` shows; what administrators ask of one (a test, a
//! walk); and the ids of the proxies whose content the catalog holds ([`catalog::lineage`]).
//!
//! What is known is written to the [`store`] by [`refresh::keep`], and given back at the next start; or, where several
//! replicas are one proxy, by the one that leads, and taken up by the others ([`refresh::replicas`]). A change of the
//! configuration ([`app`]) replaces registries and services whole, between two requests.
//!
//! What the catalog lacks, one name at a time, a request may have asked of the registries, at most 3 s long
//! ([`serve::ReadThrough`]). It comes by the same decoder and through the same merge, and never into the catalog.
//!
//! # The data
//!
//! | what | where | shared by |
//! |---|---|---|
//! | [`Entry`](catalog::entry::Entry): one version as one registry lists it; `server` as raw text | `Arc` | successive listings and catalogs, in the same form |
//! | [`Listed`](catalog::listing::Listed): one name in one registry | `Arc` | successive listings, as long as it does not change |
//! | [`Listing`](catalog::listing::Listing): all of one registry, sorted | `Arc` | the registry's status and the merge |
//! | [`Server`](catalog::Server): one merged name, each version with what it takes to write it | `Arc` | successive catalogs, as long as no contribution changes |
//! | [`Catalog`](catalog::Catalog): all names sorted, and an index of them in chunks, each an `Arc` that successive catalogs share | `Arc` | every request of its revision |
//! | [`Feed`](catalog::feed::Feed): what happened on the way to a catalog | `Arc` | successive catalogs, until something happens |
//! | `Representation`: a rendered body, its tags, its encoded forms | `Arc` | every equal request, and later revisions for as long as its bytes stay the same |
//! | [`Lineage`](catalog::lineage::Lineage): the ids of the proxies behind the registries | `Arc` | every answer, until one of the registries names others |
//!
//! So a refresh that changed nothing leaves every part where it was, one that changed k names merges k names
//! after a linear pass of pointer comparisons, and a page is mostly a concatenation of bytes that exist.
//!
//! # Who may import whom
//!
//! | module | may import |
//! |---|---|
//! | aside | nothing of ours |
//! | files | nothing of ours |
//! | trace | nothing of ours |
//! | catalog | nothing of ours |
//! | registry | aside, catalog, files, trace |
//! | inspect | catalog |
//! | store | catalog, files, registry |
//! | refresh | aside, catalog, registry, store, trace |
//! | serve | catalog, inspect, registry, trace |
//! | config | catalog, registry, refresh, store, serve, telemetry (their `Config` types), files |
//! | app | all of the above, shutdown |
//! | cli | app, catalog, config, inspect, registry, serve, shutdown, telemetry |
//! | main | cli |
//! | fuzzing | config, registry, serve, store (what must hold of what strangers send; never in the program) |
//!
//! `tests/it/tidy.rs` reads this table and enforces it.
//!
//! # Invariants
//!
//! - Serving never awaits a refresh. A request sees exactly one catalog revision.
//! - Merge is a pure function of the listings: the order of arrival cannot show. A failed registry keeps its
//!   last good listing.
//! - Only `registry` opens outgoing sockets, `telemetry` one to the collector of traces, by a client of `registry`'s,
//!   and `store::shared` those to Redis; only `serve` accepts; only `config` reads the environment and configuration files (`registry` reads
//!   registry files and, for every request, token files; OpenTelemetry's SDK reads what `OTEL_…` variables say beyond
//!   whether there are traces).
//! - Foreign JSON lives in [`registry::wire`], and clients' configuration in [`inspect::validate`] and
//!   [`inspect::client_configuration`]; what people are shown of an entry is read in [`inspect::manifest`]; the entry as
//!   we serve it in `catalog::render`; what validation answers in [`inspect`], for `cli` writes it too; every other body
//!   in `serve`.
//! - Every loop, buffer, queue, body, connection count and wait has a bound, named where it is enforced. What a
//!   peer says (`Retry-After`, lengths, counts, cursors) is clamped to ours.
//! - Tasks are spawned through [`shutdown::Lifecycle`] and end with it; those that `rmcp` spawns for a message of MCP
//!   end with that message. A panic in any of them is seen, and costs one request or one restart of that task.
//! - Whoever sees content of another proxy sees its id: it is named before what came from it is published. A
//!   registry that names us lists what we serve (a loop), and nothing of it is taken or shown.
//! - Status codes of errors are decided in one `match` (`serve::error`). Errors classify by type, never by text.
//!
//! # Modules, in reading order

mod aside;

mod files;

pub mod trace;

pub mod catalog;

pub mod registry;

pub mod refresh;

pub mod store;

pub mod inspect;

pub mod serve;

pub mod config;

pub mod app;

pub mod shutdown;

pub mod telemetry;

pub mod cli;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
