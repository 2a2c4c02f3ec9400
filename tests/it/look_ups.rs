//! What look-ups may cost: the registries that are asked, the clients that wait, and all the others.

use crate::read_through::{look_ups, path, start};
use crate::support::entry::Entry;
use crate::support::registry::{Behaviour, Seen};

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
