//! What the tests stand on: a scripted registry ([`registry`]), malformed answers ([`raw`]), an address that
//! leads elsewhere ([`relay`]), a proxy that runs in the test's own runtime ([`proxy`]) or as the real binary
//! ([`binary`]), a collector of its traces ([`collector`]), entries ([`entry`]), plain requests ([`http`], [`http2`]), raw connections ([`stream`]),
//! certificates ([`tls`]), a real Redis and a bad wire to it ([`redis`]), a registry that shows them ([`tls_registry`]), proxies that know one another ([`lineage`]), what clients demand ([`decoders`]), the
//! headers that answers have ([`profile`]), the API's description to hold answers against
//! ([`description`]), and a way to wait for a condition instead of sleeping.

pub(crate) mod binary;
pub(crate) mod collector;
pub(crate) mod decoders;
pub(crate) mod description;
pub(crate) mod entry;
pub(crate) mod http;
pub(crate) mod http2;
pub(crate) mod lineage;
pub(crate) mod profile;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod redis;
pub(crate) mod registry;
pub(crate) mod relay;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod tls_registry;

use std::fmt::Debug;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a condition may take to come true. Nothing takes this long unless it never happens.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until `probe` succeeds. `what` completes the sentence "it never happened that …"; what the probe
/// found instead, its error says.
#[track_caller]
pub(crate) fn eventually<T, P>(what: &str, mut probe: P) -> impl Future<Output = T>
where
    P: AsyncFnMut() -> Result<T, String>,
{
    let caller = Location::caller();
    let deadline = Instant::now() + PATIENCE;
    async move {
        loop {
            match probe().await {
                Ok(found) => return found,
                Err(found) => {
                    assert!(Instant::now() < deadline, "{caller}: it never happened that {what}; last: {found}");
                }
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}

/// A condition for [`eventually`], with what was found in case it does not hold.
pub(crate) fn check(holds: bool, found: impl Debug) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{found:?}")) }
}
