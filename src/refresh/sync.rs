//! Keeping one registry's listing in step: a thin loop. What comes next is the `synchroniser`'s decision.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::sleep_until;

use super::Config;
use super::schedule::Now;
use super::synchroniser::{Step, Synchroniser};
use crate::registry::Registry;

/// Keeps one registry's listing in step with the registry. One that is a file has no list to walk.
pub(super) async fn keep_in_sync(registry: Arc<Registry>, config: Config) {
    let mut walkable = registry.watch_walkable();
    let mut requests = registry.watch_requests();
    let mut synchroniser = Synchroniser::new(registry, config, Now::read(), fastrand::f64);
    loop {
        synchroniser.set_requests(*requests.borrow_and_update());
        let is_walkable = *walkable.borrow_and_update();
        synchroniser.set_walkable(is_walkable, Now::read());
        match synchroniser.next(Now::read()) {
            Step::Fetch(request) => {
                let registry = Arc::clone(synchroniser.registry());
                let span = request.page.span(&registry);
                let page = span.run(registry.page(&request.list, &request.query, request.previous.clone()));
                let fetched = tokio::select! {
                    fetched = page => fetched,
                    // A page of a registry that has become unhealthy would only be in the way of its tests.
                    () = until_unwalkable(&mut walkable) => continue,
                };
                if let Err(error) = &fetched {
                    span.fail(|| error.to_string());
                }
                drop(span);
                synchroniser.observe(&request, fetched, Now::read());
            }
            // The channels cannot close: the registry holds their senders.
            Step::Wait(until) => tokio::select! {
                () = sleep_until(until) => {}
                _ = walkable.changed() => {}
                _ = requests.changed() => {}
            },
        }
    }
}

async fn until_unwalkable(walkable: &mut watch::Receiver<bool>) {
    let _ = walkable.wait_for(|walkable| !*walkable).await;
}
