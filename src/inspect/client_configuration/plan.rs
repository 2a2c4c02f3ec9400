//! What is run, or connected to: the same for every client.

use url::Url;

use super::blank::{Blanks, Text};
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
        let mut blanks = Blanks::new(&label);
        let action = match way {
            Way::Remote(remote) => Action::Connect(Connect::to(remote, &mut blanks)?),
            Way::Package(package) => {
                let run = run::of(package, &mut blanks)?;
                match &*package.transport.kind {
                    "stdio" => Action::Run(run),
                    _ => Action::Served(run, Connect::to(&package.transport, &mut blanks)?),
                }
            }
        };
        if name.contains(crate::inspect::hidden::is_hidden) {
            return Err(Unfit::Hidden);
        }
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
        let run =
            run.into_iter().flat_map(|run| run.arguments.iter().chain(run.variables.iter().map(|(_, text)| text)));
        let connect = connect.into_iter();
        run.chain(connect.flat_map(|connect| connect.headers.iter().map(|(_, text)| text).chain([&connect.url])))
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
        let is_url = Url::parse(&url.filled(|_| "x".to_owned()))
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_url {
            return Err(Unfit::NoUrl);
        }
        let mut headers = Vec::new();
        for header in &transport.headers {
            if let Some(text) = blanks.text(header, &header.name, None) {
                if http_name(&header.name) {
                    headers.push((header.name.clone(), text));
                } else {
                    return Err(Unfit::NoName);
                }
            }
        }
        Ok(Self { is_sse, url, headers })
    }
}

/// Whether a text can be the name of a header (RFC 9110 §5.1).
fn http_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=256).contains(&name.len()) && name.bytes().all(is_token)
}
