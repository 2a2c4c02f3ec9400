//! What is run, or connected to: the same for every client.

use std::collections::{BTreeSet, HashSet};

use url::{Host, Url};

use super::blank::{Blank, Blanks, Part, Text};
use super::run::{self, Run};
use super::{Unfit, Way, label};
use crate::inspect::manifest::{Input, Transport};

/// The most bytes of a plan: each client's configuration repeats them.
const MAX_BYTES: usize = 16 << 10;

/// How a server is used in one way.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Its name in the registry.
    pub(super) name: String,
    /// What clients call it that do not take such names.
    pub(super) label: String,
    pub(super) blanks: Blanks,
    pub(super) action: Action,
}

/// What a client does.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// It runs a command, and speaks to it over its input and output.
    Run(Run),
    /// It connects.
    Connect(Connect),
    /// It connects to what has to be started first.
    Served(Run, Connect),
}

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Connect {
    pub(super) is_sse: bool,
    pub(super) url: Text,
    pub(super) headers: Vec<(String, Text)>,
}

impl Plan {
    /// What it takes to use a server of this name in this way.
    pub(super) fn of(name: &str, way: Way<'_>) -> Result<Self, Unfit> {
        let label = label(name);
        let mut blanks = Blanks::new(name);
        let action = match way {
            Way::Remote(remote) => Action::Connect(Connect::to(remote, &mut blanks)?),
            Way::Package(package) => {
                let mut run = run::of(package, &mut blanks)?;
                if &*package.transport.kind == "stdio" {
                    Action::Run(run)
                } else {
                    let connect = Connect::to(&package.transport, &mut blanks)?;
                    // What listens in a container is not reached by itself.
                    if let Some(port) = connect.local_port() {
                        run.publish(&port);
                    }
                    Action::Served(run, connect)
                }
            }
        };
        if name.contains(crate::inspect::hidden::is_hidden) {
            return Err(Unfit::Hidden);
        }
        blanks.check()?;
        let plan = Self { name: name.to_owned(), label, blanks, action };
        plan.texts().try_for_each(Text::check)?;
        if MAX_BYTES < plan.texts().map(Text::bytes).sum() {
            return Err(Unfit::TooLong);
        }
        Ok(plan)
    }

    /// Everything in it that a registry wrote.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        let (run, connect) = match &self.action {
            Action::Run(run) => (Some(run), None),
            Action::Connect(connect) => (None, Some(connect)),
            Action::Served(run, connect) => (Some(run), Some(connect)),
        };
        run.into_iter().flat_map(Run::texts).chain(connect.into_iter().flat_map(Connect::texts))
    }

    /// The blanks of some of its texts, in order.
    pub(super) fn blanks_of<'a>(&self, texts: impl Iterator<Item = &'a Text>) -> Vec<Blank> {
        let used: BTreeSet<usize> = texts.flat_map(Text::blanks).collect();
        used.into_iter().map(|position| self.blanks.all[position].clone()).collect()
    }

    /// Whether Docker runs it.
    pub(super) fn is_image(&self) -> bool {
        matches!(&self.action, Action::Run(run) | Action::Served(run, _) if run.is_image)
    }
}

impl Connect {
    fn to(transport: &Transport, blanks: &mut Blanks) -> Result<Self, Unfit> {
        let is_sse = match &*transport.kind {
            "sse" => true,
            "streamable-http" | "http" => false,
            _ => return Err(Unfit::Transport),
        };
        let url = transport.url.as_deref().ok_or(Unfit::NoUrl)?;
        let url = blanks.template(url, &transport.variables, false, &Input::default());
        let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if !parsed(&url).as_ref().is_some_and(is_web) {
            return Err(Unfit::NoUrl);
        }
        let (mut headers, mut known) = (Vec::new(), HashSet::new());
        for header in &transport.headers {
            // Letter case does not count, and what stands there twice is refused by some.
            if known.contains(&header.name.to_ascii_lowercase()) {
                continue;
            }
            if let Some(text) = blanks.text(header, &header.name, None) {
                if !http_name(&header.name) {
                    return Err(Unfit::NoName);
                }
                known.insert(header.name.to_ascii_lowercase());
                headers.push((header.name.clone(), text));
            }
        }
        Ok(Self { is_sse, url, headers })
    }

    /// Everything in it that a registry wrote.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        self.headers.iter().map(|(_, text)| text).chain([&self.url])
    }

    /// The port, if it is one of this machine.
    fn local_port(&self) -> Option<Text> {
        let url = parsed(&self.url)?;
        let is_local = match url.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback() || address.is_unspecified(),
            Host::Ipv6(address) => address.is_loopback() || address.is_unspecified(),
        };
        // `http://localhost:{port}`: the blank is where the port is.
        let blank = match &self.url.0[..] {
            [Part::Literal(before), port @ Part::Blank(_), ..] if before.ends_with(':') => Some(port.clone()),
            _ => None,
        };
        let number = || Some(Part::Literal(url.port_or_known_default()?.to_string()));
        blank.or_else(number).filter(|_| is_local).map(|port| Text(vec![port]))
    }
}

/// A URL with something in the place of its blanks: some stand where only a number can.
fn parsed(url: &Text) -> Option<Url> {
    ["x", "1"].into_iter().find_map(|filling| Url::parse(&url.filled(|_| filling.to_owned())).ok())
}

/// Whether a text can be the name of a header (RFC 9110 §5.1).
fn http_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=256).contains(&name.len()) && name.bytes().all(is_token)
}
