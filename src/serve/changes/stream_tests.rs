use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::super::super::Body;
use super::super::super::connection::Deadlines;
use super::*;
use crate::catalog::Catalog;
use crate::catalog::diff::{Change, Kind, fingerprint};
use crate::catalog::entry::Name;
use crate::catalog::feed::{Bounds, Cursor, Event, Incarnation, Kept};

const LIMIT: usize = 30;

fn event(sequence: u64, name: &str) -> Arc<Event> {
    let change = Change {
        kind: Kind::Added,
        registry: "alpha".into(),
        former_registry: None,
        name: Name::new(name).expect("a name"),
        version: "1.0.0".into(),
        previous_version: None,
        fields: Vec::new(),
    };
    Arc::new(Event { sequence, time: jiff::Timestamp::UNIX_EPOCH, revision: 1, change: Some(change) })
}

/// An empty catalog whose feed has the events from one number to another.
fn catalog(first: u64, last: u64, name: &str) -> Arc<Catalog> {
    let catalog = Catalog::default();
    let kept = Kept {
        incarnations: vec![Incarnation { id: 1, begins: 0 }],
        events: (first..=last).map(|sequence| event(sequence, name)).collect(),
        last,
        forgotten: first - 1,
        revision: 1,
        fingerprint: fingerprint(&catalog),
    };
    let resumed = Arc::new(Feed::resumed(kept, 2));
    catalog.changes.store(resumed.settle(&catalog, Bounds::default()));
    Arc::new(catalog)
}

struct World {
    current: Arc<Current>,
    published: watch::Sender<u64>,
}

impl World {
    fn new(catalog: Arc<Catalog>) -> Self {
        let current = Arc::new(Current::default());
        current.publish(catalog);
        Self { current, published: watch::Sender::new(0) }
    }

    fn publish(&self, catalog: Arc<Catalog>) {
        self.current.publish(catalog);
        self.published.send_modify(|catalogs| *catalogs += 1);
    }

    fn follow(&self, form: Form, since: Since, filter: Filter) -> Body {
        let (current, published) = (Arc::clone(&self.current), self.published.subscribe());
        Body::stream(Box::new(Follower::new(current, published, form, since, filter, LIMIT, None)))
    }
}

fn at(sequence: u64) -> Since {
    Since::Cursor(Cursor { incarnation: 1, sequence })
}

async fn part(body: &mut Body) -> String {
    let frame =
        timeout(Duration::from_mins(1), body.frame()).await.expect("in time").expect("a part").expect("no error");
    String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text")
}

fn ids(part: &str) -> Vec<u64> {
    let ids = part.lines().filter_map(|line| line.strip_prefix("id: "));
    ids.map(|id| cursor::decode(id).expect("a cursor").sequence).collect()
}

#[tokio::test(start_paused = true)]
async fn events_come_as_they_happen_and_a_word_where_nothing_does() {
    assert!(HEARTBEAT * 2 <= Deadlines::default().stall);
    let world = World::new(catalog(1, 3, "a/one"));
    let mut body = world.follow(Form::Events, at(1), Filter::default());
    let first = part(&mut body).await;
    assert!(first.starts_with(RETRY), "{first}");
    assert_eq!(ids(&first), [2, 3]);
    let started = Instant::now();
    assert_eq!(part(&mut body).await, ": still here\n\n");
    assert_eq!(started.elapsed(), HEARTBEAT);
    let publish = async {
        sleep(HEARTBEAT / 3).await;
        world.publish(catalog(1, 5, "a/one"));
    };
    let (live, ()) = tokio::join!(part(&mut body), publish);
    assert_eq!(ids(&live), [4, 5]);
    assert_eq!(started.elapsed(), HEARTBEAT + HEARTBEAT / 3);
    // Of others' events it learns where it stands.
    let other = Filter { name: Some("b/one".into()), registry: None };
    let mut body = world.follow(Form::Events, at(1), other);
    assert_eq!(part(&mut body).await, RETRY);
    let heartbeat = part(&mut body).await;
    assert_eq!((ids(&heartbeat), heartbeat.starts_with(": ")), (vec![5], true), "{heartbeat}");
}

#[tokio::test(start_paused = true)]
async fn who_comes_too_late_or_from_elsewhere_is_told_to_walk_the_list() {
    let world = World::new(catalog(10, 12, "a/one"));
    for since in [at(5), Since::Unknown, Since::Cursor(Cursor { incarnation: 7, sequence: 11 })] {
        let mut body = world.follow(Form::Events, since, Filter::default());
        let first = part(&mut body).await;
        assert_eq!((ids(&first), first.contains("\"event\":\"reset\"")), (vec![12], true), "{first}");
    }
    // Also who was there, and did not take what there was.
    let mut body = world.follow(Form::Events, at(9), Filter::default());
    assert_eq!(ids(&part(&mut body).await), [10, 11, 12]);
    world.publish(catalog(20, 21, "a/one"));
    let late = part(&mut body).await;
    assert_eq!((ids(&late), late.contains("\"event\":\"reset\"")), (vec![21], true), "{late}");
}

#[tokio::test(start_paused = true)]
async fn lines_end_with_the_newest_event_and_parts_are_bounded() {
    let name = "\"".repeat(crate::catalog::entry::MAX_KEY_BYTES);
    let world = World::new(catalog(1, 200, &name));
    let mut body = world.follow(Form::Lines, at(0), Filter::default());
    world.publish(catalog(1, 300, "a/one"));
    let (mut lines, mut parts) = (0, 0);
    while let Some(frame) = body.frame().await {
        let bytes = frame.expect("no error").into_data().expect("data");
        assert!(bytes.len() <= MAX_PART_BYTES, "{}", bytes.len());
        lines += bytes.split(|byte| *byte == b'\n').count() - 1;
        parts += 1;
    }
    assert_eq!(lines, 200);
    assert!(parts > 1, "{parts}");
    let newest = world.follow(Form::Lines, Since::Newest, Filter::default()).collect().await.expect("no error");
    assert_eq!(newest.to_bytes().split(|byte| *byte == b'\n').count() - 1, LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_goes_makes_room_for_another() {
    let world = World::new(catalog(1, 1, "a/one"));
    let room = Arc::new(Semaphore::new(1));
    let permit = Arc::clone(&room).try_acquire_owned().expect("room");
    let (current, published) = (Arc::clone(&world.current), world.published.subscribe());
    let follower = Follower::new(current, published, Form::Events, at(0), Filter::default(), LIMIT, Some(permit));
    let mut body = Body::stream(Box::new(follower));
    part(&mut body).await;
    assert_eq!(room.available_permits(), 0);
    drop(body);
    assert_eq!(room.available_permits(), 1);
}
