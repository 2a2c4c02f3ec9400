//! Test Connection as it runs: a line of JSON for each thing that happens, and the whole report in the end.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::super::Core;
use super::super::body::{Part, Source};
use super::super::registries::{CheckView, to_line};
use crate::registry::Registry;
use crate::registry::probe::{Check, StageView, Told};

/// The most that is told of one test before somebody takes it: two attempts, each with its three stages.
const MAX_TOLD: usize = 8;
/// How often something is said where nothing happens: before `Deadlines::stall` is over.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What is told, a line each.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    /// A request begins; the stages of the one before count no more.
    Attempt { url: &'a str },
    /// A stage has ended.
    Stage(&'a StageView),
    /// Nothing has happened: another request to the registry is under way, or it takes its time.
    Waiting,
    /// What it all came to.
    Result {
        name: &'a str,
        #[serde(flatten)]
        check: CheckView,
    },
}

/// A test that runs as long as somebody listens.
pub(super) struct Running {
    core: Core,
    registry: Arc<Registry>,
    told: mpsc::Receiver<Told>,
    state: State,
}

enum State {
    Runs(Pin<Box<dyn Future<Output = Check> + Send>>),
    /// It has ended so, which is said when everything before it has been.
    Ended(Check),
    Said,
}

impl Running {
    pub(super) fn new(core: Core, registry: Arc<Registry>) -> Self {
        let (sender, told) = mpsc::channel(MAX_TOLD);
        let tested = Arc::clone(&registry);
        let check = async move {
            // There is room for all that is told; and who has gone away is told nothing.
            let mut tell = move |told| drop(sender.try_send(told));
            tested.check_telling(&mut tell).await
        };
        Self { core, registry, told, state: State::Runs(Box::pin(check)) }
    }

    /// The next line; none after the result.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Ok(told) = self.told.try_recv() {
                return Some(line(&told));
            }
            match &mut self.state {
                State::Runs(check) => tokio::select! {
                    biased;
                    Some(told) = self.told.recv() => return Some(line(&told)),
                    check = check => self.state = State::Ended(check),
                    () = sleep(HEARTBEAT) => return Some(to_line(&Line::Waiting)),
                },
                State::Ended(_) => return self.finish(),
                State::Said => return None,
            }
        }
    }

    /// Says what came of it. From then on it is a test like any other.
    fn finish(&mut self) -> Option<Vec<u8>> {
        let State::Ended(check) = std::mem::replace(&mut self.state, State::Said) else { return None };
        let line = to_line(&Line::Result { name: self.registry.name(), check: CheckView::from(&check) });
        observe(&self.core, &self.registry, check);
        Some(line)
    }
}

/// Takes a test into account. While it ran, the configuration may have changed: then it counts for the registry that is
/// in the place of the one that was tested, if there is one. Where another replica asks it, that one's tests count, for all.
pub(super) fn observe(core: &Core, tested: &Registry, check: Check) {
    if let Some(registry) = core.present(tested).filter(|registry| registry.is_ours_to_ask()) {
        registry.observe_check(check);
    }
}

fn line(told: &Told) -> Vec<u8> {
    match told {
        Told::Attempt { url } => to_line(&Line::Attempt { url }),
        Told::Stage(view) => to_line(&Line::Stage(view)),
    }
}

impl Source for Running {
    fn next_part(mut self: Box<Self>) -> Part {
        Box::pin(async move {
            let line = self.next().await?;
            Some((Bytes::from(line), self as Box<dyn Source>))
        })
    }
}
