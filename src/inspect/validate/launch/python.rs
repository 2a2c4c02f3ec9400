//! Runners of Python packages: `uvx`, `uv tool run`, `uv run --with`, `pipx run`, `python -m`.

use super::grammar::{Grammar, Read};
use super::{LOCAL, Launch, NOTHING, OPTIONS, Target, bridge};
use crate::inspect::validate::package::{Package, PackageType};

const UV: Grammar = Grammar {
    with_value: &[
        "C",
        "P",
        "allow-insecure-host",
        "b",
        "build-constraints",
        "c",
        "cache-dir",
        "color",
        "config-file",
        "config-setting",
        "constraints",
        "default-index",
        "directory",
        "env-file",
        "exclude-newer",
        "extra",
        "extra-index-url",
        "f",
        "find-links",
        "fork-strategy",
        "from",
        "group",
        "i",
        "index",
        "index-strategy",
        "index-url",
        "keyring-provider",
        "link-mode",
        "no-binary-package",
        "no-build-package",
        "overrides",
        "p",
        "package",
        "prerelease",
        "project",
        "python",
        "python-platform",
        "python-preference",
        "refresh-package",
        "reinstall-package",
        "resolution",
        "torch-backend",
        "upgrade-package",
        "w",
        "with",
        "with-editable",
        "with-requirements",
    ],
    bare: &[
        "U",
        "active",
        "all-extras",
        "compile-bytecode",
        "exact",
        "force-reinstall",
        "frozen",
        "isolated",
        "locked",
        "managed-python",
        "n",
        "native-tls",
        "no-binary",
        "no-build",
        "no-build-isolation",
        "no-cache",
        "no-config",
        "no-dev",
        "no-editable",
        "no-env-file",
        "no-index",
        "no-managed-python",
        "no-progress",
        "no-project",
        "no-python-downloads",
        "no-sources",
        "no-sync",
        "offline",
        "q",
        "quiet",
        "refresh",
        "reinstall",
        "system-certs",
        "upgrade",
        "v",
        "verbose",
    ],
};

/// The options that say where packages come from; each of them can bring another package of the same name.
const INDEXES: &[&str] = &["index-url", "i", "default-index", "index", "extra-index-url"];

const PIPX: Grammar = Grammar {
    with_value: &["spec", "python", "pip-args", "i", "index-url", "with", "backend"],
    bare: &["no-cache", "q", "quiet", "v", "verbose", "system-site-packages", "fetch-missing-python", "pypackages"],
};

/// Whether a program is Python itself: `python3.12`, `py`.
pub(super) fn is_interpreter(name: &str) -> bool {
    name == "py"
        || name == "pypy3"
        || name.strip_prefix("python").is_some_and(|rest| rest.chars().all(|char| char.is_ascii_digit() || char == '.'))
}

pub(super) fn launch(name: &str, arguments: &[String], depth: usize) -> Launch {
    match name {
        "uvx" => uvx(Read::default(), arguments, depth),
        "pipx" => pipx(arguments, depth),
        _ => uv(arguments, depth),
    }
}

/// `uv tool run …`, `uv x …`, `uv run --with PACKAGE …`, `uv run python -m …`.
fn uv(arguments: &[String], depth: usize) -> Launch {
    let Ok(mut global) = UV.read(arguments) else { return Launch::unclear(Some("uv"), OPTIONS) };
    let (command, rest) = (global.operand.take(), std::mem::take(&mut global.rest));
    match (command.as_deref(), rest.first().map(String::as_str)) {
        (Some("tool"), Some("run")) => uvx(global, &rest[1..], depth),
        (Some("x"), _) => uvx(global, &rest, depth),
        (Some("run"), _) => {
            let Ok(read) = UV.read(&rest) else { return Launch::unclear(Some("uv"), OPTIONS) };
            let read = read.after(global);
            // What is run has to be one of the packages that are asked for; else it is a project or a file of this machine.
            let command = read.operand.as_deref().and_then(|command| Package::parse(PackageType::Pypi, command));
            let with = read.values(&["w", "with"]).find(|with| {
                Package::parse(PackageType::Pypi, with)
                    .is_some_and(|with| command.as_ref().is_some_and(|command| command.identifier == with.identifier))
            });
            match with {
                Some(with) => finished(&read, "uv", with, depth),
                None => Launch::unclear(Some("uv"), LOCAL),
            }
        }
        _ => Launch::unclear(Some("uv"), LOCAL),
    }
}

