//! What may happen to the process, row by row of the catalogue (`docs/faults.md`, P1–P17), as far as no other test
//! holds the row: `crash`, `store`, `restart`, `startup`, `commands` and `reload` hold most.

mod end;
mod limits;
mod load;
mod signals;

use http::Method;

use crate::support::binary::{Serving, Workplace};
use crate::support::entry::{list, numbered};
use crate::support::http::send;
use crate::support::registry::FakeRegistry;
use crate::support::{check, eventually};

/// The configuration of a proxy with one registry.
fn configuration(registry: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"off\"\n[network]\nproxy = \"off\"\n\
         [log]\nformat = \"json\"\n[refresh]\ninterval = \"100ms\"\nfull_interval = \"100ms\"\nmax_rate = 1000\n\
         [store]\npath = \"store\"\n[[registries]]\nname = \"alpha\"\n{registry}\n"
    )
}

/// A proxy whose registry is a file with so many entries, not running yet.
fn of_a_file(servers: usize) -> Workplace {
    let workplace = Workplace::new();
    workplace.write("alpha.json", list(&numbered("com.example", servers), None).to_string());
    workplace.write("proxy.toml", configuration("file = \"alpha.json\""));
    workplace
}

/// A proxy in front of a registry, not running yet.
fn in_front_of(fake: &FakeRegistry) -> Workplace {
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration(&format!("url = {:?}", fake.url())));
    workplace
}

async fn serve(workplace: &Workplace) -> Serving {
    let serving = workplace.serve(&["--config", "proxy.toml"]).await;
    until_ready(&serving).await;
    serving
}

async fn until_ready(serving: &Serving) {
    eventually("/readyz was 200", async || {
        let reply = send(serving.address, Method::GET, "/readyz").await;
        check(reply.status == 200, reply.text())
    })
    .await;
}
