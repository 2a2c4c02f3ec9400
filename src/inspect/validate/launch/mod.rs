//! A command line of a client's configuration, understood: what it runs. Each runner has its own way to say so. Nothing
//! is run and nothing is asked; what cannot be told stays unclear, with the reason. No argument gets out of here but the
//! name of a package, its version and a URL.

mod bridge;
mod container;
mod grammar;
mod node;
mod python;
mod shell;

use super::address;
use super::package::{Origin, Package, PackageType};

/// How many commands may be inside of one another: `cmd /c npx supergateway --stdio "npx …"`.
const MAX_DEPTH: usize = 6;

pub(super) const OPTIONS: &str = "It has an option that is not known here, so that it cannot be told what it runs";
pub(super) const LOCAL: &str = "It runs a file or a program of this machine, of which no registry knows";
pub(super) const SOURCE: &str = "It runs code from a repository or a URL, not a package of a registry";
pub(super) const NOTHING: &str = "It names nothing to run";
pub(super) const SCRIPT: &str = "It runs a script of a shell, and that is not read";
pub(super) const VARIABLE: &str = "What it runs or connects to stands in a variable";
pub(super) const DEEP: &str = "It runs commands inside of commands, deeper than is followed";
pub(super) const SEVERAL: &str = "It runs one of several packages, and which one cannot be told";

/// What stands in the place of a version and is none; it may be anything, so it is not shown.
pub(super) const NO_VERSION: &str = "What stands in the place of its version is none";

/// What a command line comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Launch {
    /// The runner that gets the package, or the bridge to a remote server.
    pub(super) runner: Option<&'static str>,
    /// What is run.
    pub(super) target: Target,
    /// How the bridge is told to speak to the remote server.
    pub(super) transport: Option<&'static str>,
    /// Which package registry it asks.
    pub(super) origin: Origin,
    /// The names of the variables and headers that it sets.
    pub(super) names: Vec<String>,
    /// Whether others may be set that do not stand in it: by a file, or by what comes before the runner.
    pub(super) has_other_names: bool,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A package.
    Package(Package),
    /// A remote server, by its normalised URL.
    Remote(String),
    /// It cannot be told, for this reason.
    Unclear(&'static str),
}

impl Default for Target {
    fn default() -> Self {
        Self::Unclear(NOTHING)
    }
}

impl Launch {
    fn unclear(runner: Option<&'static str>, reason: &'static str) -> Self {
        Self { runner, target: Target::Unclear(reason), ..Self::default() }
    }

    /// A package in a runner's words.
    fn of_package(runner: &'static str, kind: PackageType, text: &str) -> Self {
        let target = Package::parse(kind, text).map_or_else(|| Target::Unclear(reason_of(text)), Target::Package);
        Self { runner: Some(runner), target, ..Self::default() }
    }

    /// A remote server by its URL.
    fn of_remote(runner: &'static str, url: &str) -> Self {
        let target = address::normalised(url).map_or(Target::Unclear(reason_of(url)), Target::Remote);
        Self { runner: Some(runner), target, ..Self::default() }
    }
}

/// Why a text names no package.
pub(super) fn reason_of(text: &str) -> &'static str {
    if text.is_empty() {
        NOTHING
    } else if text.contains("${") || text.starts_with('$') || text.starts_with('%') || text.contains("{{") {
        VARIABLE
    } else if text.contains("://") || text.contains("git+") || text.contains("github:") || text.contains("gitlab:") {
        SOURCE
    } else {
        LOCAL
    }
}

/// What a command with these arguments runs.
pub(super) fn launch(command: &str, arguments: &[String]) -> Launch {
    at_depth(command, arguments, 0)
}

fn at_depth(command: &str, arguments: &[String], depth: usize) -> Launch {
    if MAX_DEPTH < depth {
        return Launch::unclear(None, DEEP);
    }
    let command = command.trim();
    let name = program(command);
    // The whole command line as one text, as some clients take it.
    if arguments.is_empty() && command.contains(char::is_whitespace) && name.contains(char::is_whitespace) {
        return shell::line(command, depth);
    }
    match name.as_str() {
        "npx" | "bunx" | "pnpx" | "npm" | "pnpm" | "yarn" | "bun" | "deno" | "dx" | "node" | "nodejs" | "tsx" => {
            node::launch(&name, arguments, depth)
        }
        "uvx" | "uv" | "pipx" => python::launch(&name, arguments, depth),
        _ if python::is_interpreter(&name) => python::module(arguments),
        "docker" | "podman" | "nerdctl" => container::launch(&name, arguments),
        "dnx" | "dotnet" => dotnet(&name, arguments),
        "cargo" | "go" | "java" | "ruby" | "php" | "perl" | "make" => Launch::unclear(None, LOCAL),
        _ => match bridge::of_program(&name) {
            Some(bridge) => bridge.launch(arguments, depth),
            None => shell::unwrapped(&name, arguments, depth),
        },
    }
}

/// The name of a program: without the path, and without the endings of Windows.
fn program(command: &str) -> String {
    let name = command.trim_matches('"').rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
    let endings = [".exe", ".cmd", ".bat", ".ps1", ".com"];
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name).to_owned()
}

/// `dnx Package@1.2`, `dotnet tool exec Package --version 1.2`.
fn dotnet(name: &str, arguments: &[String]) -> Launch {
    const GRAMMAR: grammar::Grammar = grammar::Grammar {
        with_value: &["version", "source", "add-source", "configfile", "v", "verbosity", "framework", "arch", "a"],
        bare: &[
            "y",
            "yes",
            "prerelease",
            "interactive",
            "allow-roll-forward",
            "ignore-failed-sources",
            "disable-parallel",
            "no-cache",
            "no-http-cache",
            "allow-downgrade",
        ],
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let arguments = match (name, words.as_slice()) {
        ("dnx", _) => arguments,
        ("dotnet", ["dnx", ..]) => &arguments[1..],
        ("dotnet", ["tool", "exec" | "execute", ..]) => &arguments[2..],
        _ => return Launch::unclear(None, LOCAL),
    };
    let Ok(read) = GRAMMAR.read(arguments) else { return Launch::unclear(Some("dnx"), OPTIONS) };
    let Some(package) = &read.operand else { return Launch::unclear(Some("dnx"), NOTHING) };
    // Options may follow the package, and those of the tool as well.
    let after = GRAMMAR.after_operand(&read.rest);
    let mut launch = Launch::of_package("dnx", PackageType::Nuget, package);
    let version = read.value(&["version"]).or_else(|| after.value(&["version"]));
    launch.target = match (launch.target, version) {
        (Target::Package(package), Some(version)) => {
            package.with_version(version).map_or(Target::Unclear(NO_VERSION), Target::Package)
        }
        (target, _) => target,
    };
    let sources = ["source", "add-source"];
    launch.origin = PackageType::Nuget.origin(read.values(&sources).chain(after.values(&sources)));
    launch
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
