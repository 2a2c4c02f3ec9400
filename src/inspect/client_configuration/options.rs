//! What a registry may have a runner be told. Runners have options that run something else, fetch it from elsewhere, or
//! hand over the machine: `--call`, `--registry`, `--privileged`. So what is written is on a list of what does no harm,
//! and whoever wants more gets no command.

use super::Unfit;
use super::blank::{Blanks, Text};
use crate::inspect::manifest::{Argument, Package};

/// The options of a runner that are written.
pub(super) struct Allowed {
    /// Those that take no value.
    pub(super) bare: &'static [&'static str],
    /// Those that take one.
    pub(super) with_value: &'static [&'static str],
}

/// `npx`.
pub(super) const NPX: Allowed = Allowed {
    bare: &["-y", "--yes", "-q", "--quiet", "--silent", "--prefer-offline", "--prefer-online", "--ignore-scripts"],
    with_value: &[],
};

/// `bunx`.
pub(super) const BUNX: Allowed = Allowed { bare: &["-y", "--yes", "--bun", "--silent"], with_value: &[] };

/// `uvx`.
pub(super) const UVX: Allowed = Allowed {
    bare: &["-q", "--quiet", "-n", "--no-cache", "--refresh", "--isolated", "--no-config", "--no-progress"],
    with_value: &["-p", "--python", "--prerelease"],
};

/// `dnx`.
pub(super) const DNX: Allowed =
    Allowed { bare: &["-y", "--yes", "--prerelease", "--no-http-cache", "--disable-parallel"], with_value: &[] };

/// `docker run`. Which values are written, `super::image` knows.
pub(super) const DOCKER: Allowed = Allowed {
    bare: &["-i", "--interactive", "-t", "--tty", "-it", "-ti", "--rm", "--init", "--read-only", "-q", "--quiet"],
    with_value: &["-e", "--env", "--name", "-p", "--publish", "-v", "--volume", "--mount", "--platform", "--pull"],
};

/// What a runner is told.
#[derive(Debug)]
pub(super) enum Word {
    /// An option.
    Bare(String),
    /// An option with its value.
    Valued(String, Text),
    /// What is no option.
    Operand(Text),
}

/// An argument: an option by its name, or what has none.
struct Item {
    name: Option<String>,
    value: Option<Text>,
    /// Whether it has to be there.
    is_needed: bool,
}

impl Item {
    fn option(word: &str, value: Option<Text>, is_needed: bool) -> Result<Self, Unfit> {
        let (name, own) = match word.split_once('=') {
            Some((name, own)) if name.starts_with("--") => (name, Some(Text::literal(own))),
            _ => (word, None),
        };
        if own.is_some() && value.is_some() {
            return Err(Unfit::Options);
        }
        Ok(Self { name: Some(name.to_owned()), value: own.or(value), is_needed })
    }

    fn read(argument: &Argument, blanks: &mut Blanks) -> Result<Option<Self>, Unfit> {
        let input = &argument.input;
        if let Some(name) = &argument.name {
            let value = if is_flag(argument) { None } else { blanks.text(input, hint(argument), None) };
            return Self::option(name, value, input.is_required).map(Some);
        }
        let Some(text) = blanks.text(input, hint(argument), None) else { return Ok(None) };
        match text.as_literal() {
            Some(word) if word.starts_with('-') => Self::option(word, None, true).map(Some),
            // Where it begins with an option, its value is put together of what is not known here.
            None if text.begins_with('-') => Err(Unfit::Options),
            _ => Ok(Some(Self { name: None, value: Some(text), is_needed: true })),
        }
    }
}

