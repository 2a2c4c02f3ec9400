//! Adding a registry to a configuration file and removing one, with everything else in it as it was: comments, order,
//! spaces.
//!
//! Each format has its own way of finding the place. None of them is trusted: the file as it would be is parsed, and has
//! to hold exactly what is expected; and the whole configuration has to be valid with it. Otherwise nothing is written.

mod array;
mod json;
mod lines;
mod toml;
mod write;
mod yaml;

use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};
use figment::{Figment, Profile};

use write::Original;
pub use write::WriteError;

use super::effective::{Source, source};
use super::keys::REGISTRIES;
use super::layer::Syntax;
use super::{ConfigError, Flags, Loaded, absolute, layers, load_with, place, variable_of};

/// What is to be done with the list of registries.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A registry of this name and URL is added as the last one.
    Add {
        /// Its name.
        name: &'a str,
        /// Its URL.
        url: &'a str,
    },
    /// The registry of this name is removed.
    Remove {
        /// Its name.
        name: &'a str,
    },
}

/// A configuration file as it would be; nothing is written yet. It may hold secrets.
pub struct Edit {
    path: PathBuf,
    original: Original,
    text: String,
    loaded: Loaded,
    absent: Option<ConfigError>,
}

/// Why a file is not edited where its format is the reason: a sentence about the file.
type Refusal = &'static str;

/// Finds the file whose list of registries counts, and makes the change, without writing it.
///
/// # Errors
/// No file to edit; a list that is written in a way that cannot be edited; a configuration that would not be valid.
pub fn edit(files: &[PathBuf], flags: &Flags, change: Change<'_>) -> Result<Edit, ConfigError> {
    let figment = layers(files, flags, None)?;
    let (path, names) = place_of(files, &figment)?;
    check(change, &names)?;
    let refused = |problem: &str| ConfigError::file(&path, problem);
    let original = Original::read(&path).map_err(|error| refused(&format!("cannot be read: {error}")))?;
    let syntax = Syntax::of(&path).ok_or_else(|| refused("has an unknown format"))?;
    let text = changed(&original.text, syntax, change)
        .map_err(|problem| refused(&format!("{problem}; edit the file by hand. Nothing was written")))?;
    let (figment, loaded, problems) = load_with(files, flags, Some((&path, &text)))?;
    let absent = (!problems.is_empty()).then(|| ConfigError::from_problems(&figment, problems));
    Ok(Edit { path, original, text, loaded, absent })
}

impl Edit {
    /// The configuration as it would be.
    #[must_use]
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The secrets of other registries that are not at hand here: whoever edits a file needs none of them.
    #[must_use]
    pub fn absent_secrets(&self) -> Option<&ConfigError> {
        self.absent.as_ref()
    }

    /// The file, as somebody in the working directory would name it.
    #[must_use]
    pub fn path(&self) -> &Path {
        place::relative(&self.path)
    }

    /// Puts the file in place of the one there is, in one step. Its permissions and owner stay, and a link to it stays
    /// a link.
    ///
    /// # Errors
    /// What keeps it from being written; then the file is as it was.
    pub fn write(&self) -> Result<(), WriteError> {
        self.original.replace_by(&self.text)
    }
}

/// The file whose list counts, and the names in it. Where no file has a list, the last one gets it.
fn place_of(files: &[PathBuf], figment: &Figment) -> Result<(PathBuf, Vec<String>), ConfigError> {
    let Some(last) = files.last() else {
        let advice = "there is no file to edit, since the built-in configuration counts; name one with --config FILE \
                      (one that is empty will do)";
        return Err(ConfigError::of_command(advice));
    };
    // What is wrong with the files themselves comes first.
    let whole: Dict = figment.extract().map_err(|error| ConfigError::from_figment(figment, error))?;
    let Some(registries) = whole.get(REGISTRIES.name) else { return Ok((absolute(last), Vec::new())) };
    let name = |registry: &Value| registry.find_ref("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let names = registries.as_array().unwrap_or_default().iter().map(name).collect();
    let metadata = figment.find_metadata(REGISTRIES.name);
    match metadata.map(|metadata| source(metadata, || variable_of(REGISTRIES.name))) {
        Some(Source::File(path)) => Ok((path, names)),
        Some(Source::Variable(variable)) => Err(ConfigError::of_command(&format!(
            "the registries come from the environment ({variable}), which counts more than files; change them there"
        ))),
        _ => Ok((absolute(last), names)),
    }
}

fn check(change: Change<'_>, names: &[String]) -> Result<(), ConfigError> {
    let is_known = |name: &str| names.iter().any(|known| known == name);
    match change {
        Change::Add { name, .. } if is_known(name) => Err(ConfigError::of_command(&format!(
            "there is a registry `{name}` already; remove it first, or choose another name"
        ))),
        Change::Remove { name } if !is_known(name) => Err(ConfigError::of_command(&format!(
            "{name:?} is not a configured registry; there are {}",
            names.join(", ")
        ))),
        Change::Remove { name } if names.iter().filter(|known| *known == name).count() > 1 => {
            Err(ConfigError::of_command(&format!(
                "there are two registries `{name}`, and each needs a name of its own; rename one of them by hand first"
            )))
        }
        Change::Remove { name } if names.len() == 1 => Err(ConfigError::of_command(&format!(
            "`{name}` is the only registry, and a configuration needs one; add another one first"
        ))),
        Change::Add { .. } | Change::Remove { .. } => Ok(()),
    }
}

/// The text with the change, and nothing else changed.
fn changed(text: &str, syntax: Syntax, change: Change<'_>) -> Result<String, Refusal> {
    let edited = match syntax {
        Syntax::Toml => toml::edit(text, change),
        Syntax::Yaml => yaml::edit(text, change),
        Syntax::Json => json::edit(text, change),
    }?;
    let is_expected = parsed(&edited, syntax).is_some_and(|edited| Some(edited) == expected(text, syntax, change));
    if is_expected { Ok(edited) } else { Err("writes its registries in a way that cannot be edited safely") }
}

fn parsed(text: &str, syntax: Syntax) -> Option<Dict> {
    syntax.parse(text).ok()?.remove(&Profile::Default)
}

/// What the edited file has to hold.
fn expected(text: &str, syntax: Syntax, change: Change<'_>) -> Option<Dict> {
    let mut dict = parsed(text, syntax)?;
    let list = dict.remove(REGISTRIES.name).filter(|list| !matches!(list, Value::Empty(..)));
    let mut list = list.map_or_else(|| Some(Vec::new()), Value::into_array)?;
    match change {
        Change::Add { name, url } => {
            let entry = [("name", name), ("url", url)].map(|(key, value)| (key.to_owned(), Value::from(value)));
            list.push(Value::from(Dict::from(entry)));
        }
        Change::Remove { name } => list.retain(|registry| !is_called(registry, name)),
    }
    dict.insert(REGISTRIES.name.to_owned(), Value::from(list));
    Some(dict)
}

fn is_called(registry: &Value, name: &str) -> bool {
    registry.find_ref("name").and_then(Value::as_str) == Some(name)
}

/// The position of a registry in the file's list.
fn position(text: &str, syntax: Syntax, name: &str) -> Result<usize, Refusal> {
    let dict = parsed(text, syntax);
    let list = dict.as_ref().and_then(|dict| dict.get(REGISTRIES.name)?.as_array());
    let position = list.and_then(|list| list.iter().position(|registry| is_called(registry, name)));
    position.ok_or("does not list it")
}

#[cfg(test)]
#[path = "edit/tests.rs"]
mod tests;
