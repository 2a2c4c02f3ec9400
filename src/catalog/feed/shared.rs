//! A feed as one replica of a proxy tells it to the others.

use std::sync::Arc;

use super::{Bounds, Event, Feed, Incarnation, Kept, Phase};

/// A feed in parts: all replicas that make theirs of the same parts have the same feed, cursors included.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The starts of the feed, oldest first; none before the first catalog.
    pub incarnations: Vec<Incarnation>,
    /// The events, oldest first.
    pub events: Vec<Arc<Event>>,
    /// The number of the newest event there ever was.
    pub last: u64,
    /// The number of the newest event that was dropped.
    pub forgotten: u64,
    /// Whether it waits for registries to be tried before it says what happens.
    pub is_waiting: bool,
}

impl Feed {
    /// The parts that it is made of.
    #[must_use]
    pub fn parts(&self) -> Parts {
        Parts {
            incarnations: self.incarnations.clone(),
            events: self.events.clone(),
            last: self.last,
            forgotten: self.forgotten,
            is_waiting: self.is_waiting(),
        }
    }

    /// The feed that has these parts; none where no feed can have them.
    #[must_use]
    pub fn of_parts(parts: Parts) -> Option<Self> {
        let Parts { incarnations, events, last, forgotten, is_waiting } = parts;
        let phase = if is_waiting { Phase::Beginning } else { Phase::Following };
        if incarnations.is_empty() {
            return (events.is_empty() && last == 0).then(|| Self { phase, ..Self::default() });
        }
        let kept = Kept { incarnations, events, last, forgotten, revision: 0, fingerprint: [0; 32] };
        if !kept.is_sound() {
            return None;
        }
        let Kept { incarnations, events, .. } = kept;
        let bytes = events.iter().map(|event| event.bytes()).sum();
        let mut feed = Self { incarnations, events, bytes, last, forgotten, phase, is_copy: true };
        feed.forget_beyond(Bounds::default());
        Some(feed)
    }

    /// The feed of a replica that goes on without the others: what happens from now on, it alone can tell, so whoever
    /// takes a cursor from it to another one is told to walk the list again.
    #[must_use]
    pub fn branched(&self, incarnation: u64) -> Self {
        let mut feed = Self { is_copy: false, ..self.clone() };
        feed.incarnations.push(Incarnation { id: incarnation, begins: feed.last });
        let surplus = feed.incarnations.len().saturating_sub(super::MAX_INCARNATIONS);
        feed.incarnations.drain(..surplus);
        let oldest = feed.incarnations.first().map_or(feed.last, |oldest| oldest.begins);
        feed.forgotten = feed.forgotten.max(oldest);
        let forgotten = feed.forgotten;
        feed.events.retain(|event| forgotten < event.sequence);
        feed.bytes = feed.events.iter().map(|event| event.bytes()).sum();
        feed
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cursor;
    use super::*;
    use crate::catalog::Catalog;

    fn feed(events: u64) -> Feed {
        let mut feed = Feed { incarnations: vec![Incarnation { id: 7, begins: 0 }], ..Feed::default() };
        feed.phase = Phase::Following;
        let catalog = Catalog { revision: 3, ..Catalog::default() };
        (0..events).for_each(|_| feed.push(&catalog, None));
        feed
    }

    #[test]
    fn a_feed_is_what_its_parts_say() {
        for feed in [feed(0), feed(3), Feed::default()] {
            let again = Feed::of_parts(feed.parts()).expect("a feed");
            assert_eq!((again.end(), again.events(), again.bytes), (feed.end(), feed.events(), feed.bytes));
            assert_eq!(again.is_waiting(), feed.is_waiting());
        }
        let parts = feed(3).parts();
        assert!(Feed::of_parts(Parts { last: 1, ..parts.clone() }).is_none(), "events after the last");
        assert!(Feed::of_parts(Parts { incarnations: Vec::new(), ..parts }).is_none(), "events of no start");
    }

    #[test]
    fn who_has_seen_more_elsewhere_waits_and_is_not_told_to_begin_anew() {
        let leader = feed(5);
        let follower = Feed::of_parts(feed(3).parts()).expect("a feed");
        assert_eq!(follower.locate(leader.end()), Some(5));
        assert_eq!(follower.cursor_at(5), leader.end());
        assert!(follower.after(5).is_empty());
        assert_eq!(feed(3).locate(leader.end()), None, "who says what happens has said all that there is");
        let far = Cursor { sequence: 4 + super::super::MAX_AHEAD, ..leader.end() };
        assert_eq!(follower.locate(far), None);
    }

    #[test]
    fn what_one_replica_alone_has_said_no_other_takes_for_its_own() {
        let shared = feed(3);
        let mut alone = shared.branched(8);
        alone.push(&Catalog::default(), None);
        let mut others = shared.clone();
        (0..5).for_each(|_| others.push(&Catalog::default(), None));
        // Where both agree, cursors mean the same; what came after, each keeps to itself.
        assert_eq!(alone.locate(shared.end()), Some(3));
        assert_eq!(others.locate(shared.end()), Some(3));
        assert_eq!(others.locate(alone.end()), None);
        assert_eq!(alone.locate(others.end()), None);
    }
}