impl Allowed {
    /// Reads arguments of the runner; refuses those that are not on the list.
    pub(super) fn read(&self, arguments: &[Argument], blanks: &mut Blanks) -> Result<Vec<Word>, Unfit> {
        let mut items = Vec::new();
        for argument in arguments {
            items.extend(Item::read(argument, blanks)?);
        }
        let mut items = items.into_iter().peekable();
        let mut words = Vec::new();
        while let Some(Item { name, value, is_needed }) = items.next() {
            let Some(name) = name else {
                words.extend(value.map(Word::Operand));
                continue;
            };
            if self.with_value.contains(&&*name) {
                // Some list the value as an argument of its own.
                let mut next = || items.next_if(|next| next.name.is_none()).and_then(|next| next.value);
                match value.or_else(&mut next) {
                    Some(value) => words.push(Word::Valued(name, value)),
                    None if is_needed => return Err(Unfit::Options),
                    None => {}
                }
            } else if self.bare.contains(&&*name) {
                match value.as_ref().map(Text::as_literal) {
                    None if is_needed => words.push(Word::Bare(name)),
                    Some(Some("true")) => words.push(Word::Bare(name)),
                    None | Some(Some("false")) => {}
                    // The runner would not take it for the value either.
                    Some(_) => words.extend([Word::Bare(name)].into_iter().chain(value.map(Word::Operand))),
                }
            } else if is_needed || value.is_some() {
                return Err(Unfit::Options);
            }
        }
        Ok(words)
    }

    /// What a runner of packages is given before the package: neither what it is given anyway, nor the package once more.
    pub(super) fn before(&self, package: &Package, given: &[&str], blanks: &mut Blanks) -> Result<Vec<Text>, Unfit> {
        let is_package = |word: &str| {
            word.strip_prefix(&*package.identifier).is_some_and(|rest| rest.is_empty() || rest.starts_with(['@', '=']))
        };
        let mut texts = Vec::new();
        for word in self.read(&package.runtime_arguments, blanks)? {
            match word {
                Word::Bare(name) if given.contains(&&*name) => {}
                Word::Bare(name) => texts.push(Text::literal(name)),
                Word::Valued(name, value) => match value.as_literal() {
                    Some(word) if is_harmless(&name, word) => texts.extend([Text::literal(name), value]),
                    _ => return Err(Unfit::Options),
                },
                Word::Operand(text) if text.as_literal().is_some_and(is_package) => {}
                Word::Operand(_) => return Err(Unfit::Misread),
            }
        }
        Ok(texts)
    }
}

/// Whether an option of `uvx` says no more with this value than which Python is used, or which versions of it.
fn is_harmless(name: &str, value: &str) -> bool {
    if name == "--prerelease" {
        return matches!(value, "allow" | "disallow" | "if-necessary" | "explicit" | "if-necessary-or-explicit");
    }
    // What is no version may be the path of a program.
    let version = value.strip_prefix("python").unwrap_or(value);
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    version.split('.').count() <= 3 && version.split('.').all(is_number)
}

/// Arguments as words. Those that have no value and need none are left out.
pub(super) fn words(arguments: &[Argument], blanks: &mut Blanks) -> Vec<Text> {
    let mut words = Vec::new();
    for argument in arguments {
        match &argument.name {
            Some(name) if is_flag(argument) => words.push(Text::literal(name)),
            Some(name) => {
                if let Some(value) = blanks.text(&argument.input, hint(argument), None) {
                    words.extend([Text::literal(name), value]);
                }
            }
            None => words.extend(blanks.text(&argument.input, hint(argument), None)),
        }
    }
    words
}

fn hint(argument: &Argument) -> &str {
    argument.hint.as_deref().or(argument.name.as_deref()).unwrap_or("argument")
}

/// Whether an argument is a name that has to be there, and nothing says that it has a value.
fn is_flag(argument: &Argument) -> bool {
    let input = &argument.input;
    let has_none = input.value.is_none() && input.default.is_none() && input.placeholder.is_none();
    let is_told = argument.hint.is_none() && input.choices.is_empty() && !input.is_secret;
    let is_boolean = input.format.as_deref().is_none_or(|format| format == "boolean");
    input.is_required && has_none && is_told && is_boolean
}
