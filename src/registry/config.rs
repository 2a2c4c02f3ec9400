//! `[[registries]]` and `[network]` of the configuration: what the administrator writes, and what it means.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use figment::value::magic::RelativePathBuf;
use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::endpoint::{Endpoint, endpoint, has_userinfo, is_loopback, parse_url};
use super::{duration, health};
use crate::catalog::rules::{RegistryRules, parse_pattern};

/// `[network]`: how connections to registries are made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// PEM certificates of authorities to trust besides the platform's.
    pub ca_file: Option<RelativePathBuf>,
    /// The URL of a proxy for all registries, or `off`; otherwise `HTTPS_PROXY`, `HTTP_PROXY` and
    /// `NO_PROXY` count. It may hold a password.
    pub proxy: Option<SecretString>,
}

impl NetworkConfig {
    /// Whether connections are made in the same way.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let proxy = |config: &Self| config.proxy.as_ref().map(|proxy| proxy.expose_secret().to_owned());
        let file = |config: &Self| config.ca_file.as_ref().map(RelativePathBuf::relative);
        proxy(self) == proxy(other) && file(self) == file(other)
    }
}

/// One of `[[registries]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The registry's name: `[a-z0-9][a-z0-9._-]{0,62}`, unique.
    pub name: String,
    /// Its list endpoint, an API version's root, or a base URL. It may hold a password.
    pub url: Option<SecretString>,
    /// A file with its list, in place of `url`.
    pub file: Option<RelativePathBuf>,
    /// A token that is sent as `Authorization: Bearer`.
    pub bearer_token: Option<SecretString>,
    /// A file that holds the token; read again for every request.
    pub bearer_token_file: Option<RelativePathBuf>,
    /// Headers that are sent with every request.
    pub headers: BTreeMap<String, SecretString>,
    /// Whether credentials may go over plain HTTP to a host that is not loopback.
    pub insecure: bool,
    /// Patterns of names that only registries that claim them may supply.
    pub namespaces: Vec<String>,
    /// Patterns of names to take; all, where there is none.
    pub include: Vec<String>,
    /// Patterns of names to leave out.
    pub exclude: Vec<String>,
    /// Whether it may be asked for what the catalog does not hold.
    pub read_through: Option<bool>,
    /// Health settings of its own.
    pub health: health::Overrides,
    /// Refresh settings of its own.
    pub refresh: RefreshOverrides,
}

/// `[registries.refresh]`: what one registry has otherwise than all.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RefreshOverrides {
    /// See `refresh.interval`.
    #[serde(deserialize_with = "duration::optional")]
    pub interval: Option<Duration>,
    /// See `refresh.full_interval`.
    #[serde(deserialize_with = "duration::optional")]
    pub full_interval: Option<Duration>,
    /// See `refresh.max_rate`.
    pub max_rate: Option<f64>,
}

/// Where a registry's list comes from.
#[derive(Clone, Debug)]
pub enum Target {
    /// A server that speaks the API, or hosts a list.
    Http(HttpTarget),
    /// A file.
    File(PathBuf),
}

