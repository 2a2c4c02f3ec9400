//! The tables, as Markdown.

use crate::arguments::Arguments;
use crate::judge::{Judgement, cpu, rate, ratio, short, typical};
use crate::measure::{CLEAN, Sighting};
use crate::rounds::{Measured, Server};
use crate::{machine, proxy};

/// Prints what was measured.
pub(crate) fn print(arguments: &Arguments, measured: &[Measured], judged: &[Judgement]) {
    let size = arguments.size();
    let when = jiff::Zoned::now().date();
    println!("Measured on {when}: {}.", machine::describe());
    println!();
    println!(
        "{} versions of {} names. wrk -t1 -c64 (where it says one at a time: -c1), h2load -t1 -c16 -m16; medians of {} \
         rounds of {} s. Settings that are not the proxy's defaults: {}; where it is refreshed all the time: {}.",
        size.versions,
        size.names,
        arguments.rounds(),
        arguments.seconds(),
        proxy::SETTINGS,
        proxy::REFRESHING
    );
    if arguments.is_quick() {
        println!();
        println!("**One round of one second: these figures show that it works, and nothing else.**");
    }
    let mut is_dirty = judged.iter().any(|judgement| !judgement.is_clean);
    if !measured.is_empty() {
        is_dirty |= print_rates(measured);
    }
    if !judged.is_empty() {
        print_targets(judged);
    }
    if is_dirty {
        println!();
        println!("¹ Others used more than {CLEAN} cores meanwhile, however often it was tried.");
    }
}

/// Says whether one of them does not count.
fn print_rates(measured: &[Measured]) -> bool {
    println!();
    println!(
        "| request | body, bytes | server | requests/s | p50, ms | p99, ms | p99.9, ms | CPU, µs | rate ÷ nginx \
         | CPU ÷ nginx | rate ÷ bare |"
    );
    println!("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for Measured { scenario, bytes, runs, .. } in measured {
        let proxy = runs.get(&Server::Proxy).map_or(&[][..], Vec::as_slice);
        for (server, own) in runs {
            let latency = |at: usize| figure(typical(own, |run| run.latency.map(|latency| latency[at] / 1e3)));
            let against = |other, figure: fn(&_) -> Option<f64>| {
                let other = runs.get(&other).filter(|_| *server == Server::Proxy);
                other.and_then(|other| ratio(proxy, other, figure)).map(|ratio| short(ratio.of)).unwrap_or_default()
            };
            let (title, bytes) = match server {
                Server::Proxy => (&*scenario.title, bytes.to_string()),
                Server::Nginx | Server::Bare => ("", String::new()),
            };
            let dirty = if own.iter().any(|run| run.is_clean) { "" } else { " ¹" };
            println!(
                "| {title} | {bytes} | {}{dirty} | {} | {} | {} | {} | {} | {} | {} | {} |",
                name(*server),
                figure(typical(own, rate)),
                latency(0),
                latency(1),
                latency(2),
                figure(typical(own, cpu)),
                against(Server::Nginx, rate),
                against(Server::Nginx, cpu),
                against(Server::Bare, rate),
            );
        }
    }
    let is_dirty = |measured: &Measured| measured.runs.values().any(|runs| !runs.iter().any(|run| run.is_clean));
    measured.iter().any(is_dirty)
}

fn print_targets(judged: &[Judgement]) {
    println!();
    println!("| what | target | measured | |");
    println!("|---|---|---|---|");
    for Judgement { what, target, measured, is_reached, is_clean } in judged {
        let verdict = match is_reached {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "",
        };
        let mark = if *is_clean { "" } else { " ¹" };
        println!("| {what} | {target} | {measured}{mark} | {verdict} |");
    }
}

fn figure(value: Option<Sighting<f64>>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| short(value.of))
}

fn name(server: Server) -> &'static str {
    match server {
        Server::Proxy => "proxy",
        Server::Nginx => "nginx",
        Server::Bare => "bare hyper",
    }
}
