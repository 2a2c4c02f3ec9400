//! How fast the proxy is beside nginx and beside hyper alone, and what it costs: `cargo bench --bench load`.
//!
//! Everything runs on this machine: a registry that answers at once, the proxy that mirrors it, nginx with
//! `proxy_cache` in front of the proxy, so that it serves the same bytes, and a bare hyper server that gives the same
//! constant answers. wrk and h2load drive them in turn (`rounds`). Then comes what the proxy takes in memory and CPU
//! while nobody asks (`upkeep`), and how long searches take in the server itself (`server_time`); `report` prints it all
//! as Markdown. What is started is stopped, whatever happens.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the tables are what it is for")]

mod answers;
mod arguments;
mod bare;
mod client;
mod control;
#[expect(dead_code, unreachable_pub, reason = "it is shared with the other benchmarks")]
#[path = "../support/corpus.rs"]
mod corpus;
mod field;
mod h2load;
mod idle;
mod judge;
mod machine;
mod measure;
mod nginx;
mod processes;
mod proxy;
mod refreshes;
mod registry;
mod release;
mod report;
mod requests;
mod rounds;
mod run;
mod sample;
mod scenarios;
mod server;
mod server_time;
mod statistics;
mod stop;
mod terms;
mod upkeep;
#[expect(dead_code, reason = "it is shared with the other benchmarks")]
#[path = "../support/world.rs"]
mod world;
mod wrk;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Role};

/// What goes wrong, as a sentence.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.role {
        Some(Role::Registry(settings)) => registry::serve(settings),
        Some(Role::Bare(settings)) => bare::serve(settings),
        None => run::run(&arguments),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
