//! What replicas of one proxy have in common of look-ups: a registry is asked by one of them, and as often in all as a
//! proxy alone would ask it. Where they meet, `store` knows; a replica that cannot get there asks for itself.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;
use url::Url;

use super::lane::{MAX_A_MINUTE, MINUTE, pause_for};
use super::{FetchError, LOOK_UP_TIMEOUT, Registry};

/// How often a replica looks whether another one has been told.
const POLL: Duration = Duration::from_millis(50);
/// For how long the answer is left to whoever asks: it may be stopped before it has been told.
const CLAIM: Duration = LOOK_UP_TIMEOUT.saturating_add(Duration::from_secs(1));
/// How long what was found is passed on.
const FOUND_TTL: Duration = Duration::from_mins(1);
/// How long it is passed on that there was no answer.
const NO_ANSWER_TTL: Duration = Duration::from_secs(5);

/// A question to a registry: the same at all replicas that would ask the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Identifies what is asked, and where.
    pub id: [u8; 32],
    /// Identifies the registry.
    pub place: [u8; 32],
}

/// How often one registry may be asked, by all replicas together.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// So often,
    pub asks: usize,
    /// in any time as long as this.
    pub window: Duration,
}

/// What a registry said to one of the replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// This.
    Found(Vec<u8>),
    /// It does not list it.
    NotListed,
    /// Nothing, for this reason.
    NoAnswer(String),
}

/// What a replica that has a question is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Entrance {
    /// It asks, and tells the others.
    Ask,
    /// Another one asks.
    Wait,
    /// Another one was told this, so long ago.
    Told(Said, Duration),
    /// Nobody may ask now: all together have done so often enough, or one was told to leave the registry in peace.
    Spent,
}

/// Where replicas meet that have the same question.
#[async_trait]
pub trait Common: fmt::Debug + Send + Sync {
    /// Comes with a question. `claim` is for how long it is left to whoever is let in. None where nobody can be met.
    async fn enter(&self, question: Question, claim: Duration, budget: Budget) -> Option<Entrance>;

    /// Has nobody ask a registry for so long.
    async fn pause(&self, place: [u8; 32], pause: Duration);

    /// Tells the others, who remember it for so long.
    async fn tell(&self, question: Question, said: Said, ttl: Duration);
}

/// A body, and how long ago it came.
pub(super) type Told = (Result<Vec<u8>, FetchError>, Duration);

impl Registry {
    /// Asks for what is at a URL, unless another replica does or did. `negative_ttl` is how long "not listed" counts.
    pub(super) async fn ask_in_common(
        &self,
        common: &dyn Common,
        url: &Url,
        negative_ttl: Duration,
        ask: impl Future<Output = Result<Vec<u8>, FetchError>>,
    ) -> Told {
        let place = self.place();
        // Two registries at one URL may answer differently: they are asked with other credentials.
        let id = Sha256::new().chain_update(place).chain_update(url.as_str()).finalize().into();
        let question = Question { id, place };
        let budget = Budget { asks: MAX_A_MINUTE, window: MINUTE };
        loop {
            match common.enter(question, CLAIM, budget).await {
                None => return (ask.await, Duration::ZERO),
                Some(Entrance::Ask) => {
                    let answer = ask.await;
                    if let Err(FetchError::Status { status: 429, retry_after }) = &answer {
                        common.pause(place, pause_for(*retry_after)).await;
                    }
                    let (said, ttl) = match &answer {
                        Ok(body) => (Said::Found(body.clone()), FOUND_TTL),
                        Err(error) if error.is_not_found() => (Said::NotListed, negative_ttl),
                        Err(error) => (Said::NoAnswer(error.to_string()), NO_ANSWER_TTL.min(negative_ttl)),
                    };
                    common.tell(question, said, ttl).await;
                    return (answer, Duration::ZERO);
                }
                Some(Entrance::Wait) => sleep(POLL).await,
                Some(Entrance::Told(said, age)) => return (heard(said), age),
                Some(Entrance::Spent) => return (Err(FetchError::Spent), Duration::ZERO),
            }
        }
    }
}

fn heard(said: Said) -> Result<Vec<u8>, FetchError> {
    match said {
        Said::Found(body) => Ok(body),
        Said::NotListed => Err(FetchError::Status { status: 404, retry_after: None }),
        Said::NoAnswer(reason) => Err(FetchError::Elsewhere(reason)),
    }
}
