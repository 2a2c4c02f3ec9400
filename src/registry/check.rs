//! Test Connection as it is made: one small request, or a file's reading, and what it tells. The judgement is
//! `probe`'s.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::error::FetchError;
use super::http::HttpOrigin;
use super::probe::{Check, Teller, Timing, Told};
use super::wire::{FormatError, Page};
use super::{Origin, REGISTRY_ATTRIBUTE, Registry};
use crate::trace::{self, Span};

impl Registry {
    /// Test Connection: one small request, judged in three stages.
    pub async fn check(&self) -> Check {
        self.check_telling(&mut |_| {}).await
    }

    /// The same, told as it goes: each stage when it has ended. What is returned counts; where another attempt or a
    /// redirect followed, it may say something else than what was told.
    pub async fn check_telling(&self, tell: &mut (dyn FnMut(Told) + Send)) -> Check {
        let span = Span::part("probe", || vec![trace::text(REGISTRY_ATTRIBUTE, self.name())]);
        let check = span.run(self.check_now(Teller::new(tell))).await;
        if let Some((stage, reason)) = check.failure() {
            span.set("mcp_registry_proxy.failed_stage", stage.as_str());
            span.fail(|| reason.to_owned());
        }
        check
    }

    async fn check_now(&self, mut teller: Teller<'_>) -> Check {
        match &self.source {
            Origin::Http(http) => self.check_http(http, &mut teller).await,
            Origin::File(file) => {
                teller.begin(file.public_url());
                let started = Instant::now();
                let read = file.read().await;
                let timing = Timing { exchange: started.elapsed(), ..Timing::default() };
                let (check, _) = self.judge(timing, read, None).await;
                teller.finish(&check);
                check
            }
        }
    }

    /// Checks the known endpoint, or one candidate after the other until one is a registry. A candidate
    /// that cannot be reached decides: the next one is on the same host.
    async fn check_http(&self, http: &HttpOrigin, teller: &mut Teller<'_>) -> Check {
        let limit = self.settings.health.timeout;
        let deadline = Instant::now() + limit;
        let (mut url, mut others) = http.candidates();
        let mut telling: Option<Check> = None;
        loop {
            let (timing, body) = http.probe(&url, deadline, teller).await;
            let (check, error) = self.judge(timing, body, Some(limit)).await;
            teller.finish(&check);
            match error {
                None => {
                    http.settle_on(url);
                    return check;
                }
                Some(error) if error.is_not_found() => telling = telling.or(Some(check.clone())),
                // "Not allowed" or "something else" tells more than "not there".
                Some(error) if error.is_rejection() || matches!(error, FetchError::Format(_)) => {
                    telling = Some(check.clone());
                }
                Some(_) => return check,
            }
            match others.pop() {
                Some(other) => url = other,
                None => return telling.unwrap_or(check),
            }
        }
    }

    /// Decodes what a check brought and makes its report. A timeout is reported as the limit that was
    /// configured, not as what was left of it.
    async fn judge(
        &self,
        mut timing: Timing,
        body: Result<Vec<u8>, FetchError>,
        limit: Option<Duration>,
    ) -> (Check, Option<FetchError>) {
        let started = Instant::now();
        let result = match (body, limit) {
            (Err(FetchError::Timeout(_)), Some(limit)) => Err(FetchError::Timeout(limit)),
            (Err(error), _) => Err(error),
            (Ok(body), _) => self.decode(body, None).await.and_then(|page| self.check_tested(&page)),
        };
        timing.decode = started.elapsed();
        (Check::new(Timestamp::now(), timing, result.as_ref().copied()), result.err())
    }

    /// Whether what a test brought can be the registry's list.
    pub(crate) fn check_tested(&self, page: &Page) -> Result<(), FetchError> {
        page.check_recognised()?;
        self.refuse_emptiness(page)
    }

    /// An empty list where there were entries is not believed: a mirror of a real registry once answered
    /// so for a day (corpora.md, "What an aggregator must survive").
    fn refuse_emptiness(&self, page: &Page) -> Result<(), FetchError> {
        let listing = self.status().listing.clone();
        if self.is_file() || page.listed() > 0 || !listing.is_some_and(|listing| listing.has_visible_versions()) {
            return Ok(());
        }
        Err(FormatError::new("found an empty list, where there were servers before").into())
    }
}
