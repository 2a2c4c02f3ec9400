//! What may stand on the command line, and what `--help` says of it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::builder::Styles;
use clap::{ArgMatches, ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum as _};

use super::{check, config, describe, edit, export, healthcheck, list, serve, test, validate};

/// One URL in front of many MCP registries.
#[derive(Debug, Parser)]
#[command(
    name = "mcp-registry-proxy",
    version = env!("BUILD_TEXT"),
    about = "One URL in front of many MCP registries: tests them, mirrors them, merges them,\nand answers the MCP Registry API from memory.",
    after_help = AFTER_HELP,
    max_term_width = 100
)]
pub(super) struct Arguments {
    /// A configuration file, in TOML, YAML or JSON; of several, later ones count more
    // Of a global argument, clap keeps only what stands on one side of the command: each side has its own.
    #[arg(long, value_name = "FILE", help_heading = GLOBAL)]
    pub(super) config: Vec<PathBuf>,

    /// What is logged: error, warn, info, debug, or directives of tracing
    #[arg(long, global = true, value_name = "LEVEL", help_heading = GLOBAL)]
    pub(super) log_level: Option<String>,

    /// When to use colours: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = GLOBAL
    )]
    pub(super) color: ColorChoice,

    #[command(subcommand)]
    pub(super) command: Command,
}

const GLOBAL: &str = "Global options";
/// What clap calls the files.
const CONFIG: &str = "config";

const AFTER_HELP: &str = "\
Try it:
  mcp-registry-proxy serve --config config/quickstart.toml
  mcp-registry-proxy add acme https://mcp.acme.example/v0.1 --config proxy.toml
  mcp-registry-proxy list --search git

Without --config, every command uses the configuration that is built in: the
official registry alone. The environment counts more than files, and flags more
than the environment: MCP_REGISTRY_PROXY__SERVER__LISTEN=0.0.0.0:8080.

Exit codes: 0 success; 1 failure; 64 bad configuration, command line or input;
69 nobody could be asked.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the proxy
    #[command(after_help = "\
Runs until SIGTERM or Ctrl-C, and then ends once requests in flight have been
answered. Changes of the configuration files take effect meanwhile; SIGHUP has
them read again.

Examples:
  mcp-registry-proxy serve --config proxy.toml
  mcp-registry-proxy serve --config base.toml --config registries.yaml
  mcp-registry-proxy serve --listen 0.0.0.0:8080 --log-level debug

Exit codes: 0 after a clean end; 64 bad configuration; 1 anything else.")]
    Serve(serve::Serve),

    /// Ask the running proxy whether it lives
    #[command(after_help = "\
For containers without curl. It is asked at `server.listen` of the
configuration: name the files that the proxy was started with.

Exit codes: 0 it lives; 1 it does not answer; 64 bad configuration.")]
    Healthcheck(healthcheck::Healthcheck),

    /// Check the configuration, without a port or a request
    #[command(after_help = "\
Warns of what is valid and most likely not meant.

Examples:
  mcp-registry-proxy check --config proxy.toml
  mcp-registry-proxy check --config proxy.toml --json | jq .warnings

Exit codes: 0 valid; 64 not valid.")]
    Check(check::Check),

    /// Print the configuration that counts, and where it comes from
    #[command(after_help = "\
Prints TOML. Tokens, the values of headers, and what may be secret of URLs are
redacted; `${NAME}` is shown as it is written.

Examples:
  mcp-registry-proxy config --config proxy.toml
  mcp-registry-proxy config | grep -v '# default'

Exit codes: 0 valid; 64 not valid.")]
    Config(config::Settings),

    /// Test a registry, and add it to the configuration file
    #[command(after_help = "\
Everything else in the file stays as it is, comments included. Of several files,
the one whose list of registries counts is edited; of none that has a list, the
last one. Nothing is written unless the whole configuration is valid with it. A
proxy that runs takes the change at once.

