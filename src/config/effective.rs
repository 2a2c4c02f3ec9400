//! The configuration as it counts: each setting with its value and where that comes from. Nothing secret is shown.

use std::collections::BTreeSet;
use std::path::PathBuf;

use figment::value::Value;
use figment::{Figment, Metadata};
use serde_json::Value as Json;
use url::Url;

use super::keys::{Key, Kind, REGISTRIES, SECTIONS};
use super::{BUILT_IN, ConfigError, ENV_PREFIX, Flags, layers, load, place, variable_of};

/// What is shown in place of a secret.
const REDACTED: &str = "[redacted]";

/// A table of the configuration with what is set in it, by whomever.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its header, as in TOML.
    pub header: String,
    /// Its settings.
    pub settings: Vec<Setting>,
}

/// A setting.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name in the table.
    pub name: &'static str,
    /// Its whole name; a registry goes by its own: `registries.acme.url`.
    pub key: String,
    /// Its value; what is secret is redacted.
    pub value: Json,
    /// Where that comes from.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The file that is built in.
    BuiltIn,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl Source {
    /// What it is, in one word: `default`, `file`, `environment` or `flag`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Default | Self::BuiltIn => "default",
            Self::File(_) => "file",
            Self::Variable(_) => "environment",
            Self::Flag(_) => "flag",
        }
    }

    /// Which one it is, where there are several.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Default => None,
            Self::BuiltIn => Some("config/default.toml".to_owned()),
            Self::File(path) => Some(place::relative(path).display().to_string()),
            Self::Variable(name) | Self::Flag(name) => Some(name.clone()),
        }
    }
}

/// What counts, in the order of the reference. Keys that have no default and that nobody set are left out.
///
/// # Errors
/// As [`load`]: a configuration that is wrong does not count.
pub fn effective(files: &[PathBuf], flags: &Flags) -> Result<Vec<Table>, ConfigError> {
    load(files, flags)?;
    let layers = Layers { figment: layers(files, flags, None)?, variables: variables() };
    let mut tables = Vec::new();
    for section in &SECTIONS {
        let written = layers.figment.find_value(section.name).ok();
        let settings = section.keys.iter().filter_map(|key| layers.setting(section.name, key, written.as_ref()));
        let mut settings: Vec<Setting> = settings.collect();
        // One is in place of the other.
        if settings.iter().any(|setting| setting.key == "store.url") {
            settings.retain(|setting| setting.key != "store.path" || setting.source != Source::Default);
        }
        tables.push(Table { header: format!("[{}]", section.name), settings });
    }
    let registries = layers.figment.find_value(REGISTRIES.name).ok();
    for registry in registries.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let name = registry.find_ref("name").and_then(Value::as_str).unwrap_or_default();
        let path = format!("{}.{name}", REGISTRIES.name);
        let settings = REGISTRIES.keys.iter().filter_map(|key| layers.setting(&path, key, Some(registry)));
        tables.push(Table { header: format!("[[{}]]", REGISTRIES.name), settings: settings.collect() });
    }
    tables.retain(|table| !table.settings.is_empty());
    Ok(tables)
}

/// What is written, and the names of the environment's variables that are ours.
struct Layers {
    figment: Figment,
    variables: BTreeSet<String>,
}

impl Layers {
    fn setting(&self, table: &str, key: &Key, written: Option<&Value>) -> Option<Setting> {
        let path = format!("{table}.{}", key.name);
        let written = written.and_then(|table| table.find_ref(key.name)).filter(|value| !is_empty(value));
        let (value, source) = match written {
            Some(value) => {
                let plain = serde_json::to_value(value).ok()?;
                (shown(key.kind, plain), self.source(&path, value))
            }
            None => (default(key.default?)?, Source::Default),
        };
        Some(Setting { name: key.name, key: path, value, source })
    }

    fn source(&self, path: &str, value: &Value) -> Source {
        match self.figment.get_metadata(value.tag()) {
            None => Source::Default,
            Some(metadata) => source(metadata, || self.variable(path)),
        }
    }

