//! Texts in which something is left to be filled in. How that is written, each client has its own way.

use super::Unfit;
use crate::inspect::hidden::is_hidden;
use crate::inspect::manifest::Input;

/// The longest text of a plan, in bytes, with what stands for blanks. What registries make longer is cut where it is
/// put together: a value may name its variables as often as it likes.
const MAX_BYTES: usize = 4 << 10;
/// The longest name of a variable.
const MAX_NAME_BYTES: usize = 64;
/// What a blank counts for.
const BLANK_BYTES: usize = 64;

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

/// The blanks of one plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Blanks {
    pub(super) all: Vec<Blank>,
    /// What stands before the names of those that have none of their own that means something elsewhere.
    prefix: String,
}

impl Blanks {
    /// For a server that clients call so.
    pub(super) fn new(label: &str) -> Self {
        Self { all: Vec::new(), prefix: identifier(label) }
    }

    /// The text of an input: its value with its variables, its default, or a blank; none where it may be left out.
    /// `own` is the name of a variable of the environment that it is the value of, if it is.
    pub(super) fn text(&mut self, input: &Input, hint: &str, own: Option<&str>) -> Option<Text> {
        if let Some(value) = &input.value {
            let text = self.template(value, &input.variables, input.is_secret, input);
            // What is fixed and secret at once is no secret, or should not be shown.
            let is_fixed_secret = input.is_secret && text.as_literal().is_some();
            return Some(if is_fixed_secret { self.blank(input, hint, own) } else { text });
        }
        if !input.is_required {
            return None;
        }
        Some(match &input.default {
            Some(default) if !input.is_secret => Text::literal(default),
            _ => self.blank(input, hint, own),
        })
    }

    /// A text in which `{name}` stands for a variable.
    pub(super) fn template(&mut self, text: &str, variables: &[Input], is_secret: bool, of: &Input) -> Text {
        let (mut parts, mut rest) = (Vec::new(), text);
        let mut literal = String::new();
        let mut bytes = 0;
        while let Some((before, after)) = rest.split_once('{') {
            // What is longer is refused: it need not be put together.
            if MAX_BYTES < bytes {
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
            let known = variables.iter().find(|variable| variable.name == name);
            let undescribed = Input { description: of.description.clone(), is_secret, ..Input::default() };
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
            parts.extend(self.blank(variable, name, None).0);
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Text(parts)
    }

    fn blank(&mut self, input: &Input, hint: &str, own: Option<&str>) -> Text {
        let named = || {
            let hint = identifier(hint);
            if hint.starts_with(&self.prefix) { hint } else { format!("{}_{hint}", self.prefix) }
        };
        let id = own.map_or_else(named, str::to_owned);
        let blank = Blank {
            id,
            description: input.description.clone(),
            is_secret: input.is_secret,
            choices: input.choices.clone(),
            default: input.default.clone().filter(|_| !input.is_secret),
        };
        // One name is one thing to fill in.
        let known = self.all.iter().position(|known| known.id == blank.id);
        let position = known.unwrap_or_else(|| {
            self.all.push(blank);
            self.all.len() - 1
        });
        self.all[position].is_secret |= input.is_secret;
        if self.all[position].is_secret {
            self.all[position].default = None;
        }
        Text(vec![Part::Blank(position)])
    }
}

/// Whether what stands between braces is the name of a variable, and not something else that has braces.
fn is_variable(name: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "_-.".contains(char);
    !name.is_empty() && name.chars().all(is_plain)
}

/// A text as a name that variables of an environment can have.
fn identifier(text: &str) -> String {
    const MAX_CHARS: usize = 48;
    let words = text.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("_").to_ascii_uppercase();
    let joined = joined.get(..MAX_CHARS).unwrap_or(&joined).to_owned();
    match joined.bytes().next() {
        None => "VALUE".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("N{joined}"),
        Some(_) => joined,
    }
}