/// A registry that is asked over HTTP.
#[derive(Clone, Debug)]
pub struct HttpTarget {
    /// Where the list is.
    pub endpoint: Endpoint,
    /// Where the bearer token comes from.
    pub token: Option<Token>,
    /// Headers of every request; values are marked sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Where a bearer token comes from.
#[derive(Clone, Debug)]
pub enum Token {
    /// The configuration.
    Value(SecretString),
    /// A file.
    File(PathBuf),
}

impl Config {
    /// Whether this is the same registry with the same settings of its own, secrets included.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        fn plain(config: &Config) -> impl PartialEq + '_ {
            let Config { name, insecure, namespaces, include, exclude, read_through, health, refresh, .. } = config;
            let headers: Vec<_> = config.headers.iter().map(|(name, value)| (name, value.expose_secret())).collect();
            let token = config.bearer_token.as_ref().map(ExposeSecret::expose_secret);
            let token_file = config.bearer_token_file.as_ref().map(RelativePathBuf::relative);
            let rules = (namespaces, include, exclude);
            (name, (token, token_file, headers, insecure), rules, read_through, health, refresh)
        }
        self.has_same_place_as(other) && plain(self) == plain(other)
    }

    /// Whether both have the same name and the same place: then what one of them lists is what the other lists.
    #[must_use]
    pub fn has_same_place_as(&self, other: &Self) -> bool {
        let url = |config: &Self| config.url.as_ref().map(|url| url.expose_secret().to_owned());
        let file = |config: &Self| config.file.as_ref().map(RelativePathBuf::relative);
        self.name == other.name && url(self) == url(other) && file(self) == file(other)
    }

    /// What the registry's keys mean.
    ///
    /// # Errors
    /// Every key that is wrong (relative to the registry), with what would be right.
    pub fn target(&self) -> Result<Target, Vec<(&'static str, String)>> {
        let mut problems = self.problems();
        let target = match (&self.url, &self.file) {
            (Some(_), Some(_)) => Err(("file", "stands beside `url`; a registry has one of the two".to_owned())),
            (None, None) => Err(("url", "is missing; give the registry a `url` or a `file`".to_owned())),
            (None, Some(file)) => Ok(Target::File(file.relative())),
            (Some(url), None) => self.http_target(url.expose_secret()).map(Target::Http),
        };
        match target {
            Ok(target) if problems.is_empty() => Ok(target),
            Ok(_) => Err(problems),
            Err(problem) => {
                problems.push(problem);
                Err(problems)
            }
        }
    }

    /// The rules on names.
    ///
    /// # Errors
    /// A pattern that is not a glob; [`Config::target`] reports it by its key.
    pub fn rules(&self) -> Result<Arc<RegistryRules>, globset::Error> {
        RegistryRules::new(&self.name, &self.namespaces, &self.include, &self.exclude).map(Arc::new)
    }

    /// Whether requests to the registry carry credentials.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        let url = self.url.as_ref().and_then(|url| Url::parse(url.expose_secret()).ok());
        let in_url = url.is_some_and(|url| has_userinfo(&url));
        in_url || self.bearer_token.is_some() || self.bearer_token_file.is_some() || !self.headers.is_empty()
    }

    /// Whether they would go over plain http, out of this host.
    #[must_use]
    pub fn exposes_credentials(&self) -> bool {
        let url = self.url.as_ref().and_then(|url| Url::parse(url.expose_secret()).ok());
        let is_plain = url.is_some_and(|url| url.scheme() == "http" && !is_loopback(&url));
        is_plain && self.has_credentials()
    }

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !is_registry_name(&self.name) {
            let found = &self.name;
            problems.push((
                "name",
                format!("{found:?} is not a registry name; use [a-z0-9][a-z0-9._-]{{0,62}}, such as \"acme\""),
            ));
        }
        if self.bearer_token.is_some() && self.bearer_token_file.is_some() {
            problems.push(("bearer_token_file", "stands beside `bearer_token`; give one of the two".to_owned()));
        }
        let has_token = self.bearer_token.is_some() || self.bearer_token_file.is_some();
        if has_token && self.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")) {
            problems.push(("headers", "has an Authorization beside the bearer token; give one of the two".to_owned()));
        }
        if self.file.is_some() && self.has_credentials() {
            problems.push(("file", "needs no credentials; remove `bearer_token` and `headers`".to_owned()));
        }
        problems.extend(self.pattern_problems());
        problems.extend(self.refresh.problems());
        problems
    }

    fn pattern_problems(&self) -> Vec<(&'static str, String)> {
        let lists = [("namespaces", &self.namespaces), ("include", &self.include), ("exclude", &self.exclude)];
        let bad_globs = lists.iter().flat_map(|(key, patterns)| {
            let bad = patterns.iter().filter_map(|pattern| parse_pattern(pattern).err());
            bad.map(|error| (*key, format!("{:?} is not a glob pattern: {}", error.glob(), error.kind())))
        });
        bad_globs.collect()
    }

    fn http_target(&self, text: &str) -> Result<HttpTarget, (&'static str, String)> {
        let url = parse_url(text).map_err(|problem| ("url", problem))?;
        if self.exposes_credentials() && !self.insecure {
            let advice = "would carry credentials over plain http; use https, or set `insecure = true`";
            return Err(("url", advice.to_owned()));
        }
        let token = match (&self.bearer_token, &self.bearer_token_file) {
            (Some(token), _) => Some(Token::Value(valid_token(token)?)),
            (None, Some(file)) => Some(Token::File(file.relative())),
            (None, None) => None,
        };
        let headers = self.headers.iter().map(|(name, value)| header(name, value)).collect::<Result<_, _>>()?;
        Ok(HttpTarget { endpoint: endpoint(&url), token, headers })
    }
}