    /// The variable that a key comes from: its own, or one that has the whole table.
    fn variable(&self, path: &str) -> String {
        let mut table = path;
        loop {
            let name = variable_of(table);
            if self.variables.contains(&name) {
                return name;
            }
            match table.rsplit_once('.') {
                Some((above, _)) => table = above,
                None => return variable_of(path),
            }
        }
    }
}

/// Where a layer comes from. The variable is asked for only where it is the environment.
pub(super) fn source(metadata: &Metadata, variable: impl FnOnce() -> String) -> Source {
    match &metadata.source {
        Some(figment::Source::File(path)) => Source::File(path.clone()),
        _ if metadata.name == BUILT_IN => Source::BuiltIn,
        _ if metadata.name.starts_with("--") => Source::Flag(metadata.name.to_string()),
        _ => Source::Variable(variable()),
    }
}

/// Their case does not count.
fn variables() -> BTreeSet<String> {
    let names =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).map(|name| name.to_ascii_uppercase());
    names.filter(|name| name.starts_with(ENV_PREFIX)).collect()
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Empty(..))
}

/// A default of the table of keys, which is TOML.
fn default(toml: &str) -> Option<Json> {
    let document: Json = toml::from_str(&format!("value = {toml}")).ok()?;
    document.get("value").cloned()
}

/// A value as anybody may see it.
fn shown(kind: Kind, value: Json) -> Json {
    match (kind, value) {
        (Kind::Secret, Json::String(text)) => secret(text).into(),
        (Kind::Secrets, Json::Object(table)) => {
            table.into_iter().map(|(name, value)| (name, shown(Kind::Secret, value))).collect()
        }
        (Kind::Url, Json::String(text)) => url(&text).into(),
        (Kind::Secret | Kind::Secrets | Kind::Url, _) => REDACTED.into(),
        (_, value) => value,
    }
}

/// The name of a variable is no secret.
fn secret(text: String) -> String {
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_some_and(is_name) { text } else { REDACTED.to_owned() }
}

fn url(text: &str) -> String {
    // Without a host, what stands before an `@` is part of what is not taken apart.
    let Some(mut url) = Url::parse(text).ok().filter(Url::has_host) else {
        return if text.contains(['@', '?', '#']) { REDACTED.to_owned() } else { text.to_owned() };
    };
    let (has_user, has_query) = (!url.username().is_empty() || url.password().is_some(), url.query().is_some());
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only for URLs without a host.
    let _ = (url.set_username(""), url.set_password(None));
    let mut shown = url.to_string();
    if has_user {
        shown = shown.replacen("://", &format!("://{REDACTED}@"), 1);
    }
    if has_query {
        shown.push('?');
        shown.push_str(REDACTED);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_what_may_be_secret() {
        for (text, expected) in [
            ("https://x.example/v0/servers", "https://x.example/v0/servers"),
            ("https://u:p@x.example/v0?key=1#f", "https://[redacted]@x.example/v0?[redacted]"),
            ("https://:p@x.example/", "https://[redacted]@x.example/"),
            ("redis://:secret@127.0.0.1:6379/0", "redis://[redacted]@127.0.0.1:6379/0"),
            ("off", "off"),
            ("proxy.example:3128", "proxy.example:3128"),
            ("u:secret@proxy.example:3128", "[redacted]"),
        ] {
            assert_eq!(url(text), expected, "{text}");
        }
    }

    #[test]
    fn secrets_are_not_shown_and_names_of_variables_are() {
        let shown = |text: &str| secret(text.to_owned());
        assert_eq!(shown("${ACME_TOKEN}"), "${ACME_TOKEN}");
        for text in ["t", "", "Bearer ${X}", "${X}y", "${a-b}", "${a}${b}"] {
            assert_eq!(shown(text), REDACTED, "{text}");
        }
        let headers = shown_of(Kind::Secrets, r#"{"X-Key": "k", "X-Other": "${OTHER}"}"#);
        assert_eq!(headers, r#"{"X-Key":"[redacted]","X-Other":"${OTHER}"}"#);
        assert_eq!(shown_of(Kind::Secret, "5"), "\"[redacted]\"");
    }

    fn shown_of(kind: Kind, json: &str) -> String {
        shown(kind, serde_json::from_str(json).expect("JSON")).to_string()
    }
}
