//! The command line that runs a package, with the runner that its registry has.

use super::Unfit;
use super::blank::{Blanks, Part, Text};
use crate::inspect::manifest::{Argument, Package};
use crate::inspect::validate::{self, PackageType, image_with_host, package_run_by};

/// A command and what it is given.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) command: &'static str,
    pub(super) arguments: Vec<Text>,
    /// The variables that are set for it.
    pub(super) variables: Vec<(String, Text)>,
    /// Whether it runs an image.
    pub(super) is_image: bool,
}

/// The command line of a package.
pub(super) fn of(package: &Package, blanks: &mut Blanks) -> Result<Run, Unfit> {
    let kind = PackageType::from_wire(&package.kind).ok_or(Unfit::NoRunner)?;
    if let Some(host) = kind.unusual_host(package.base.as_deref().unwrap_or_default()) {
        return Err(Unfit::Elsewhere(host));
    }
    let (identifier, version, base) = (&*package.identifier, package.version.as_deref(), package.base.as_deref());
    let listed = || validate::Package::listed(&package.kind, identifier, version, base).ok_or(Unfit::NoPackage);
    let variables = variables(package, blanks)?;
    let run = match kind {
        PackageType::Npm => npm(package, variables, blanks),
        PackageType::Pypi => pypi(package, variables, blanks),
        PackageType::Nuget => nuget(package, variables, blanks),
        PackageType::Oci => image(package, &listed()?, variables, blanks),
        PackageType::Mcpb => return Err(Unfit::Bundle),
        PackageType::Cargo | PackageType::Jsr => return Err(Unfit::NoRunner),
    };
    // What it runs must be what is listed, whatever the arguments are.
    let words: Vec<String> = run.arguments.iter().map(|word| word.filled(|_| "x".to_owned())).collect();
    if package_run_by(run.command, &words) == Some(listed()?) { Ok(run) } else { Err(Unfit::Misread) }
}

fn npm(package: &Package, variables: Vec<(String, Text)>, blanks: &mut Blanks) -> Run {
    let is_for_bun = matches!(package.runtime.as_deref(), Some("bun" | "bunx"));
    let (command, options): (_, &[&str]) = if is_for_bun { ("bunx", &[]) } else { ("npx", &["-y"]) };
    let mut arguments: Vec<Text> = options.iter().copied().map(Text::literal).collect();
    arguments.extend(for_runner(package, blanks, &["-y", "--yes"]));
    arguments.push(Text::literal(versioned(package)));
    arguments.extend(words(&package.package_arguments, blanks));
    Run { command, arguments, variables, is_image: false }
}

fn pypi(package: &Package, variables: Vec<(String, Text)>, blanks: &mut Blanks) -> Run {
    let mut arguments = for_runner(package, blanks, &[]);
    arguments.push(Text::literal(versioned(package)));
    arguments.extend(words(&package.package_arguments, blanks));
    Run { command: "uvx", arguments, variables, is_image: false }
}

fn nuget(package: &Package, variables: Vec<(String, Text)>, blanks: &mut Blanks) -> Run {
    let mut arguments = for_runner(package, blanks, &["-y", "--yes"]);
    arguments.extend([Text::literal(versioned(package)), Text::literal("--yes")]);
    let own = words(&package.package_arguments, blanks);
    if !own.is_empty() {
        arguments.push(Text::literal("--"));
        arguments.extend(own);
    }
    Run { command: "dnx", arguments, variables, is_image: false }
}

/// The package with its version, as its runner takes it.
fn versioned(package: &Package) -> String {
    match &package.version {
        Some(version) => format!("{}@{version}", package.identifier),
        None => package.identifier.clone(),
    }
}

/// What a runner is given before the package: neither what it is given anyway, nor the package once more.
fn for_runner(package: &Package, blanks: &mut Blanks, given: &[&str]) -> Vec<Text> {
    let mut words = words(&package.runtime_arguments, blanks);
    let is_package = |word: &str| {
        word.strip_prefix(&*package.identifier).is_some_and(|rest| rest.is_empty() || rest.starts_with(['@', '=']))
    };
    words.retain(|word| !word.as_literal().is_some_and(|word| given.contains(&word) || is_package(word)));
    words
}

/// Arguments as words. Those that have no value and need none are left out.
fn words(arguments: &[Argument], blanks: &mut Blanks) -> Vec<Text> {
    let mut words = Vec::new();
    for argument in arguments {
        let hint = argument.hint.as_deref().or(argument.name.as_deref()).unwrap_or("argument");
        match &argument.name {
            Some(name) if is_flag(argument) => words.push(Text::literal(name)),
            Some(name) => {
                if let Some(value) = blanks.text(&argument.input, hint, None) {
                    words.extend([Text::literal(name), value]);
                }
            }
            None => words.extend(blanks.text(&argument.input, hint, None)),
        }
    }
    words
}