impl RefreshOverrides {
    fn problems(&self) -> Vec<(&'static str, String)> {
        let bad_rate = self.max_rate.filter(|rate| !is_rate(*rate));
        bad_rate.map(|_| ("refresh.max_rate", RATE_ADVICE.to_owned())).into_iter().collect()
    }
}

/// What `max_rate` must be.
pub const RATE_ADVICE: &str = "must be between 0.001 and 1000 requests a second";

/// Whether a number can be `max_rate`.
#[must_use]
pub fn is_rate(rate: f64) -> bool {
    (0.001..=1000.0).contains(&rate)
}

fn is_registry_name(name: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 63
        && name.bytes().next().is_some_and(is_first)
        && name.bytes().all(|byte| is_first(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

fn valid_token(token: &SecretString) -> Result<SecretString, (&'static str, String)> {
    match bearer(token.expose_secret()) {
        Some(_) => Ok(token.clone()),
        None => Err(("bearer_token", "is empty or holds characters that a header cannot carry".to_owned())),
    }
}

/// The value of `Authorization` for a token, marked sensitive.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let token = Some(token.trim()).filter(|token| !token.is_empty())?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Headers that the connection itself needs.
const RESERVED_HEADERS: [&str; 6] =
    ["host", "content-length", "transfer-encoding", "connection", "accept-encoding", "user-agent"];

fn header(name: &str, value: &SecretString) -> Result<(HeaderName, HeaderValue), (&'static str, String)> {
    let problem = |problem: &str| ("headers", format!("{name:?} {problem}"));
    let parsed: HeaderName = name.parse().map_err(|_| problem("is not a header name"))?;
    if RESERVED_HEADERS.contains(&parsed.as_str()) {
        return Err(problem("is set by the proxy itself; remove it"));
    }
    let mut value = HeaderValue::from_str(value.expose_secret())
        .map_err(|_| problem("has a value with characters that a header cannot carry"))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_over_plain_http_need_a_word() {
        let with = |url: &str, insecure: bool| {
            let token = Some(SecretString::from("t"));
            let config =
                Config { name: "a".into(), url: Some(url.into()), bearer_token: token, insecure, ..Config::default() };
            config.target().is_ok()
        };
        assert!(!with("http://x.example/v0", false));
        assert!(with("http://x.example/v0", true));
        assert!(with("https://x.example/v0", false));
        assert!(with("http://127.0.0.1:8000/v0", false));
        assert!(with("http://[::1]:8000/v0", false));
    }

    #[test]
    fn every_problem_is_named_by_its_key() {
        let config = Config {
            name: "Acme".into(),
            url: Some("ftp://x.example".into()),
            include: vec!["com.acme/*".into(), "[".into()],
            ..Config::default()
        };
        let problems = config.target().expect_err("problems");
        let keys: Vec<_> = problems.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["name", "include", "url"]);
    }
}
