//! The integration tests: the real binary and the real parts over real sockets. None of them needs the
//! network, and none waits for time to pass: each waits for something to happen.

mod support;

mod addresses;
mod admin;
mod answers;
mod api;
mod clients;
mod collapse;
mod commands;
mod connections;
mod description;
mod descriptors;
mod documents;
mod endpoints;
mod entries;
mod fake;
mod filters;
mod formats;
mod heads;
mod health;
mod http2;
mod identity;
mod increments;
mod limits;
mod lists;
mod loops;
mod merge;
mod outgoing_tls;
mod paging;
mod read_through;
mod recovery;
mod reload;
mod requests;
mod retries;
mod revalidation;
mod secrets;
mod shutdown;
mod stale;
mod startup;
mod synchronising;
mod tidy;
mod tls;
mod unready;
mod walk;
mod wire;
