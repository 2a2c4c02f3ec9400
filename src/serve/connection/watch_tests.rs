use super::super::super::limits::Limits;
use super::super::load::{Load, Share};
use super::*;

fn new_activity() -> Arc<Activity> {
    Activity::new(Share::of(Arc::new(Load::new(&Limits::default()))), None)
}

/// After how many seconds a connection is to end, and how long that may take.
async fn retired(activity: &Arc<Activity>, deadlines: &Deadlines) -> (u64, Duration) {
    let quiet = Watch::new(Arc::clone(activity), *deadlines, false).until_quiet(false).await;
    let Quiet::Ends(farewell) = quiet else { panic!("it may not rest") };
    (activity.born().elapsed().as_secs(), farewell)
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_when_it_is_idle_or_stalled_or_old() {
    let deadlines = Deadlines::default();
    let activity = new_activity();
    assert_eq!(retired(&activity, &deadlines).await, (75, deadlines.farewell));

    let activity = new_activity();
    let _in_flight = activity.begin();
    assert_eq!(retired(&activity, &deadlines).await, (30, deadlines.farewell));

    let activity = new_activity();
    let busy = async {
        for _ in 0..1_000 {
            sleep(Duration::from_secs(29)).await;
            drop(activity.begin());
        }
    };
    tokio::select! {
        () = busy => panic!("it never ended"),
        (age, farewell) = retired(&activity, &deadlines) => {
            assert!((54 * 60..=66 * 60).contains(&age), "{age}");
            assert_eq!(farewell, deadlines.finish);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_takes_as_long_as_what_is_in_flight_and_the_goodbye() {
    let (most, farewell) = (Duration::from_secs(18), Duration::from_secs(3));
    for (busy_for, expected) in [(0, 3), (5, 8), (17, 18), (60, 18)] {
        let activity = new_activity();
        let started = Instant::now();
        let answer = async {
            let in_flight = activity.begin();
            sleep(Duration::from_secs(busy_for)).await;
            drop(in_flight);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = answer => {}
            () = until_overdue(&activity, most, farewell) => {}
        }
        assert_eq!(started.elapsed().as_secs(), expected, "busy for {busy_for} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_stalls_late_is_noticed_in_time() {
    let activity = new_activity();
    let stall = async {
        sleep(Duration::from_secs(50)).await;
        let in_flight = activity.begin();
        std::future::pending::<()>().await;
        drop(in_flight);
    };
    let deadlines = Deadlines::default();
    tokio::select! {
        () = stall => {}
        (seconds, _) = retired(&activity, &deadlines) => assert_eq!(seconds, 80),
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_rests_between_two_requests_if_it_may() {
    let watch = Watch::new(new_activity(), Deadlines::default(), true);
    let Watch { activity, .. } = &watch;
    let quiet = async |may_rest| {
        let quiet = watch.until_quiet(may_rest).await;
        (quiet, activity.born().elapsed().as_secs())
    };
    let events = async {
        sleep(Duration::from_secs(5)).await;
        let in_flight = activity.begin();
        activity.set_between_requests(true);
        sleep(Duration::from_millis(900)).await;
        drop(in_flight);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = events => {}
        (quiet, at) = quiet(true) => assert_eq!((quiet, at), (Quiet::Rests, 6), "not before the answer is over"),
    }
    assert_eq!(quiet(false).await, (Quiet::Ends(watch.deadlines.farewell), 80));
}
