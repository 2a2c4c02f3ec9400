//! What look-ups may cost: the registries that are asked, the clients that wait, and all the others.

use crate::read_through::{ON, ONE_WALK, ask, look_ups, path, start};
use crate::support::entry::Entry;
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};

#[tokio::test]
async fn a_look_up_is_one_request_wherever_it_is_sent_on_to() {
    let (alpha, beta, proxy) = start("").await;
    beta.set_entries(vec![Entry::new("com.example/new", "1.0.0")]);
    let elsewhere = path("com.example/new", "/1.0.0");
    beta.when(Seen::is_look_up, Behaviour::Redirect(elsewhere.clone()));
    assert_eq!(proxy.get(&elsewhere).await.status, 404);
    assert_eq!((look_ups(&alpha), look_ups(&beta)), (1, 1));
    proxy.stop().await;
}

#[tokio::test]
async fn what_is_deleted_stays_at_home_while_its_registry_is_down() {
    let listed = vec![
        Entry::new("com.example/gone", "1.0.0").deleted(),
        Entry::new("com.example/some", "1.0.0").deleted(),
        Entry::new("com.example/some", "2.0.0"),
    ];
    let (down, up) = (FakeRegistry::start(listed).await, FakeRegistry::start(Vec::new()).await);
    let setup = Setup::new().settings(ONE_WALK).settings(ON);
    let proxy = setup.registry("down", &down.url()).registry("up", &up.url()).start_ready().await;
    proxy.until_answered(&path("com.example/some", "/latest"), 200).await;
    down.always(Behaviour::status(500));
    proxy.until_answered(&path("com.example/some", "/2.0.0"), 503).await;
    up.forget_requests();
    for (name, rest) in [("gone", ""), ("gone", "/latest"), ("gone", "/1.0.0"), ("gone", "/2.0.0"), ("some", "/1.0.0")]
    {
        assert_ne!(ask(&proxy, &format!("com.example/{name}"), rest).await.status, 200);
    }
    assert_eq!(look_ups(&up), 0);
    proxy.stop().await;
}