Examples:
  mcp-registry-proxy add acme https://mcp.acme.example/v0.1 --config proxy.toml
  touch new.toml && mcp-registry-proxy add first https://… --config new.toml

Exit codes: 0 added; 1 the registry fails its test, or the file cannot be
written; 64 not valid.")]
    Add(edit::Add),

    /// Remove a registry from the configuration file
    #[command(after_help = "\
Everything else in the file stays as it is; comments that stand right at the
registry go with it. Nothing is written unless the whole configuration is valid
without it.

Example:
  mcp-registry-proxy remove acme --config proxy.toml

Exit codes: 0 removed; 1 the file cannot be written; 64 not valid.")]
    Remove(edit::Remove),

    /// Test Connection: ask registries, and judge what they answer
    #[command(after_help = "\
Each registry is judged in three stages: `network` (name, connection, TLS),
`response` (status, time) and `format` (the answer is a list of servers).

Examples:
  mcp-registry-proxy test --config proxy.toml
  mcp-registry-proxy test acme --config proxy.toml --json
  mcp-registry-proxy test --url https://registry.example/v0.1

Exit codes: 0 all pass; 1 some fail; 64 bad configuration.")]
    Test(test::Test),

    /// Fetch all registries once, and print their servers
    #[command(after_help = "\
Only the latest version of each server is printed; `export` has all of them.
Registries that fail are named on standard error, and left out.

Examples:
  mcp-registry-proxy list --config proxy.toml
  mcp-registry-proxy list --search git
  mcp-registry-proxy list --json | jq -r '.servers[].server.name'

Exit codes: 0 success; 1 nothing could be fetched; 64 bad configuration.")]
    List(list::List),

    /// Check the servers in clients' files against the registries
    #[command(after_help = "\
Reads the configuration of MCP clients (Claude, VS Code, Cursor, Codex, …), a
server.json, or a list of names. With --url a running proxy is asked, which is
faster; without, the registries are fetched once.

Examples:
  mcp-registry-proxy validate .mcp.json
  mcp-registry-proxy validate ~/.cursor/mcp.json --url http://127.0.0.1:8080
  mcp-registry-proxy validate .vscode/mcp.json --format sarif > mcp.sarif

Exit codes: 0 all known; 1 findings; 64 unreadable input or bad configuration;
69 no registry could be asked.")]
    Validate(validate::Validate),

    /// Fetch all registries once, and write the merged catalog to files
    #[command(after_help = "\
Examples:
  mcp-registry-proxy export --format ndjson | gzip > catalog.ndjson.gz
  mcp-registry-proxy export --format static site/
  mcp-registry-proxy export --format managed-settings policy/

Exit codes: 0 success; 1 nothing could be fetched or written; 64 bad
configuration.")]
    Export(export::Export),

    /// Print the description of the HTTP API (OpenAPI), as YAML or JSON
    #[command(name = "openapi")]
    OpenApi(describe::OpenApi),

    /// Print a shell's completions for this program
    #[command(after_help = "\
Examples (bash, zsh, fish):
  mcp-registry-proxy completions bash > ~/.mcp-registry-proxy.bash
  mcp-registry-proxy completions zsh > ~/.zfunc/_mcp-registry-proxy
  mcp-registry-proxy completions fish | source")]
    Completions(describe::Completions),
}

/// The commands as `--help` groups them.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Run", &["serve", "healthcheck"]),
    ("Configure", &["check", "config", "add", "remove"]),
    ("Look", &["test", "list", "validate", "export"]),
    ("More", &["openapi", "completions", "help"]),
];

const HELP: &str = "Print this, or the help of a command";

/// What the process was started with.
///
/// # Errors
/// What clap says of it; help and version are errors, too.
pub(super) fn parse() -> Result<Arguments, clap::Error> {
    let matches = command().color(color(std::env::args_os().skip(1))).try_get_matches()?;
    arguments(&matches)
}

