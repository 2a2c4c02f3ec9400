//! `${NAME}` in tokens and header values: taken from the environment, so that files hold no secrets.

use secrecy::{ExposeSecret as _, SecretString};

use super::error::{Problem, Problems};
use super::label;
use crate::registry::config::Config as RegistryConfig;

/// Replaces every `${NAME}` by what `lookup` knows of it.
pub(super) fn expand(
    registries: &mut [RegistryConfig],
    lookup: impl Fn(&str) -> Option<String>,
    problems: &mut Problems,
) {
    for (index, registry) in registries.iter_mut().enumerate() {
        let label = label(registry, index);
        let mut expand_one = |key: String, secret: &mut SecretString| match expand_text(secret.expose_secret(), &lookup)
        {
            Ok(text) => *secret = text.into(),
            Err(problem) => problems.push(problem.at(format!("registries.{label}.{key}"))),
        };
        if let Some(token) = &mut registry.bearer_token {
            expand_one("bearer_token".to_owned(), token);
        }
        for (name, value) in &mut registry.headers {
            expand_one(format!("headers.{name}"), value);
        }
    }
}

/// Why a text is not expanded.
#[derive(Debug, PartialEq, Eq)]
enum Unexpanded {
    /// It is not well formed.
    Open,
    /// The environment has no such name.
    Unset(String),
}

impl Unexpanded {
    fn at(self, key: String) -> Problem {
        match self {
            Self::Open => Problem::new(key, "has a `${` without its `}`"),
            Self::Unset(name) => {
                Problem::of_secret(key, format!("names ${{{name}}}, which the environment does not have; set it"))
            }
        }
    }
}

fn expand_text(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, Unexpanded> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or(Unexpanded::Open)?;
        let shown = || name.chars().take(60).flat_map(char::escape_debug).collect();
        let value = lookup(name).ok_or_else(|| Unexpanded::Unset(shown()))?;
        expanded.push_str(before);
        expanded.push_str(&value);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_unset_ones_are_errors() {
        let lookup = |name: &str| (name == "TOKEN").then(|| "s3cret".to_owned());
        assert_eq!(expand_text("Bearer ${TOKEN}!", lookup).as_deref(), Ok("Bearer s3cret!"));
        assert_eq!(expand_text("plain $TOKEN", lookup).as_deref(), Ok("plain $TOKEN"));
        assert_eq!(expand_text("${OTHER}", lookup), Err(Unexpanded::Unset("OTHER".to_owned())));
        assert_eq!(expand_text("${TOKEN", lookup), Err(Unexpanded::Open));
    }
}
