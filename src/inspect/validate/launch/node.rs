//! Runners of npm packages: `npx`, `npm exec`, `bunx`, `pnpm dlx`, `yarn dlx`, `deno run npm:…`.

use super::grammar::{Grammar, Read};
use super::{LOCAL, Launch, NOTHING, OPTIONS, SEVERAL, SOURCE, at_depth, bridge, shell};
use crate::inspect::validate::package::{Origin, PackageType};

/// npm's, pnpm's, yarn's and bun's in one: no two of them differ in whether one takes a value.
const NPM: Grammar = Grammar {
    with_value: &[
        "C",
        "c",
        "cache",
        "call",
        "dir",
        "loglevel",
        "node-options",
        "p",
        "package",
        "prefix",
        "registry",
        "reporter",
        "script-shell",
        "shell",
        "userconfig",
        "w",
        "workspace",
        "cwd",
        "allow-build",
    ],
    bare: &[
        "bun",
        "d",
        "foreground-scripts",
        "g",
        "global",
        "ignore-existing",
        "ignore-scripts",
        "legacy-peer-deps",
        "n",
        "no",
        "no-audit",
        "no-color",
        "no-fund",
        "no-install",
        "no-progress",
        "no-update-notifier",
        "offline",
        "prefer-offline",
        "prefer-online",
        "q",
        "quiet",
        "s",
        "shell-mode",
        "silent",
        "v",
        "verbose",
        "workspaces",
        "y",
        "yes",
    ],
};

const DENO: Grammar = Grammar {
    with_value: &[
        "c",
        "cert",
        "config",
        "ext",
        "import-map",
        "location",
        "lock",
        "seed",
        "L",
        "log-level",
        "minimum-dependency-age",
    ],
    bare: &[
        "A",
        "E",
        "I",
        "N",
        "R",
        "S",
        "W",
        "all",
        "allow-all",
        "allow-env",
        "allow-ffi",
        "allow-hrtime",
        "allow-import",
        "allow-net",
        "allow-read",
        "allow-run",
        "allow-scripts",
        "allow-sys",
        "allow-write",
        "cached-only",
        "check",
        "deny-net",
        "env-file",
        "frozen",
        "no-check",
        "no-config",
        "no-lock",
        "no-npm",
        "no-prompt",
        "no-remote",
        "node-modules-dir",
        "q",
        "quiet",
        "r",
        "reload",
        "unstable",
        "watch",
    ],
};

pub(super) fn launch(name: &str, arguments: &[String], depth: usize) -> Launch {
    let first = arguments.first().map(String::as_str);
    match (name, first) {
        ("npx", _) => package("npx", Read::default(), arguments, depth),
        ("bunx", _) => package("bunx", Read::default(), arguments, depth),
        ("pnpx", _) => package("pnpm dlx", Read::default(), arguments, depth),
        ("deno" | "dx", _) => deno(name, arguments, depth),
        // How Windows installers run it: node, and the script that is npx.
        ("node" | "nodejs", Some(script)) if script.replace('\\', "/").ends_with("/npx-cli.js") => {
            package("npx", Read::default(), &arguments[1..], depth)
        }
        ("node" | "nodejs" | "tsx", _) => Launch::unclear(Some("node"), LOCAL),
        _ => manager(name, arguments, depth),
    }
}

/// `npm exec`, `pnpm dlx`, `yarn dlx`, `bun x`: options may come before the command.
fn manager(name: &str, arguments: &[String], depth: usize) -> Launch {
    let runner = match name {
        "npm" => "npm exec",
        "pnpm" => "pnpm dlx",
        "yarn" => "yarn dlx",
        _ => "bunx",
    };
    let Ok(mut global) = NPM.read(arguments) else { return Launch::unclear(Some(runner), OPTIONS) };
    let rest = std::mem::take(&mut global.rest);
    match (name, global.operand.as_deref()) {
        ("npm", Some("exec" | "x")) | ("pnpm" | "yarn", Some("dlx")) | ("bun", Some("x")) => {
            package(runner, global, &rest, depth)
        }
        // Scripts of a project.
        _ => Launch::unclear(Some(runner), LOCAL),
    }
}

/// `before` are the options that stand before the command: they count as those after it do.
fn package(runner: &'static str, before: Read, arguments: &[String], depth: usize) -> Launch {
    let Ok(read) = NPM.read(arguments) else { return Launch::unclear(Some(runner), OPTIONS) };
    let read = read.after(before);
    let asked_for: Vec<&str> = read.values(&["p", "package"]).collect();
    let named = match asked_for.as_slice() {
        [package] => Some(*package),
        [] => match (read.operand.as_deref(), read.value(&["c", "call"])) {
            (None, Some(call)) => return shell::line(call, depth),
            (operand, _) => operand,
        },
        // The command may belong to any of them.
        _ => return Launch::unclear(Some(runner), SEVERAL),
    };
    let Some(named) = named else { return Launch::unclear(Some(runner), NOTHING) };
    // `npm exec package -- arguments`, and options of npm's after the package, are the package's business.
    let mut launch = Launch::of_package(runner, PackageType::Npm, named);
    launch.origin = origin(&read);
    bridge::followed(launch, &read.rest, depth)
}

/// `--registry`, and `--@scope:registry`.
fn origin(read: &Read) -> Origin {
    let is_registry = |name: &str| name == "registry" || name.ends_with(":registry");
    let options = read.options.iter().filter(|(name, _)| is_registry(name));
    PackageType::Npm.origin(options.filter_map(|(_, value)| value.as_deref()))
}

/// `deno run -A npm:package@1.2`, `deno x npm:package`, `jsr:@scope/package`.
fn deno(name: &str, arguments: &[String], depth: usize) -> Launch {
    let (arguments, is_runner) = match (name, arguments.first().map(String::as_str)) {
        ("deno", Some("run")) => (&arguments[1..], false),
        ("deno", Some("x")) => (&arguments[1..], true),
        ("dx", _) => (arguments, true),
        _ => return Launch::unclear(Some("deno"), LOCAL),
    };
    let Ok(read) = DENO.read(arguments) else { return Launch::unclear(Some("deno"), OPTIONS) };
    let Some(script) = read.operand.as_deref() else { return Launch::unclear(Some("deno"), NOTHING) };
    // `npm:@scope/package@1.2/file`.
    let (kind, text) = match script.split_once(':') {
        Some(("npm", text)) => (PackageType::Npm, text),
        Some(("jsr", text)) => (PackageType::Jsr, text),
        Some(_) => return Launch::unclear(Some("deno"), SOURCE),
        None if is_runner => (PackageType::Npm, script),
        None => return Launch::unclear(Some("deno"), LOCAL),
    };
    let parts = if text.starts_with('@') { 2 } else { 1 };
    let text: Vec<&str> = text.trim_start_matches('/').split('/').take(parts).collect();
    let mut launch = Launch::of_package("deno", kind, &text.join("/"));
    launch.has_other_names = read.has(&["env-file"]);
    bridge::followed(launch, &read.rest, depth)
}

/// A command line inside of another.
pub(super) fn nested(text: &str, depth: usize) -> Launch {
    if text.contains(char::is_whitespace) { shell::line(text, depth) } else { at_depth(text, &[], depth + 1) }
}