/// What was given. Files may be named before and after the command, and count in this order.
fn arguments(matches: &ArgMatches) -> Result<Arguments, clap::Error> {
    let mut arguments = Arguments::from_arg_matches(matches)?;
    let after = matches.subcommand().and_then(|(_, command)| command.try_get_many::<PathBuf>(CONFIG).ok()?);
    arguments.config.extend(after.into_iter().flatten().cloned());
    Ok(arguments)
}

/// When clap itself is to use colours: it prints help and errors before it says what `--color` is.
fn color(arguments: impl Iterator<Item = OsString>) -> ColorChoice {
    let arguments: Vec<OsString> = arguments.take_while(|argument| argument != "--").collect();
    let mut given = arguments.iter().enumerate().filter_map(|(index, argument)| {
        let value = match argument.to_str()? {
            "--color" => arguments.get(index + 1)?.to_str()?,
            argument => argument.strip_prefix("--color=")?,
        };
        ColorChoice::from_str(value, true).ok()
    });
    given.next_back().unwrap_or_default()
}

/// The command line, with the files as an argument of every command.
fn with_files() -> clap::Command {
    let command = Arguments::command();
    let files = command.get_arguments().find(|argument| argument.get_id() == CONFIG).cloned();
    command.mut_subcommands(|subcommand| subcommand.args(files.clone()))
}

/// The command line, whose help has the commands in groups.
pub(super) fn command() -> clap::Command {
    let bare = with_files();
    let mut command = bare.clone();
    command.build();
    let heading = *Styles::styled().get_header();
    let literal = *Styles::styled().get_literal();
    let mut groups = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(groups, "{heading}{group}:{heading:#}");
        for name in names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about).map(ToString::to_string);
            // clap's own words for it take two lines.
            let about = about.filter(|_| *name != "help").unwrap_or_else(|| HELP.to_owned());
            let _ = writeln!(groups, "  {literal}{name:<12}{literal:#} {about}");
        }
        groups.push('\n');
    }
    bare
        .help_template(format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{heading}Options:{heading:#}\n{{options}}{{after-help}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        command().debug_assert();
    }

    #[test]
    fn files_may_be_named_on_both_sides_of_the_command() {
        for (line, expected) in [
            ("check", &[][..]),
            ("--config a check", &["a"]),
            ("check --config b", &["b"]),
            ("--config a --config b check --config c --config d", &["a", "b", "c", "d"]),
        ] {
            let line = ["proxy"].into_iter().chain(line.split(' '));
            let matches = command().try_get_matches_from(line).expect("a command line");
            let found = arguments(&matches).expect("arguments").config;
            assert_eq!(found, expected.iter().map(PathBuf::from).collect::<Vec<_>>());
        }
    }

    #[test]
    fn help_has_the_colours_that_the_command_line_wants() {
        let of = |line: &str| color(line.split(' ').map(OsString::from));
        assert_eq!(of("--help"), ColorChoice::Auto);
        assert_eq!(of("--color never --help"), ColorChoice::Never);
        assert_eq!(of("list --help --color=always"), ColorChoice::Always);
        assert_eq!(of("--color never list --color always"), ColorChoice::Always);
        for line in ["--color", "--color sometimes", "-- --color never"] {
            assert_eq!(of(line), ColorChoice::Auto, "{line}");
        }
    }

    #[test]
    fn every_command_is_in_a_group_and_no_line_of_help_is_too_long() {
        let mut command = command().term_width(80);
        command.build();
        let mut named: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let mut known: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        named.sort_unstable();
        known.sort_unstable();
        assert_eq!(named, known);
        let mut helps = vec![command.render_long_help().to_string()];
        helps.extend(command.get_subcommands_mut().map(|command| command.render_help().to_string()));
        for help in helps {
            let too_long = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(too_long, None, "{help}");
        }
    }
}
