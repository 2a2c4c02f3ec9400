use proptest::prelude::*;

use super::super::merge::{Moment, Policy, Source, merge, merge_given};
use super::super::testing::{Row, listing, row, second, served, sources};
use super::*;

/// What every client can see of a catalog, and since when it counts as changed.
fn seen(catalog: &Catalog) -> Vec<(String, String, Timestamp)> {
    let versions = catalog.servers().iter().flat_map(|server| server.versions.iter().map(move |v| (server, v)));
    let at = |(server, version): (&Arc<super::super::Server>, &super::super::Version)| {
        (server.name.to_string(), version.entry.version().to_owned(), version.effective_at)
    };
    versions.map(at).collect()
}

/// What two registries list at one time, and whether they are usable.
type State = [(Vec<Row>, bool); 2];

fn state() -> impl Strategy<Value = State> {
    let registry = || (prop::collection::vec(row(0..5), 0..12), prop::bool::weighted(0.8));
    [registry(), registry()]
}

fn put(sources: &mut [Source], state: &State) {
    for (source, (rows, usable)) in sources.iter_mut().zip(state) {
        (source.listing, source.usable) = (Some(Arc::new(listing(rows))), *usable);
    }
}

proptest! {
    /// One replica sees every state, the other one some of them, and has a past of its own.
    #[test]
    fn whoever_is_given_the_times_has_the_same_catalog(
        states in prop::collection::vec((state(), any::<bool>()), 1..8),
        own_past in prop::option::of(state()),
    ) {
        let policy = Policy::default();
        let no_rows = || (Vec::new(), true, false);
        let (mut ours, mut theirs) = (sources(&vec![no_rows(), no_rows()]), sources(&vec![no_rows(), no_rows()]));
        let (mut leader, mut follower) = (Catalog::default(), Catalog::default());
        if let Some(past) = own_past {
            put(&mut theirs, &past);
            follower = merge(&policy, &theirs, &follower, Moment { now: second(500), is_ready: true });
        }
        for (step, (state, follows)) in (1..).zip(&states) {
            put(&mut ours, state);
            leader = merge(&policy, &ours, &leader, Moment { now: second(1_000 + step), is_ready: step > 1 });
            if !follows {
                continue;
            }
            put(&mut theirs, state);
            let times = Arc::new(Times::of_catalog(&leader));
            follower = merge_given(&policy, &theirs, &follower, leader.published_at, &times);
            prop_assert_eq!(served(&follower), served(&leader));
            prop_assert_eq!(seen(&follower), seen(&leader));
            // What it has served by itself counts too, should it lead.
            prop_assert!(leader.newest_update <= follower.newest_update);
            // Whoever takes over from it says the same.
            let again = Times::of_catalog(&follower);
            prop_assert_eq!(again.known(), times.known());
        }
    }
}
