//! Texts in which something is left to be filled in. How that is written, each client has its own way.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Unfit;
use crate::inspect::hidden::is_hidden;
use crate::inspect::manifest::Input;

/// The longest text of a plan, in bytes, with what stands for blanks. What registries make longer is cut where it is
/// put together: a value may name its variables as often as it likes.
const MAX_BYTES: usize = 4 << 10;
/// The longest name of a variable.
const MAX_NAME_BYTES: usize = 64;
/// The longest hint in the name of a blank, in characters.
const MAX_HINT_CHARS: usize = 48;
/// What a blank counts for.
const BLANK_BYTES: usize = 64;

/// The most blanks of a plan.
const MAX_BLANKS: usize = 256;
/// The longest description of one, in characters: what a client shows when it asks.
const MAX_DESCRIPTION_CHARS: usize = 200;
/// The longest suggestion of what may be filled in, and the most of all choices, in bytes.
const MAX_SUGGESTED_BYTES: usize = 1 << 10;

/// Something to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blank {
    /// What it is called: a name that variables of an environment can have.
    pub id: String,
    /// What is to be filled in, in the publisher's words.
    pub description: Option<String>,
    /// Whether it is a secret.
    pub is_secret: bool,
    /// What may be filled in; empty where that is anything.
    pub choices: Vec<String>,
    /// What is filled in if nothing else is. Never a secret.
    pub default: Option<String>,
}

/// A text in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) Vec<Part>);

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// As it stands.
    Literal(String),
    /// What is filled in, by its position among the blanks.
    Blank(usize),
}

impl Text {
    /// A text as it stands.
    pub(super) fn literal(text: impl Into<String>) -> Self {
        Self(vec![Part::Literal(text.into())])
    }

    /// The text, if nothing is to be filled in.
    pub(super) fn as_literal(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The blank, if it is all there is.
    pub(super) fn as_blank(&self) -> Option<usize> {
        match self.0[..] {
            [Part::Blank(blank)] => Some(blank),
            _ => None,
        }
    }

    /// Whether it begins with this, and not with a blank.
    pub(super) fn begins_with(&self, char: char) -> bool {
        matches!(self.0.first(), Some(Part::Literal(text)) if text.starts_with(char))
    }

    /// The blanks in it.
    pub(super) fn blanks(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Blank(blank) => Some(*blank),
        })
    }

    /// The text with what `fill` says in the place of blanks.
    pub(super) fn filled(&self, mut fill: impl FnMut(usize) -> String) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Literal(text) => text.clone(),
            Part::Blank(blank) => fill(*blank),
        });
        parts.collect()
    }

    /// How long it is.
    pub(super) fn bytes(&self) -> usize {
        let length = |part: &Part| match part {
            Part::Literal(text) => text.len(),
            Part::Blank(_) => BLANK_BYTES,
        };
        self.0.iter().map(length).sum()
    }

    /// Refuses what does not show, and what is too long.
    pub(super) fn check(&self) -> Result<(), Unfit> {
        if MAX_BYTES < self.bytes() {
            return Err(Unfit::TooLong);
        }
        let is_sound = |part: &Part| !matches!(part, Part::Literal(text) if text.contains(is_hidden));
        if self.0.iter().all(is_sound) { Ok(()) } else { Err(Unfit::Hidden) }
    }

    /// Whether clients would find a variable in it that is none of ours.
    pub(super) fn has_variable(&self) -> bool {
        let plain = self.filled(|_| "{".to_owned());
        plain.contains("${")
    }
}

