//! The hottest paths, on a fixed input, for `.ci/instructions` to count what each of them costs.
//!
//! Callgrind counts while [`counted`] runs, and writes down what it has counted when [`report`] is called: once for
//! each path, in the order in which their names are printed, each with how often the path was taken. Nothing depends
//! on other threads, on the environment or, but for when the cache tidies up, on the clock. The seeds of hashes are
//! random, and only the response cache has one: over hundreds of requests, that does not show.

#[expect(dead_code, reason = "it is shared with the other benchmarks")]
#[path = "../../support/corpus.rs"]
mod corpus;
mod input;
#[path = "../../support/world.rs"]
mod world;

use std::hint::black_box;

use http::StatusCode;
use http::request::Parts;
use mcp_registry_proxy::serve::Entrance;

use input::{CHANGES, Input};
use world::{ask, decode, is_rendered};

/// How often a path is taken that is short, and one that is long.
const OFTEN: usize = 500;
const SELDOM: usize = 10;

fn main() {
    let input = Input::new();
    answers("cached_page", &input.entrance, input.cached_pages(OFTEN), (StatusCode::OK, false));
    answers("cached_version", &input.entrance, input.cached_versions(OFTEN), (StatusCode::OK, false));
    answers("not_modified", &input.entrance, input.revalidations(OFTEN), (StatusCode::NOT_MODIFIED, false));
    answers("rendered_page", &input.entrance, input.new_pages(), (StatusCode::OK, true));
    answers("new_search", &input.entrance, Input::new_searches(OFTEN), (StatusCode::OK, true));
    path("decoded_page", SELDOM, |round| drop(black_box(decode(&input.pages[round], None))));
    path(&format!("merge_of_{CHANGES}_changes"), SELDOM, |_| drop(black_box(input.merge_changes())));
}

/// Counts what requests cost, from their heads to the responses, which have to have this status and to be rendered or
/// not.
fn answers(name: &str, entrance: &Entrance, requests: Vec<Parts>, expected: (StatusCode, bool)) {
    let rounds = requests.len();
    let (mut requests, mut last) = (requests.into_iter(), None);
    path(name, rounds, |_| last = requests.next().map(|request| ask(entrance, request)));
    let last = last.expect("there was a request");
    assert_eq!((last.status(), is_rendered(&last)), expected, "{name}");
}

fn path(name: &str, rounds: usize, mut take: impl FnMut(usize)) {
    counted(&mut || (0..rounds).for_each(&mut take));
    report(name, rounds);
}

#[inline(never)]
fn counted(path: &mut dyn FnMut()) {
    path();
    // So that the call above is a call, and not a jump out of this function.
    black_box(());
}

#[inline(never)]
fn report(name: &str, rounds: usize) {
    println!("{name} {rounds}");
}
