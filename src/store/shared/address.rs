//! `store.url`: where Redis is, in the forms that are understood.
//!
//! `redis://USER:PASSWORD@HOST:PORT/DATABASE`, and `rediss://` over TLS; the same with `+sentinel` and several hosts,
//! the name of the service before the database (`redis+sentinel://HOST:26379,HOST:26379/SERVICE/0`); and with `+cluster`
//! and several hosts. User and password are for Redis; Sentinels are asked without.

use secrecy::ExposeSecret as _;

use super::Fault;
use crate::store::Config;

/// Where Redis is.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) form: Form,
    pub(super) is_tls: bool,
    /// `USER:PASSWORD`, as it stands in the URL.
    user: Option<String>,
    hosts: Vec<String>,
    database: Option<String>,
}

/// What stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    One,
    Sentinel { service: String },
    Cluster,
}

/// The most hosts that are named.
const MAX_HOSTS: usize = 32;

impl Address {
    /// Where the store of the configuration is, if it is shared.
    ///
    /// # Errors
    /// What would be right.
    pub(super) fn of(config: &Config) -> Result<Option<Self>, Fault> {
        let Some(url) = &config.url else { return Ok(None) };
        Self::parse(url.expose_secret()).map(Some).map_err(|problem| Fault::Unwell(problem.to_owned()))
    }

    /// The address in a URL; what would be right, where it is none. The URL is not repeated: it may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const ADVICE: &str = "is not a Redis URL; write redis://host:port or rediss://host:port";
        let (scheme, rest) = text.split_once("://").ok_or(ADVICE)?;
        let (transport, form) = scheme.split_once('+').unwrap_or((scheme, ""));
        let is_tls = match transport {
            "redis" => false,
            "rediss" => true,
            _ => return Err(ADVICE),
        };
        if rest.contains(['?', '#']) {
            return Err("has a query or a fragment, which mean nothing here; leave them out");
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
        let hosts: Vec<String> = hosts.split(',').map(str::to_owned).collect();
        let (form, database) = match form {
            "" if hosts.len() == 1 => (Form::One, path),
            "sentinel" => {
                let (service, database) = path.split_once('/').unwrap_or((path, ""));
                if service.is_empty() {
                    return Err("lacks the name of the service; write redis+sentinel://host:26379/SERVICE");
                }
                (Form::Sentinel { service: service.to_owned() }, database)
            }
            "cluster" if path.is_empty() => (Form::Cluster, ""),
            "cluster" => return Err("names a database, and a Cluster has none; leave it out"),
            "" => return Err("names several hosts; write redis+sentinel:// or redis+cluster:// for these"),
            _ => return Err(ADVICE),
        };
        if !database.is_empty() && database.parse::<u16>().is_err() {
            return Err("has a database that is no number");
        }
        let address = Self {
            form,
            is_tls,
            user: user.map(str::to_owned),
            hosts,
            database: (!database.is_empty()).then(|| database.to_owned()),
        };
        let is_host = |url: String| url::Url::parse(&url).is_ok_and(|url| url.has_host());
        let are_hosts = address.hosts.len() <= MAX_HOSTS && address.urls().all(is_host);
        if are_hosts { Ok(address) } else { Err(ADVICE) }
    }

    /// The URL of each host, as the client library wants it.
    pub(super) fn urls(&self) -> impl Iterator<Item = String> {
        let scheme = if self.is_tls { "rediss" } else { "redis" };
        let user = self.user.as_deref().map(|user| format!("{user}@")).unwrap_or_default();
        let database = self.database.as_deref().unwrap_or_default();
        let port = if matches!(self.form, Form::Sentinel { .. }) { ":26379" } else { "" };
        self.hosts.iter().map(move |host| {
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let port = if has_port { "" } else { port };
            format!("{scheme}://{user}{host}{port}/{database}")
        })
    }

    /// Where it is, for logs: without user and password.
    pub(super) fn public(&self) -> String {
        let form = match &self.form {
            Form::One => "",
            Form::Sentinel { .. } => "+sentinel",
            Form::Cluster => "+cluster",
        };
        let scheme = if self.is_tls { "rediss" } else { "redis" };
        let service = if let Form::Sentinel { service } = &self.form { format!("/{service}") } else { String::new() };
        let database = self.database.as_deref().map(|database| format!("/{database}")).unwrap_or_default();
        format!("{scheme}{form}://{}{service}{database}", self.hosts.join(","))
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_in_all_their_forms_and_shown_without_secrets() {
        for (text, public, urls) in [
            ("redis://localhost", "redis://localhost", vec!["redis://localhost/"]),
            ("redis://u:p%40@h:1/3", "redis://h:1/3", vec!["redis://u:p%40@h:1/3"]),
            ("rediss://:p@[::1]:6380", "rediss://[::1]:6380", vec!["rediss://:p@[::1]:6380/"]),
            (
                "redis+sentinel://u:p@a,b:7/main/2",
                "redis+sentinel://a,b:7/main/2",
                vec!["redis://u:p@a:26379/2", "redis://u:p@b:7/2"],
            ),
            ("rediss+cluster://a:1,b:2", "rediss+cluster://a:1,b:2", vec!["rediss://a:1/", "rediss://b:2/"]),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!(
                (address.public().as_str(), address.urls().collect::<Vec<_>>()),
                (public, urls.iter().map(ToString::to_string).collect())
            );
            assert!(!format!("{address:?}").contains("p@"));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "redis:/x",
            "http://a",
            "redis://",
            "redis://a,b",
            "redis://a/x",
            "redis+sentinel://a",
            "redis://a:x",
            "redis+cluster://a/1",
            "redis+other://a",
            "redis://a?protocol=resp3",
            "rediss://a#insecure",
            "unix:///x",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
