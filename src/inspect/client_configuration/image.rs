//! `docker run`: variables are taken from the environment of the command, so that none of them stands in it. Of the
//! machine, an image gets nothing but what whoever runs it chooses.

use super::Unfit;
use super::blank::{Blanks, Part, Text};
use super::options::{DOCKER, Word, words};
use super::run::{Run, is_variable};
use super::steering::steers;
use crate::inspect::manifest::{Input, Package};
use crate::inspect::validate::{self, PackageType, image_with_host};

/// What it is given in any case.
const GIVEN: [&str; 7] = ["-i", "--interactive", "-t", "--tty", "-it", "-ti", "--rm"];

/// The command line of an image.
pub(super) fn run(
    package: &Package,
    listed: &validate::Package,
    variables: Vec<(String, Text)>,
    blanks: &mut Blanks,
) -> Result<Run, Unfit> {
    let identifier = ["oci://", "docker://"].iter().find_map(|scheme| package.identifier.strip_prefix(scheme));
    let image = image_with_host(identifier.unwrap_or(&package.identifier), package.base.as_deref());
    let has_version = validate::Package::parse(PackageType::Oci, &image).is_some_and(|own| own.version.is_some());
    let image = match listed.version.as_deref().filter(|_| !has_version) {
        Some(version) if version.starts_with("sha256:") => format!("{image}@{version}"),
        Some(version) => format!("{image}:{version}"),
        None => image,
    };
    let mut options = Options { variables, words: Vec::new(), publishes: false };
    for word in DOCKER.read(&package.runtime_arguments, blanks)? {
        options.add(word, package, &image, blanks)?;
    }
    let Options { variables, words: further, publishes } = options;
    let mut arguments: Vec<Text> = ["run", "-i", "--rm"].into_iter().map(Text::literal).collect();
    arguments.extend(variables.iter().flat_map(|(name, _)| [Text::literal("-e"), Text::literal(name)]));
    arguments.extend(further);
    let publish_at = (!publishes).then_some(arguments.len());
    arguments.push(Text::literal(image));
    arguments.extend(words(&package.package_arguments, blanks));
    Ok(Run { command: "docker", arguments, variables, is_image: true, publish_at })
}

/// The options of `docker run` that a package names.
struct Options {
    variables: Vec<(String, Text)>,
    words: Vec<Text>,
    publishes: bool,
}

impl Options {
    fn add(&mut self, word: Word, package: &Package, image: &str, blanks: &mut Blanks) -> Result<(), Unfit> {
        match word {
            Word::Bare(name) if GIVEN.contains(&&*name) => {}
            Word::Bare(name) => self.words.push(Text::literal(name)),
            Word::Valued(name, value) if matches!(&*name, "-e" | "--env") => self.set(&value, package, blanks)?,
            Word::Valued(name, value) => {
                let value = checked(&name, value, blanks).ok_or(Unfit::Options)?;
                self.publishes |= matches!(&*name, "-p" | "--publish");
                self.words.extend([Text::literal(name), value]);
            }
            Word::Operand(text) => {
                let is_said =
                    text.as_literal().is_some_and(|word| word == "run" || word == package.identifier || word == image);
                return if is_said { Ok(()) } else { Err(Unfit::Misread) };
            }
        }
        Ok(())
    }

    /// `-e NAME` and `-e NAME=value`.
    fn set(&mut self, text: &Text, package: &Package, blanks: &mut Blanks) -> Result<(), Unfit> {
        let Some((Part::Literal(first), rest)) = text.0.split_first() else { return Err(Unfit::Options) };
        let (name, value) = first.split_once('=').map_or((&**first, None), |(name, value)| (name, Some(value)));
        if !is_variable(name) || (value.is_none() && !rest.is_empty()) {
            return Err(Unfit::NoName);
        }
        if steers(name) {
            return Err(Unfit::Steers);
        }
        if self.variables.iter().any(|(known, _)| known == name) {
            return Ok(());
        }
        match value {
            Some(value) => {
                let first = (!value.is_empty()).then(|| Part::Literal(value.to_owned()));
                self.variables.push((name.to_owned(), Text(first.into_iter().chain(rest.iter().cloned()).collect())));
            }
            // One that may be set, and is not, is not passed.
            None if package.variables.iter().any(|variable| variable.name == name) => {}
            // What nobody has described may be a secret of the machine: whoever runs it is told that it is wanted.
            None => {
                let undescribed = Input { is_required: true, is_secret: true, ..Input::default() };
                let text = blanks.text(&undescribed, name, Some(name));
                self.variables.extend(text.map(|text| (name.to_owned(), text)));
            }
        }
        Ok(())
    }
}

/// The value of an option as it is written, if it does no harm.
fn checked(name: &str, value: Text, blanks: &mut Blanks) -> Option<Text> {
    let word = value.as_literal();
    match name {
        "--name" => word.is_some_and(is_name).then_some(value),
        "--platform" => word.is_some_and(|word| word.split('/').all(is_name)).then_some(value),
        "--pull" => word.is_some_and(|word| matches!(word, "always" | "missing" | "never")).then_some(value),
        "-p" | "--publish" => published(word?).map(Text::literal),
        "-v" | "--volume" | "--mount" => {
            let is_sound = if name == "--mount" { is_mount(&value) } else { is_volume(&value) };
            // What it may see of the machine, nobody else suggests.
            for part in &value.0 {
                if let Part::Blank(blank) = part {
                    blanks.suggest_nothing(*blank);
                }
            }
            is_sound.then_some(value)
        }
        _ => None,
    }
}

/// `8080:80`, to this machine alone.
fn published(text: &str) -> Option<String> {
    let ports = text.strip_prefix("127.0.0.1:").unwrap_or(text);
    let (outer, inner) = ports.split_once(':').unwrap_or((ports, ports));
    let is_port =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| 0 < port);
    (is_port(outer) && is_port(inner)).then(|| format!("127.0.0.1:{outer}:{inner}"))
}

/// What stands for a blank where a value is looked at; as itself it is refused, for it does not show.
const BLANK: &str = "\0";

/// `{directory}:/inside:ro` and `volume:/inside`.
fn is_volume(text: &Text) -> bool {
    let filled = text.filled(|_| BLANK.to_owned());
    let mut parts = filled.split(':');
    let is_source = parts.next().is_some_and(|source| source == BLANK || is_name(source));
    let is_target = parts.next().is_some_and(is_inside);
    let is_mode = parts.next().is_none_or(|mode| matches!(mode, "ro" | "rw"));
    is_source && is_target && is_mode && parts.next().is_none()
}

/// `type=bind,src={directory},dst=/inside,readonly`.
fn is_mount(text: &Text) -> bool {
    let filled = text.filled(|_| BLANK.to_owned());
    let is_known = |part: &str| match part.split_once('=') {
        Some(("type", kind)) => kind == "bind",
        Some(("src" | "source", source)) => source == BLANK,
        Some(("dst" | "target" | "destination", target)) => is_inside(target),
        Some(("readonly" | "ro", value)) => matches!(value, "true" | "false"),
        Some(_) => false,
        None => matches!(part, "readonly" | "ro"),
    };
    filled.split(',').all(is_known)
}

/// Whether a text is a path in a container.
fn is_inside(text: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-".contains(char);
    text == BLANK || (text.starts_with('/') && text.chars().all(is_plain))
}

/// Whether a text is a name as Docker's things have them.
fn is_name(text: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "_.-".contains(char);
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.chars().all(is_plain)
}