/// Whether an argument is a name that has to be there, and nothing says that it has a value.
fn is_flag(argument: &Argument) -> bool {
    let input = &argument.input;
    let has_none = input.value.is_none() && input.default.is_none() && input.placeholder.is_none();
    let is_told = argument.hint.is_none() && input.choices.is_empty() && !input.is_secret;
    let is_boolean = input.format.as_deref().is_none_or(|format| format == "boolean");
    input.is_required && has_none && is_told && is_boolean
}

/// What is set for a package.
fn variables(package: &Package, blanks: &mut Blanks) -> Result<Vec<(String, Text)>, Unfit> {
    let mut variables: Vec<(String, Text)> = Vec::new();
    for input in &package.variables {
        let Some(text) = blanks.text(input, &input.name, Some(&input.name)) else { continue };
        if !is_variable(&input.name) {
            return Err(Unfit::NoName);
        }
        if !variables.iter().any(|(name, _)| *name == input.name) {
            variables.push((input.name.clone(), text));
        }
    }
    Ok(variables)
}

/// Whether a variable of the environment can be called so in every shell.
fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `docker run`: variables are taken from the environment of the command, so that none of them stands in it.
fn image(package: &Package, listed: &validate::Package, variables: Vec<(String, Text)>, blanks: &mut Blanks) -> Run {
    let image = image_with_host(&package.identifier, package.base.as_deref());
    let has_version = validate::Package::parse(PackageType::Oci, &image).is_some_and(|own| own.version.is_some());
    let image = match listed.version.as_deref().filter(|_| !has_version) {
        Some(version) if version.starts_with("sha256:") => format!("{image}@{version}"),
        Some(version) => format!("{image}:{version}"),
        None => image,
    };
    let mut options = Options { variables, passed: Vec::new(), words: Vec::new() };
    options.read(package, &image, blanks);
    let mut arguments: Vec<Text> = ["run", "-i", "--rm"].into_iter().map(Text::literal).collect();
    let names = options.variables.iter().map(|(name, _)| name).chain(&options.passed);
    arguments.extend(names.flat_map(|name| [Text::literal("-e"), Text::literal(name)]));
    arguments.extend(options.words);
    arguments.push(Text::literal(image));
    arguments.extend(words(&package.package_arguments, blanks));
    Run { command: "docker", arguments, variables: options.variables, is_image: true }
}

/// The options of `docker run` that a package names.
struct Options {
    variables: Vec<(String, Text)>,
    /// Variables that are taken from the environment as they are there.
    passed: Vec<String>,
    words: Vec<Text>,
}

impl Options {
    fn read(&mut self, package: &Package, image: &str, blanks: &mut Blanks) {
        const GIVEN: [&str; 7] = ["run", "-i", "--rm", "-t", "-it", "--interactive", "--tty"];
        let mut arguments = package.runtime_arguments.iter().peekable();
        while let Some(argument) = arguments.next() {
            let value = |argument: &Argument, blanks: &mut Blanks| {
                blanks.text(&argument.input, argument.hint.as_deref().unwrap_or("option"), None)
            };
            match argument.name.as_deref() {
                Some(name) if GIVEN.contains(&name) => {}
                Some(name) => {
                    // Some list the value as an argument of its own.
                    let own = value(argument, blanks);
                    let mut next = || arguments.next_if(|next| next.name.is_none() && next.input.value.is_some());
                    match own.or_else(|| next().and_then(|next| value(next, blanks))) {
                        Some(value) if matches!(name, "-e" | "--env") => self.set(&value, package),
                        Some(value) => self.words.extend([Text::literal(name), value]),
                        None if argument.input.is_required => self.words.push(Text::literal(name)),
                        None => {}
                    }
                }
                None => {
                    let word = value(argument, blanks);
                    let is_given = |word: &Text| {
                        word.as_literal()
                            .is_some_and(|word| GIVEN.contains(&word) || word == package.identifier || word == image)
                    };
                    self.words.extend(word.filter(|word| !is_given(word)));
                }
            }
        }
    }

    /// `-e NAME` and `-e NAME=value`.
    fn set(&mut self, text: &Text, package: &Package) {
        let Some((Part::Literal(first), rest)) = text.0.split_first() else { return };
        let (name, value) = first.split_once('=').map_or((&**first, None), |(name, value)| (name, Some(value)));
        let is_set = self.variables.iter().any(|(known, _)| known == name);
        if is_set || !is_variable(name) {
            return;
        }
        match value {
            Some(value) => {
                let first = (!value.is_empty()).then(|| Part::Literal(value.to_owned()));
                self.variables.push((name.to_owned(), Text(first.into_iter().chain(rest.iter().cloned()).collect())));
            }
            // One that may be set, and is not, is not passed.
            None if package.variables.iter().any(|variable| variable.name == name) => {}
            None => self.passed.push(name.to_owned()),
        }
    }
}
