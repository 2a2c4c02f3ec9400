//! Names of registries to addresses: the system's resolver, with a deadline and a bound of ours, and only addresses
//! that [`addresses`](super::addresses) lets pass.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::addresses::Scope;

/// How long a name may take: less than connecting as a whole.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// The most names of one registry that are being resolved. The system's resolver cannot be interrupted: one that
/// hangs keeps its thread for up to half a minute, long after nobody waits for it.
const MAX_LOOKUPS: usize = 2;

/// Resolves names for one registry's clients.
#[derive(Clone, Debug)]
pub(super) struct Resolver(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The host of the configured URL. Other names are those of proxies, which the administrator chose: they lead
    /// wherever they lead.
    host: String,
    scope: Mutex<Scope>,
    lookups: Arc<Semaphore>,
}

/// A name that was not resolved in time.
#[derive(Debug, thiserror::Error)]
#[error("looking up its name took longer than {} s", RESOLVE_TIMEOUT.as_secs())]
struct Late;

type Error = Box<dyn std::error::Error + Send + Sync>;

impl Resolver {
    pub(super) fn new(host: &str) -> Self {
        let (scope, lookups) = (Mutex::default(), Arc::new(Semaphore::new(MAX_LOOKUPS)));
        Self(Arc::new(Shared { host: host.to_owned(), scope, lookups }))
    }

    /// Goes on with what the resolver of the registry that this one replaces has decided. Both have the same host.
    pub(super) fn take_over(&self, predecessor: &Self) {
        let scope = *predecessor.0.scope();
        *self.0.scope() = scope;
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let found = timeout(RESOLVE_TIMEOUT, shared.look_up(name.as_str().to_owned())).await;
            let found = found.map_err(|_| Late)??;
            let admitted = shared.admit(name.as_str(), found)?;
            // The client puts the URL's port in place of 0.
            let addresses: Addrs = Box::new(admitted.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

impl Shared {
    async fn look_up(&self, name: String) -> Result<Vec<IpAddr>, Error> {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.lookups).acquire_owned().await?;
        let looking = tokio::task::spawn_blocking(move || {
            let found = (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|found| found.ip()).collect());
            drop(permit);
            found
        });
        Ok(looking.await??)
    }

    fn admit(&self, name: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Error> {
        if !name.eq_ignore_ascii_case(&self.host) {
            return Ok(found);
        }
        Ok(self.scope().admit(&found)?)
    }

    fn scope(&self) -> MutexGuard<'_, Scope> {
        self.scope.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(resolver: &Resolver, name: &str, found: &str) -> Result<Vec<IpAddr>, Error> {
        resolver.0.admit(name, vec![found.parse().expect("an address")])
    }

    #[test]
    fn only_the_registrys_own_name_is_judged() {
        let resolver = Resolver::new("registry.example");
        assert!(admit(&resolver, "registry.example", "8.8.8.8").is_ok());
        assert!(admit(&resolver, "Registry.example", "10.0.0.1").is_err());
        assert!(admit(&resolver, "registry.example", "169.254.169.254").is_err());
        assert!(admit(&resolver, "proxy.example", "10.0.0.1").is_ok());
        // Every client of the registry shares what has been decided.
        assert!(admit(&resolver.clone(), "registry.example", "10.0.0.1").is_err());
    }

    #[test]
    fn a_successor_knows_where_the_name_led() {
        let (before, after) = (Resolver::new("registry.example"), Resolver::new("registry.example"));
        assert!(admit(&before, "registry.example", "8.8.8.8").is_ok());
        after.take_over(&before);
        assert!(admit(&after, "registry.example", "10.0.0.1").is_err());
    }

    #[tokio::test]
    async fn names_are_resolved_by_the_system() {
        let resolver = Resolver::new("localhost");
        let found = resolver.resolve("localhost".parse().expect("a name")).await.expect("it has addresses");
        assert!(found.into_iter().all(|address| address.ip().is_loopback() && address.port() == 0));
        assert!(resolver.resolve("nowhere.invalid".parse().expect("a name")).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn names_that_hang_are_given_up_and_are_few() {
        let resolver = Resolver::new("localhost");
        // As many as may hang do.
        let hanging = resolver.0.lookups.acquire_many(2).await.expect("permits");
        let error = resolver.resolve("localhost".parse().expect("a name")).await.err().expect("no thread for it");
        assert!(error.to_string().contains("longer than 5 s"), "{error}");
        drop(hanging);
    }
}
