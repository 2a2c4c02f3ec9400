//! Programs that are no servers themselves but lead to one: to a remote one by its URL, or to one that they run.

use super::grammar::Grammar;
use super::{Launch, NOTHING, OPTIONS, Target, at_depth, node};
use crate::inspect::validate::package::{Package, PackageType};

/// A program that leads to another server.
pub(super) struct Bridge {
    name: &'static str,
    kind: PackageType,
    grammar: Grammar,
    /// The options whose values are the URL of the server, each with the transport that it means.
    urls: &'static [(&'static str, Option<&'static str>)],
    /// The option whose value is a command to run.
    command: &'static str,
    /// The option whose value is the transport.
    transport: &'static str,
    /// Whether the first argument that is no option is the server: its URL, or else a command.
    has_operand: bool,
}

const SSE: Option<&str> = Some("sse");
const STREAMABLE: Option<&str> = Some("streamable-http");

/// Those that people configure most.
const BRIDGES: &[Bridge] = &[
    Bridge {
        name: "mcp-remote",
        kind: PackageType::Npm,
        grammar: Grammar {
            with_value: &[
                "header",
                "transport",
                "host",
                "resource",
                "auth-timeout",
                "static-oauth-client-info",
                "static-oauth-client-metadata",
                "ignore-tool",
            ],
            bare: &["allow-http", "debug", "silent", "enable-proxy", "clean"],
        },
        urls: &[],
        command: "",
        transport: "transport",
        has_operand: true,
    },
    Bridge {
        name: "supergateway",
        kind: PackageType::Npm,
        grammar: Grammar {
            with_value: &[
                "stdio",
                "sse",
                "streamableHttp",
                "outputTransport",
                "port",
                "baseUrl",
                "ssePath",
                "messagePath",
                "streamableHttpPath",
                "logLevel",
                "cors",
                "healthEndpoint",
                "header",
                "oauth2Bearer",
                "protocolVersion",
                "sessionTimeout",
            ],
            bare: &["stateful"],
        },
        urls: &[("sse", SSE), ("streamableHttp", STREAMABLE)],
        command: "stdio",
        transport: "",
        has_operand: false,
    },
    Bridge {
        name: "mcp-proxy",
        kind: PackageType::Pypi,
        grammar: Grammar {
            with_value: &[
                "H",
                "headers",
                "transport",
                "client-id",
                "client-secret",
                "token-url",
                "e",
                "env",
                "cwd",
                "port",
                "host",
                "log-level",
                "allow-origin",
                "named-server",
                "named-server-config",
                "sse-port",
                "sse-host",
                "verify-ssl",
            ],
            bare: &[
                "pass-environment",
                "no-pass-environment",
                "debug",
                "no-debug",
                "stateless",
                "no-stateless",
                "no-verify-ssl",
            ],
        },
        urls: &[],
        command: "",
        transport: "transport",
        has_operand: true,
    },
];

/// The bridge that is run by its own name.
pub(super) fn of_program(name: &str) -> Option<&'static Bridge> {
    BRIDGES.iter().find(|bridge| bridge.name == name)
}

/// What is run, where the package that a runner gets is a bridge to it.
pub(super) fn followed(launch: Launch, arguments: &[String], depth: usize) -> Launch {
    let is_it = |bridge: &&Bridge| match &launch.target {
        Target::Package(Package { kind, identifier, .. }) => *kind == bridge.kind && *identifier == bridge.name,
        _ => false,
    };
    match BRIDGES.iter().find(is_it) {
        Some(bridge) => bridge.launch(arguments, depth),
        None => launch,
    }
}

impl Bridge {
    /// What it leads to.
    pub(super) fn launch(&self, arguments: &[String], depth: usize) -> Launch {
        // `npm exec mcp-remote -- URL`.
        let arguments = with_single_values(arguments.strip_prefix(&["--".to_owned()]).unwrap_or(arguments));
        let Ok(read) = self.grammar.read(&arguments) else { return Launch::unclear(Some(self.name), OPTIONS) };
        // Options may follow the URL. What follows a command is the command's.
        let after = self.grammar.read(&without_port(&read.rest)).unwrap_or_default();
        let by_option = self.urls.iter().find_map(|(option, transport)| Some((read.value(&[option])?, *transport)));
        let operand = read.operand.as_deref().filter(|_| self.has_operand);
        let is_url = |text: &str| text.contains("://") || text.starts_with('$');
        let mut launch = match (by_option, read.value(&[self.command]), operand) {
            (Some((url, transport)), ..) => Launch { transport, ..Launch::of_remote(self.name, url) },
            (None, Some(command), _) => node::nested(command, depth),
            (None, None, Some(url)) if is_url(url) => {
                let said = read.value(&[self.transport]).or_else(|| after.value(&[self.transport]));
                Launch { transport: said.and_then(transport), ..Launch::of_remote(self.name, url) }
            }
            (None, None, Some(command)) if self.name == "mcp-proxy" => at_depth(command, &read.rest, depth + 1),
            _ => Launch::unclear(Some(self.name), NOTHING),
        };
        for read in [&read, &after] {
            launch.names.extend(
                read.values(&["header"]).filter_map(|header| Some(header.split_once(':')?.0.trim().to_owned())),
            );
            launch.names.extend(read.values(&["H", "headers"]).map(str::to_owned));
        }
        launch.has_other_names |= read.has(&["oauth2Bearer"]);
        launch
    }
}

/// `-H NAME VALUE` of `mcp-proxy` without the value.
fn with_single_values(arguments: &[String]) -> Vec<String> {
    let is_value = |at: usize| at.checked_sub(2).is_some_and(|at| matches!(arguments[at].as_str(), "-H" | "--headers"));
    (0..arguments.len()).filter(|at| !is_value(*at)).map(|at| arguments[at].clone()).collect()
}

/// `mcp-remote URL 3334 --header …`: the port of its own.
fn without_port(rest: &[String]) -> Vec<String> {
    let is_port = |word: &String| word.chars().all(|char| char.is_ascii_digit());
    rest.iter().filter(|word| !is_port(word)).cloned().collect()
}

/// What a bridge calls a transport, without `-only` and `-first`; the ones that try both mean either.
fn transport(text: &str) -> Option<&'static str> {
    match text {
        "sse-only" | "sse" => SSE,
        "http-only" | "streamablehttp" | "streamable-http" => STREAMABLE,
        _ => None,
    }
}
