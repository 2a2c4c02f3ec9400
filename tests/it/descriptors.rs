//! Few file descriptors: clients, however many, leave enough of them for asking registries.

use http::Method;

use crate::support::binary::Workplace;
use crate::support::entry::numbered;
use crate::support::http::send;
use crate::support::registry::{FakeRegistry, Seen};
use crate::support::stream::connect;
use crate::support::{check, eventually};

#[tokio::test]
async fn idle_clients_do_not_keep_registries_from_being_asked() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let workplace = Workplace::new();
    let configuration = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[network]\nproxy = \"off\"\n[log]\nformat = \"json\"\n[store]\npath = \"store\"\n\
         [health]\ninterval = \"50ms\"\n[[registries]]\nname = \"alpha\"\nurl = {:?}\n",
        registry.url()
    );
    workplace.write("proxy.toml", configuration);
    let serving = workplace.serve_within(64, &["--config", "proxy.toml"]).await;
    let ready = async || {
        let reply = send(serving.address, Method::GET, "/readyz").await;
        check(reply.status == 200, reply.text())
    };
    eventually("/readyz was 200", ready).await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(connect(serving.address).await);
    }
    registry.forget_requests();
    eventually("the registry was tested ten times", async || {
        let tests = registry.requests_where(Seen::is_probe).len();
        check(tests >= 10, tests)
    })
    .await;
    drop(idle);
    eventually("it answered again", async || {
        let reply = send(serving.address, Method::GET, "/registries/alpha").await;
        check(reply.json()["state"] == "healthy", reply.text())
    })
    .await;
}
