//! How a listed server is configured in clients: what to put into which file, or to run. Nothing that is secret stands in
//! it: where a secret belongs, the client is told to ask for it or to take it from the environment.
//!
//! What registries wrote may be meant to do harm. So nothing is generated out of texts with characters that do not show,
//! nor out of those in which a client would put in something of the user's machine; what a command line runs is read
//! back by the same rules as people's own configurations ([`super::validate`]), and must be the package that is listed.
//!
//! In reading order: `blank` texts with something to fill in, `plan` what is run or connected to, `run` the command lines,
//! `options` and `image` what runners are told, `steering` the variables that no registry may name, `render` the files of
//! each client.

mod blank;
mod image;
mod options;
mod plan;
mod render;
mod run;
mod steering;

use super::manifest::{Manifest, Package, Transport};
pub use blank::Blank;

/// A client that can be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// VS Code and Copilot in it.
    VsCode,
    /// Claude Code.
    ClaudeCode,
    /// Cursor.
    Cursor,
    /// Codex.
    Codex,
    /// Docker, without any client.
    Docker,
}

impl Client {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::VsCode, Self::ClaudeCode, Self::Cursor, Self::Codex, Self::Docker];

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VsCode => "VS Code",
            Self::ClaudeCode => "Claude Code",
            Self::Cursor => "Cursor",
            Self::Codex => "Codex",
            Self::Docker => "docker run",
        }
    }
}

/// How a server can be used.
#[derive(Clone, Copy, Debug)]
pub enum Way<'a> {
    /// By running one of its packages.
    Package(&'a Package),
    /// By connecting to one of its remotes.
    Remote(&'a Transport),
}

/// Something to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The file that it goes into, or that it is to be run.
    pub place: &'static str,
    /// The text.
    pub text: String,
}

/// How one client is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The client.
    pub client: Client,
    /// What is run before, in a shell of its own, where the server does not run by the client.
    pub start: Option<Start>,
    /// What to copy; the parts stand for one another.
    pub snippets: Vec<Snippet>,
    /// What is left open in them.
    pub blanks: Vec<Blank>,
    /// Where the client takes these from.
    pub takes_blanks: Taking,
}

/// What starts a server that listens by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The command line.
    pub snippet: Snippet,
    /// What is left open in it: taken from the environment, or filled in by hand where it says `YOUR_…`.
    pub blanks: Vec<Blank>,
}

/// How a client comes by what the configuration leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// It asks, when the server is started.
    Asks,
    /// From the environment that it was started in.
    Environment,
    /// From the environment, or by hand where it says `YOUR_…`.
    EnvironmentOrHand,
}

/// Why there is no configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is nothing that runs such a package.
    #[error("there is no command that runs a package of this type")]
    NoRunner,
    /// A bundle is not run by a command.
    #[error("a bundle is installed by opening it in a client that takes bundles, such as Claude Desktop")]
    Bundle,
    /// It is in another package registry than the runner asks.
    #[error("the package is in another package registry ({0}), of which the package manager has to be told")]
    Elsewhere(String),
    /// Its identifier or its version is none.
    #[error("its identifier or its version is none that its package registry could have")]
    NoPackage,
    /// Its URL is none.
    #[error("its URL is none of http or https")]
    NoUrl,
    /// A variable or a header has a name that is none.
    #[error("a variable or a header has a name that none can have")]
    NoName,
    /// It has characters that do not show.
    #[error("it has characters in it that do not show, or that turn the direction of writing around")]
    Hidden,
    /// There is no end to it.
    #[error("it is longer than anything that people paste")]
    TooLong,
    /// A client would take it for a variable of its own.
    #[error("it has `${{` in it, in whose place this client puts something of your machine")]
    Variable,
    /// What is generated would run something else.
    #[error("with its arguments, the command would run something else than the package that is listed")]
    Misread,
    /// The runner would be told what is not on our lists.
    #[error("it wants options of the runner that we do not write")]
    Options,
    /// A variable steers what runs it.
    #[error("it names a variable that steers what runs it, such as where its package manager finds packages")]
    Steers,
    /// The transport is none that the client speaks.
    #[error("this client does not speak its transport")]
    Transport,
}

/// How clients are configured to use a server in one way. Docker is left out where there is no image.
#[must_use]
pub fn configurations(manifest: &Manifest, way: Way<'_>) -> Vec<(Client, Result<Configuration, Unfit>)> {
    let plan = plan::Plan::of(&manifest.name, way);
    let is_image = |client: &Client| *client != Client::Docker || plan.as_ref().is_ok_and(plan::Plan::is_image);
    let clients = Client::ALL.into_iter().filter(is_image);
    let configure = |client| plan.as_ref().map_err(Clone::clone).and_then(|plan| render::configure(client, plan));
    clients.map(|client| (client, configure(client))).collect()
}

/// What a server is called in a client's configuration: letters, digits and hyphens, which all clients take.
fn label(name: &str) -> String {
    const MAX_CHARS: usize = 48;
    // Too many servers are called so to be told apart by it.
    const GENERIC: [&str; 5] = ["mcp", "server", "mcp-server", "mcp-remote", "remote"];
    let slug = |text: &str| {
        let words = text.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
    };
    let (space, own) = name.rsplit_once('/').unwrap_or(("", name));
    let own = slug(own);
    let label = if own.is_empty() || GENERIC.contains(&&*own) {
        let space = slug(space.rsplit('.').next().unwrap_or_default());
        [space, own].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    } else {
        own
    };
    let label = label.get(..MAX_CHARS).unwrap_or(&label).trim_end_matches('-');
    if label.is_empty() { "server".to_owned() } else { label.to_owned() }
}

#[cfg(test)]
mod tests;
