//! The command line that runs a package, with the runner that its registry has.

use super::blank::{Blanks, Part, Text};
use super::options::{BUNX, DNX, NPX, UVX, words};
use super::steering::steers;
use super::{Unfit, image};
use crate::inspect::manifest::Package;
use crate::inspect::validate::{self, PackageType, package_run_by};

/// A command and what it is given.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) command: &'static str,
    pub(super) arguments: Vec<Text>,
    /// The variables that are set for it.
    pub(super) variables: Vec<(String, Text)>,
    /// Whether it runs an image.
    pub(super) is_image: bool,
    /// Where among the arguments a port would be published; none where none can be, or the listing does it.
    pub(super) publish_at: Option<usize>,
}

impl Run {
    fn of_runner(command: &'static str, arguments: Vec<Text>, variables: Vec<(String, Text)>) -> Self {
        Self { command, arguments, variables, is_image: false, publish_at: None }
    }

    /// Everything in it that a registry wrote.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        self.arguments.iter().chain(self.variables.iter().map(|(_, text)| text))
    }

    /// Makes a port of the image reachable from this machine, and from nowhere else.
    pub(super) fn publish(&mut self, port: &Text) {
        if let Some(at) = self.publish_at.take() {
            let colon = || Part::Literal(":".to_owned());
            let host = Part::Literal("127.0.0.1:".to_owned());
            let parts = [host].into_iter().chain(port.0.clone()).chain([colon()]).chain(port.0.clone());
            self.arguments.splice(at..at, [Text::literal("-p"), Text(parts.collect())]);
        }
    }
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
        PackageType::Npm => npm(package, variables, blanks)?,
        PackageType::Pypi => pypi(package, variables, blanks)?,
        PackageType::Nuget => nuget(package, variables, blanks)?,
        PackageType::Oci => image::run(package, &listed()?, variables, blanks)?,
        PackageType::Mcpb => return Err(Unfit::Bundle),
        PackageType::Cargo | PackageType::Jsr => return Err(Unfit::NoRunner),
    };
    // What it runs must be what is listed, whatever the arguments are.
    let words: Vec<String> = run.arguments.iter().map(|word| word.filled(|_| "x".to_owned())).collect();
    if package_run_by(run.command, &words) == Some(listed()?) { Ok(run) } else { Err(Unfit::Misread) }
}

fn npm(package: &Package, variables: Vec<(String, Text)>, blanks: &mut Blanks) -> Result<Run, Unfit> {
    let is_for_bun = matches!(package.runtime.as_deref(), Some("bun" | "bunx"));
    let (command, allowed, options): (_, _, &[&str]) =
        if is_for_bun { ("bunx", BUNX, &[]) } else { ("npx", NPX, &["-y"]) };
    let mut arguments: Vec<Text> = options.iter().copied().map(Text::literal).collect();
    arguments.extend(allowed.before(package, &["-y", "--yes"], blanks)?);
    arguments.push(Text::literal(versioned(package)));
    arguments.extend(words(&package.package_arguments, blanks));
    Ok(Run::of_runner(command, arguments, variables))
}

fn pypi(package: &Package, variables: Vec<(String, Text)>, blanks: &mut Blanks) -> Result<Run, Unfit> {
    let mut arguments = UVX.before(package, &[], blanks)?;
    arguments.push(Text::literal(versioned(package)));
    arguments.extend(words(&package.package_arguments, blanks));
    Ok(Run::of_runner("uvx", arguments, variables))
}

fn nuget(package: &Package, variables: Vec<(String, Text)>, blanks: &mut Blanks) -> Result<Run, Unfit> {
    let mut arguments = DNX.before(package, &["-y", "--yes"], blanks)?;
    arguments.extend([Text::literal(versioned(package)), Text::literal("--yes")]);
    let own = words(&package.package_arguments, blanks);
    if !own.is_empty() {
        arguments.push(Text::literal("--"));
        arguments.extend(own);
    }
    Ok(Run::of_runner("dnx", arguments, variables))
}

/// The package with its version, as its runner takes it.
fn versioned(package: &Package) -> String {
    match &package.version {
        Some(version) => format!("{}@{version}", package.identifier),
        None => package.identifier.clone(),
    }
}

/// What is set for a package.
fn variables(package: &Package, blanks: &mut Blanks) -> Result<Vec<(String, Text)>, Unfit> {
    let mut variables: Vec<(String, Text)> = Vec::new();
    // Neither with a value nor as something to fill in, nor where it may be left out.
    if package.variables.iter().any(|input| steers(&input.name)) {
        return Err(Unfit::Steers);
    }
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
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
