use std::collections::BTreeSet;
use std::fmt::Write as _;

use figment::Figment;
use figment::error::Kind as ErrorKind;
use serde_json::Value as Json;

use super::*;
use crate::config::Config;
use crate::config::layer::{Syntax, Text};
use crate::registry::config::Config as RegistryConfig;
use crate::serve::AdminConfig;
use crate::store;

const REGISTRY: &str = "[[registries]]\nname = \"a\"\nurl = \"https://a.example\"\n";

fn figment(toml: &str) -> Figment {
    Figment::new().merge(Text("a test", Syntax::Toml, toml))
}

fn read(toml: &str) -> Config {
    figment(toml).extract().unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

/// The keys below a path, under a header: what serde says that it expects in place of one that nobody has. None where
/// there is no table.
fn keys_below(header: &str, path: &str) -> Option<&'static [&'static str]> {
    let error = figment(&format!("{header}{path}nobody_has = 1\n")).extract::<Config>().expect_err("an error");
    match error.kind {
        ErrorKind::UnknownField(field, expected) if field == "nobody_has" => Some(expected),
        _ => None,
    }
}

fn all_keys(header: &str, path: &str) -> Vec<String> {
    let keys = keys_below(header, path).unwrap_or_else(|| panic!("{path} is a table"));
    let below = |key: &&str| {
        let path = format!("{path}{key}");
        let is_table = keys_below(header, &format!("{path}.")).is_some();
        if is_table { all_keys(header, &format!("{path}.")) } else { vec![path] }
    };
    keys.iter().flat_map(below).collect()
}

fn told(sections: &[Section]) -> BTreeSet<String> {
    let keys = |section: &Section| section.keys.iter().map(|key| format!("{}.{}", section.name, key.name)).collect();
    sections.iter().flat_map(|section| -> Vec<String> { keys(section) }).collect()
}

#[test]
fn every_key_that_is_read_is_told_and_no_other() {
    let read: BTreeSet<String> = all_keys("", "").into_iter().filter(|key| key != "registries").collect();
    assert_eq!(told(&SECTIONS), read, "src/config/keys/sections.rs has them");
    let of_registries = all_keys("[[registries]]\n", "").into_iter();
    let of_registries: BTreeSet<String> = of_registries.map(|key| format!("registries.{key}")).collect();
    assert_eq!(told(&[REGISTRIES]), of_registries, "src/config/keys/registries.rs has them");
}

#[test]
fn the_defaults_are_those_of_the_types() {
    let mut toml = String::new();
    for section in &SECTIONS {
        for key in section.keys {
            if let Some(default) = key.default {
                let _ = writeln!(toml, "{}.{} = {default}", section.name, key.name);
            }
        }
    }
    let mut written = read(&toml);
    // What these are by default depends on whether they are set.
    assert_eq!(written.admin.listen(), AdminConfig::default().listen());
    assert_eq!(written.store.directory(), store::Config::default().directory());
    (written.admin.listen, written.store.path) = (None, None);
    assert_eq!(format!("{written:#?}"), format!("{:#?}", Config::default()));

    let defaults = REGISTRIES.keys.iter().filter_map(|key| Some(format!("{} = {}\n", key.name, key.default?)));
    let mut written = read(&format!("{REGISTRY}{}", defaults.collect::<String>())).registries.remove(0);
    assert_eq!(written.read_through.take(), Some(true));
    let RegistryConfig { name, url, .. } = written.clone();
    assert_eq!(format!("{written:#?}"), format!("{:#?}", RegistryConfig { name, url, ..RegistryConfig::default() }));
}

#[test]
fn the_examples_can_be_read_and_are_not_the_defaults() {
    for section in &SECTIONS {
        for key in section.keys {
            read(&format!("{}.{} = {}\n", section.name, key.name, key.example));
            assert_ne!(key.default, Some(key.example), "{}", key.name);
        }
    }
    for key in REGISTRIES.keys {
        read(&format!("[[registries]]\n{} = {}\n", key.name, key.example));
        assert_ne!(key.default, Some(key.example), "{}", key.name);
    }
}

/// The values of `config/example.toml`, those that are commented out included, by section and key.
fn example() -> Vec<(String, Json)> {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/example.toml")).expect("the example");
    let (mut section, mut found) = (String::new(), Vec::new());
    for line in text.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_start_matches('[').split(']').next().unwrap_or_default().to_owned();
        } else if let Ok(Json::Object(table)) = toml::from_str(line) {
            found.extend(table.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)));
        }
    }
    found
}

#[test]
fn the_example_has_every_key_with_its_default() {
    let example = example();
    for section in SECTIONS.iter().chain([&REGISTRIES]) {
        for key in section.keys {
            let path = format!("{}.{}", section.name, key.name);
            let found = example.iter().find(|(known, _)| *known == path || known.starts_with(&format!("{path}.")));
            let (_, value) = found.unwrap_or_else(|| panic!("config/example.toml lacks {path}"));
            if let Some(default) = key.default.filter(|_| section.name != REGISTRIES.name) {
                let default: Json = toml::from_str(&format!("value = {default}")).expect("TOML");
                assert!(*value == default["value"] || key.name == "hosts", "{path} is {value}");
            }
        }
    }
}
