//! Answers through the service, without a socket: from the request's head to the response, headers and body.

use std::cell::RefCell;
use std::iter::Cycle;
use std::sync::{Arc, LazyLock};

use criterion::{BatchSize, BenchmarkId, Criterion};
use http::StatusCode;
use http::header::{ETAG, IF_NONE_MATCH};
use http::request::Parts;
use mcp_registry_proxy::serve::Entrance;

use crate::scale::{Scale, scales};
use crate::world::{ask, entrance, get, is_rendered, new_pages};

/// What VS Code asks for.
const PAGE: &str = "/v0.1/servers?limit=50&version=latest";

type MakeRequest = fn(&Scale, &Entrance) -> Parts;

pub(crate) fn bench(criterion: &mut Criterion) {
    cached(criterion);
    uncached(criterion);
}

fn cached(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("answer from the cache");
    for scale in scales() {
        let entrance = LazyLock::new(|| entrance(Arc::clone(&scale.world().catalog)));
        let requests: [(&str, MakeRequest, StatusCode); 3] = [
            ("VS Code's page", |_, _| get(PAGE, &[]), StatusCode::OK),
            ("one version", |scale, _| one_version(scale), StatusCode::OK),
            ("304", |_, entrance| revalidation(entrance), StatusCode::NOT_MODIFIED),
        ];
        for (name, request, status) in requests {
            group.bench_function(BenchmarkId::new(name, scale.label), |bencher| {
                let request = request(scale, &entrance);
                assert_eq!(ask(&entrance, request.clone()).status(), status);
                bencher.iter_batched(|| request.clone(), |request| ask(&entrance, request), BatchSize::SmallInput);
            });
        }
    }
    group.finish();
}

fn one_version(scale: &Scale) -> Parts {
    let servers = scale.world().catalog.servers();
    let server = &servers[servers.len() / 2];
    let name = server.name.as_str().replace('/', "%2F");
    get(&format!("/v0.1/servers/{name}/versions/{}", server.versions[0].entry.version()), &[])
}

fn revalidation(entrance: &Entrance) -> Parts {
    let page = ask(entrance, get(PAGE, &[]));
    let tag = page.headers()[ETAG].to_str().expect("a tag is ASCII");
    get(PAGE, &[(IF_NONE_MATCH, tag)])
}

/// Fifty entries, from another cursor each time: the cache holds less than all of these pages, and the one that
/// comes next was asked for longest ago.
fn uncached(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("answer from the catalog");
    for scale in scales() {
        let walk = LazyLock::new(|| {
            let entrance = entrance(Arc::clone(&scale.world().catalog));
            let requests = new_pages(&entrance, "version=latest", 50);
            (entrance, RefCell::new(requests.into_iter().cycle()))
        });
        group.bench_function(BenchmarkId::new("a page of 50", scale.label), |bencher| {
            let (entrance, requests) = &*walk;
            assert!(is_rendered(&ask(entrance, next(requests))));
            bencher.iter_batched(|| next(requests), |request| ask(entrance, request), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn next(requests: &RefCell<Cycle<std::vec::IntoIter<Parts>>>) -> Parts {
    requests.borrow_mut().next().expect("the catalog has many pages")
}