/// `before` are the options that stand before the command: they count as those after it do.
fn uvx(before: Read, arguments: &[String], depth: usize) -> Launch {
    let Ok(read) = UV.read(arguments) else { return Launch::unclear(Some("uvx"), OPTIONS) };
    let read = read.after(before);
    let package = read.value(&["from"]).or(read.operand.as_deref());
    package.map_or(Launch::unclear(Some("uvx"), NOTHING), |package| finished(&read, "uvx", package, depth))
}

fn pipx(arguments: &[String], depth: usize) -> Launch {
    let Some((_, arguments)) = arguments.split_first().filter(|(command, _)| *command == "run") else {
        return Launch::unclear(Some("pipx"), LOCAL);
    };
    let Ok(read) = PIPX.read(arguments) else { return Launch::unclear(Some("pipx"), OPTIONS) };
    let package = read.value(&["spec"]).or(read.operand.as_deref());
    package.map_or(Launch::unclear(Some("pipx"), NOTHING), |package| finished(&read, "pipx", package, depth))
}

fn finished(read: &Read, runner: &'static str, package: &str, depth: usize) -> Launch {
    let mut launch = Launch::of_package(runner, PackageType::Pypi, package);
    let for_pip: Vec<String> =
        read.values(&["pip-args"]).flat_map(|text| shlex::split(text).unwrap_or_default()).collect();
    launch.origin = PackageType::Pypi.origin(read.values(INDEXES).chain(indexes_of_pip(&for_pip)));
    launch.has_other_names = read.has(&["env-file"]);
    bridge::followed(launch, &read.rest, depth)
}

/// `pipx run --pip-args '--index-url URL'`.
fn indexes_of_pip(words: &[String]) -> impl Iterator<Item = &str> {
    let is_index = |option: &str| INDEXES.contains(&option.trim_start_matches('-')) && option.starts_with('-');
    words.iter().enumerate().filter_map(move |(at, word)| match word.split_once('=') {
        Some((option, value)) if is_index(option) => Some(value),
        _ => at
            .checked_sub(1)
            .and_then(|before| words.get(before))
            .filter(|before| is_index(before))
            .map(|_| word.as_str()),
    })
}

/// `python -m module`: packages mostly have the name of their module. A file is one of this machine.
pub(super) fn module(arguments: &[String]) -> Launch {
    const PYTHON: Grammar = Grammar {
        with_value: &["m", "W", "X"],
        bare: &["B", "E", "I", "O", "P", "R", "S", "b", "d", "i", "q", "s", "u", "v", "3"],
    };
    // What follows the module is its own.
    let end =
        arguments.iter().position(|word| word == "-m").map_or(arguments.len(), |at| (at + 2).min(arguments.len()));
    let Ok(read) = PYTHON.read(&arguments[..end]) else { return Launch::unclear(Some("python"), OPTIONS) };
    let Some(module) = read.value(&["m"]).filter(|_| read.operand.is_none()) else {
        return Launch::unclear(Some("python"), LOCAL);
    };
    let package = module.split('.').next().unwrap_or_default();
    let launch = Launch::of_package("python", PackageType::Pypi, package);
    match launch.target {
        // An environment of this machine has it in some version.
        Target::Package(package) => {
            Launch { target: Target::Package(Package { version: None, ..package }), has_other_names: true, ..launch }
        }
        _ => launch,
    }
}
