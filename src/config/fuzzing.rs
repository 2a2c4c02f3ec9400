//! What must hold of whatever an administrator writes.
//!
//! The first line says in which format the rest is: `json`, `yaml`; or else TOML.

use figment::value::{Dict, Value};
use figment::{Figment, Provider};

use super::error::Problems;
use super::layer::{Syntax, Text};
use super::{Config, ConfigError, check, extract, secrets};

/// Secrets: where they stand as a token and nowhere else, no message shows them.
const CANARIES: [&str; 2] = ["c4n4ryS3cretQ", "739182645"];
/// What stands before a token.
const TOKENS: [&str; 6] = [
    "bearer_token = ",
    "bearer_token = \"",
    "bearer_token: ",
    "bearer_token: \"",
    "\"bearer_token\": ",
    "\"bearer_token\": \"",
];
/// Files of the system that have no end, or none to be read.
const ENDLESS: [&str; 3] = ["/dev", "/proc", "/sys"];

/// A configuration is valid, or what is wrong with it is said; and no secret with it.
///
/// # Panics
/// When that does not hold.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if ENDLESS.iter().any(|directory| text.contains(directory)) {
        return;
    }
    match text.split_once('\n') {
        Some(("json", text)) => check_text(text, Syntax::Json),
        Some(("yaml", text)) => check_text(text, Syntax::Yaml),
        _ => check_text(text, Syntax::Toml),
    }
}

fn check_text(text: &str, syntax: Syntax) {
    let provider = Text("fuzzed", syntax, text);
    let data = provider.data();
    let are_tokens = CANARIES.map(|canary| {
        let mut places = text.match_indices(canary).map(|(at, _)| &text[..at]);
        let shows = data.as_ref().is_ok_and(|profiles| profiles.values().any(|dict| shows(dict, canary)));
        !shows && places.all(|before| TOKENS.iter().any(|token| before.ends_with(token)) && !before.contains("${"))
    });
    let shown = match loaded(&Figment::new().merge(provider)) {
        Ok(config) => {
            for registry in &config.registries {
                assert!(registry.target().is_ok() && registry.rules().is_ok(), "{registry:?}");
            }
            format!("{config:?}")
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.lines().any(|line| !line.trim().is_empty()), "nothing is said: {text}");
            said + "\n" + &error.redacted()
        }
    };
    for (canary, _) in CANARIES.iter().zip(are_tokens).filter(|(_, is_token)| *is_token) {
        assert!(!shown.contains(canary), "{text}\n\n{shown}");
    }
}

/// As [`super::load`] does it, without an environment.
fn loaded(figment: &Figment) -> Result<Config, ConfigError> {
    let mut config = extract(figment)?;
    let mut problems = Problems::default();
    secrets::expand(&mut config.registries, |_| None, &mut problems);
    check(&config, &mut problems);
    if problems.is_empty() { Ok(config) } else { Err(ConfigError::from_problems(figment, problems)) }
}

/// Whether the canary stands elsewhere than in a token.
fn shows(dict: &Dict, canary: &str) -> bool {
    dict.iter().any(|(key, value)| key.contains(canary) || key != "bearer_token" && has(value, canary))
}

fn has(value: &Value, canary: &str) -> bool {
    match value {
        Value::String(_, text) => text.contains(canary),
        Value::Dict(_, dict) => shows(dict, canary),
        Value::Array(_, values) => values.iter().any(|value| has(value, canary)),
        _ => false,
    }
}
