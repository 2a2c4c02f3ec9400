//! Networks of proxies that list each other at random, without sockets: links die and come back, proxies restart
//! with other registries and another id, and every test and every publication comes in any order. What each proxy
//! hears, refuses and passes on is decided by the code that the program runs.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::*;
use crate::registry::health::Config;
use crate::registry::status::{Status, SyncReport};
use crate::registry::wire::RefusedEntries;

/// After how many rounds without a change everything has to be quiet. An id that nobody stands for any more moves
/// back by one place in every other round (a test and a publication may come in the wrong order), and states need
/// a few tests to flip.
const ROUNDS: usize = 40;

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("it is below a usize")
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }
}

/// One configured registry, which is another proxy.
#[derive(Clone)]
struct Link {
    to: usize,
    is_live: bool,
    heard: Heard,
    status: Status,
}

impl Link {
    fn new(to: usize, is_live: bool) -> Self {
        Self { to, is_live, heard: Heard::default(), status: Status::starting(Timestamp::UNIX_EPOCH) }
    }

    fn is_usable(&self) -> bool {
        self.status.usable(&Config::default(), Timestamp::UNIX_EPOCH).0
    }

    /// A test, and the full walk that follows where it makes sense.
    fn test(&mut self, own: &ProxyId, answer: Vec<ProxyId>) {
        let (config, now) = (Config::default(), Timestamp::UNIX_EPOCH);
        let mut outcome = Outcome::Failure;
        if self.is_live {
            let (lineage, is_loop) = Lineage::heard(answer, |id| id == own);
            self.heard.answer(lineage);
            outcome = if is_loop { Outcome::Loop } else { Outcome::Success };
        }
        self.heard.end_test(outcome);
        self.status.observe(outcome, &config, now);
        if self.status.health.state == health::State::Healthy {
            let loops = self.status.loops.found;
            let sync = SyncReport::finished(now, now, 1, 1);
            assert!(self.status.accept(Arc::default(), RefusedEntries::default(), sync, loops));
        }
    }
}

#[derive(Clone)]
struct Node {
    id: ProxyId,
    links: Vec<Link>,
    published: Lineage,
}

impl Node {
    fn publish(&mut self) {
        let passed_on = |link: &Link| link.heard.passed_on(link.is_usable(), &Config::default());
        self.published = Lineage::of(&self.links.iter().map(passed_on).collect::<Vec<_>>()).0;
    }

    fn answer(&self) -> Vec<ProxyId> {
        std::iter::once(&self.id).chain(self.published.ids()).cloned().collect()
    }
}

struct Network {
    nodes: Vec<Node>,
    starts: usize,
}

impl Network {
    fn new(random: &mut Random) -> Self {
        let count = 2 + random.below(7);
        let mut network = Self { nodes: Vec::new(), starts: 0 };
        for _ in 0..count {
            let node = network.start(count, random);
            network.nodes.push(node);
        }
        network
    }

    /// A proxy that has just started, with an id that there never was. It may list itself.
    fn start(&mut self, count: usize, random: &mut Random) -> Node {
        self.starts += 1;
        let mut to: Vec<usize> = (0..count).collect();
        random.shuffle(&mut to);
        to.truncate(random.below(4));
        let links = to.into_iter().map(|to| Link::new(to, random.below(8) > 0)).collect();
        let id = ProxyId::new(&format!("p{}", self.starts)).expect("an id");
        Node { id, links, published: Lineage::default() }
    }

    /// The same proxies, of which none knows anything yet.
    fn fresh(&self) -> Self {
        let fresh = |node: &Node| Node {
            id: node.id.clone(),
            links: node.links.iter().map(|link| Link::new(link.to, link.is_live)).collect(),
            published: Lineage::default(),
        };
        Self { nodes: self.nodes.iter().map(fresh).collect(), starts: self.starts }
    }

    /// Every proxy publishes and tests each of its registries once, in any order.
    fn round(&mut self, random: &mut Random) {
        let links = |(node, of): (usize, &Node)| (0..of.links.len()).map(move |link| (node, Some(link))).collect();
        let mut steps: Vec<(usize, Option<usize>)> =
            self.nodes.iter().enumerate().flat_map::<Vec<_>, _>(links).collect();
        steps.extend((0..self.nodes.len()).map(|node| (node, None)));
        random.shuffle(&mut steps);
        for (node, step) in steps {
            let Some(link) = step else {
                self.nodes[node].publish();
                continue;
            };
            let answer = self.nodes[self.nodes[node].links[link].to].answer();
            let own = self.nodes[node].id.clone();
            self.nodes[node].links[link].test(&own, answer);
        }
    }

    /// A link dies or comes back, or a proxy starts anew with other registries.
    fn change(&mut self, random: &mut Random) {
        let node = random.below(self.nodes.len());
        let links = self.nodes[node].links.len();
        if links == 0 || random.below(3) == 0 {
            self.nodes[node] = self.start(self.nodes.len(), random);
        } else {
            let link = random.below(links);
            self.nodes[node].links[link].is_live ^= true;
        }
    }

    /// Whom each proxy names, and which of its registries it takes in.
    fn verdicts(&self) -> Vec<(Lineage, Vec<bool>)> {
        let verdict = |node: &Node| (node.published.clone(), node.links.iter().map(Link::is_usable).collect());
        self.nodes.iter().map(verdict).collect()
    }

    /// The proxies that are reached over some links, the first one only if it is on a cycle.
    fn reached(&self, from: usize, counts: impl Fn(&Link) -> bool) -> BTreeSet<usize> {
        let (mut reached, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(node) = left.pop() {
            let next = self.nodes[node].links.iter().filter(|link| counts(link)).map(|link| link.to);
            left.extend(next.filter(|to| reached.insert(*to)));
        }
        reached
    }

    /// What has to hold when everything is quiet.
    fn assert_right(&self, seed: u64) {
        for (number, node) in self.nodes.iter().enumerate() {
            assert!(!self.reached(number, Link::is_usable).contains(&number), "{seed}: {number} is fed itself");
            let behind = self.reached(number, |link| link.is_live);
            let ids: Vec<&ProxyId> = behind.iter().map(|node| &self.nodes[*node].id).collect();
            assert!(node.published.ids().all(|id| ids.contains(&id)), "{seed}: {number} names a ghost");
            for link in &node.links {
                let is_on_cycle = link.to == number || self.reached(link.to, |link| link.is_live).contains(&number);
                let is_right = link.is_usable() == link.is_live || link.is_live && is_on_cycle;
                assert!(is_right, "{seed}: {number} judges {} wrongly", link.to);
            }
        }
    }
}

#[test]
fn whatever_has_happened_loops_are_refused_and_nothing_else_is() {
    for seed in 0..150 {
        let mut random = Random(seed);
        let mut network = Network::new(&mut random);
        for _ in 0..6 {
            for _ in 0..random.below(4) {
                network.change(&mut random);
                for _ in 0..random.below(6) {
                    network.round(&mut random);
                }
            }
            (0..ROUNDS).for_each(|_| network.round(&mut random));
            network.assert_right(seed);
            let quiet = network.verdicts();
            for _ in 0..8 {
                network.round(&mut random);
                assert!(network.verdicts() == quiet, "{seed}: something flaps");
            }
            // What was does not count: proxies that know nothing come to the same.
            let mut fresh = network.fresh();
            (0..ROUNDS).for_each(|_| fresh.round(&mut random));
            assert!(fresh.verdicts() == quiet, "{seed}: the past still counts");
        }
    }
}