/// What names a blank.
#[derive(Clone, Copy)]
enum Name<'a> {
    /// A variable of the package's own environment.
    Own(&'a str),
    /// A variable of a template. One name is one thing to fill in, unless it is described as two.
    Variable(&'a str),
    /// One that is not described: whatever has its name.
    Undescribed(&'a str),
    /// What something that has no name may be called: it is another thing each time.
    Hint(&'a str),
}

/// The blanks of one plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Blanks {
    pub(super) all: Vec<Blank>,
    /// What stands before the names of those that are no variables of a package's own. It keeps what strangers name
    /// apart from what is set in people's environments already: `{AWS_SECRET_ACCESS_KEY}` in a URL is not that one.
    prefix: String,
    /// Names that are taken.
    taken: HashSet<String>,
    /// Those of variables, by name and by what the variable is like; the first of a name also by its name alone.
    like: HashMap<(String, Option<u64>), usize>,
    /// Whether there would be more of them than are read.
    is_cut: bool,
}

impl Blanks {
    /// For a server of this name. Its label would not do: others may have the same.
    pub(super) fn new(server: &str) -> Self {
        Self { prefix: format!("MCP_{}", identifier(server, MAX_NAME_BYTES)), ..Self::default() }
    }

    /// Refuses more of them than anybody fills in.
    pub(super) fn check(&self) -> Result<(), Unfit> {
        if self.is_cut { Err(Unfit::TooLong) } else { Ok(()) }
    }

    /// Takes away what a registry would have filled in.
    pub(super) fn suggest_nothing(&mut self, position: usize) {
        self.all[position].default = None;
        self.all[position].choices.clear();
    }

    /// The text of an input: its value with its variables, its default, or a blank; none where it may be left out.
    /// `own` is the name of a variable of the environment that it is the value of, if it is.
    pub(super) fn text(&mut self, input: &Input, hint: &str, own: Option<&str>) -> Option<Text> {
        let name = own.map_or(Name::Hint(hint), Name::Own);
        if let Some(value) = &input.value {
            let text = self.template(value, &input.variables, input.is_secret, input);
            // What is fixed and secret at once is no secret, or should not be shown.
            let is_fixed_secret = input.is_secret && text.as_literal().is_some();
            return Some(if is_fixed_secret { self.blank(input, name) } else { text });
        }
        if !input.is_required {
            return None;
        }
        Some(match &input.default {
            Some(default) if !input.is_secret => Text::literal(default),
            _ => self.blank(input, name),
        })
    }

    /// A text in which `{name}` stands for a variable.
    pub(super) fn template(&mut self, text: &str, variables: &[Input], is_secret: bool, of: &Input) -> Text {
        let (mut parts, mut rest) = (Vec::new(), text);
        let mut literal = String::new();
        let mut bytes = 0;
        // A text may name its variables as often as it likes.
        let mut known_here: HashMap<&str, Text> = HashMap::new();
        while let Some((before, after)) = rest.split_once('{') {
            // What is longer is refused: it need not be put together.
            if MAX_BYTES < bytes || self.is_cut {
                break;
            }
            bytes += before.len() + 1;
            literal.push_str(before);
            let end = after.bytes().take(MAX_NAME_BYTES + 1).position(|byte| byte == b'}');
            let named = end.map(|end| (&after[..end], &after[end + 1..]));
            let Some((name, after)) = named.filter(|(name, _)| is_variable(name)) else {
                literal.push('{');
                rest = after;
                continue;
            };
            rest = after;
            if let Some(blank) = known_here.get(name) {
                bytes += BLANK_BYTES;
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.extend(blank.0.iter().cloned());
                continue;
            }
            let known = variables.iter().find(|variable| variable.name == name);
            let described = of.description.as_deref().map(short);
            let undescribed = Input { description: described, is_secret, ..Input::default() };
            let variable = known.unwrap_or(&undescribed);
            let is_open = !variable.is_secret && !is_secret;
            if let Some(filled) = variable.value.as_ref().or(variable.default.as_ref()).filter(|_| is_open) {
                literal.push_str(filled);
                bytes += filled.len();
                continue;
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            bytes += BLANK_BYTES;
            let blank = self.blank(variable, known.map_or(Name::Undescribed(name), |_| Name::Variable(name)));
            parts.extend(blank.0.iter().cloned());
            known_here.insert(name, blank);
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Text(parts)
    }

    fn blank(&mut self, input: &Input, name: Name<'_>) -> Text {
        let base = match name {
            Name::Own(own) => own.to_owned(),
            Name::Variable(hint) | Name::Undescribed(hint) | Name::Hint(hint) => {
                format!("{}_{}", self.prefix, identifier(hint, MAX_HINT_CHARS))
            }
        };
        let key = (base, matches!(name, Name::Variable(_)).then(|| likeness(input)));
        let known = if matches!(name, Name::Hint(_)) { None } else { self.like.get(&key).copied() };
        if let Some(position) = known {
            let blank = &mut self.all[position];
            blank.is_secret |= input.is_secret;
            blank.default.take_if(|_| blank.is_secret);
            return Text(vec![Part::Blank(position)]);
        }
        if MAX_BLANKS <= self.all.len() {
            self.is_cut = true;
            return Text::default();
        }
        let id = match name {
            Name::Own(own) => own.to_owned(),
            _ => self.free(&key.0),
        };
        self.taken.insert(id.clone());
        let is_short = |text: &String| text.len() <= MAX_SUGGESTED_BYTES;
        let has_room = input.choices.iter().map(String::len).sum::<usize>() <= MAX_SUGGESTED_BYTES;
        self.all.push(Blank {
            id,
            description: input.description.as_deref().map(short),
            is_secret: input.is_secret,
            choices: if has_room { input.choices.clone() } else { Vec::new() },
            default: input.default.as_ref().filter(|default| !input.is_secret && is_short(default)).cloned(),
        });
        let position = self.all.len() - 1;
        if !matches!(name, Name::Hint(_)) {
            self.like.entry((key.0.clone(), None)).or_insert(position);
            self.like.insert(key, position);
        }
        Text(vec![Part::Blank(position)])
    }

    /// A name that is not taken, numbered where it has to be.
    fn free(&self, base: &str) -> String {
        let numbered = (2..=MAX_BLANKS + 1).map(|number| format!("{base}_{number}"));
        let mut names = std::iter::once(base.to_owned()).chain(numbered);
        names.find(|name| !self.taken.contains(name)).expect("there are fewer blanks than numbers")
    }
}

/// What tells variables of one name apart.
fn likeness(input: &Input) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&input.description, input.is_secret, &input.choices, &input.default).hash(&mut hasher);
    hasher.finish()
}

/// The beginning of a description.
fn short(description: &str) -> String {
    description.chars().take(MAX_DESCRIPTION_CHARS).collect()
}

/// Whether what stands between braces is the name of a variable, and not something else that has braces.
fn is_variable(name: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "_-.".contains(char);
    !name.is_empty() && name.chars().all(is_plain)
}

/// A text as a name that variables of an environment can have.
fn identifier(text: &str, max_chars: usize) -> String {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined: String = words.flat_map(|word| ["_", word]).skip(1).flat_map(str::chars).take(max_chars).collect();
    if joined.is_empty() { "VALUE".to_owned() } else { joined.to_ascii_uppercase() }
}
