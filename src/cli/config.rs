//! `config`: the configuration as it counts, and where each value comes from.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::output::{ASIDE, HEADER, print, show, styled};
use super::table::width;
use crate::config::{self, Flags, Setting, Source, Table};

/// The column beyond which no comment is moved for a value that is longer.
const MAX_COLUMN: usize = 64;

#[derive(Debug, Args)]
pub(super) struct Settings {
    /// Print one JSON document: {"settings":[{"key","value","source"}],"metadata":{"count"}}
    #[arg(long)]
    json: bool,

    /// Print the reference of all keys, in Markdown
    #[arg(long, hide = true, conflicts_with = "json")]
    reference: bool,
}

pub(super) fn run(files: &[PathBuf], flags: &Flags, command: &Settings) -> Result<ExitCode, Failure> {
    if command.reference {
        print(&config::reference())?;
        return Ok(ExitCode::SUCCESS);
    }
    let tables = config::effective(files, flags)?;
    if command.json {
        let settings: Vec<Value> = tables.iter().flat_map(|table| &table.settings).map(as_json).collect();
        let count = settings.len();
        print(&format!("{:#}\n", json!({ "settings": settings, "metadata": { "count": count } })))?;
    } else {
        show(&as_toml(&tables))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(setting: &Setting) -> Value {
    let mut source = json!({ "kind": setting.source.kind() });
    if let Some(name) = setting.source.name() {
        source["name"] = name.into();
    }
    json!({ "key": setting.key, "value": setting.value, "source": source })
}

/// TOML, in which comments say where values come from.
fn as_toml(tables: &[Table]) -> String {
    let mut text = String::new();
    for (index, table) in tables.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        let _ = writeln!(text, "{gap}{}", styled(HEADER, &table.header));
        let lines: Vec<String> =
            table.settings.iter().map(|setting| format!("{} = {}", setting.name, toml(&setting.value))).collect();
        let column = lines.iter().map(|line| width(line)).filter(|width| *width <= MAX_COLUMN).max().unwrap_or(0);
        for (line, setting) in lines.iter().zip(&table.settings) {
            let gap = " ".repeat(column.saturating_sub(width(line)));
            let _ = writeln!(text, "{line}{gap}  {}", styled(ASIDE, format_args!("# {}", origin(&setting.source))));
        }
    }
    text
}

fn origin(source: &Source) -> String {
    let name = source.name().unwrap_or_default();
    match source {
        Source::Default => "default".to_owned(),
        Source::BuiltIn => "built-in configuration".to_owned(),
        Source::File(_) => name,
        Source::Variable(_) => format!("environment: {name}"),
        Source::Flag(_) => format!("flag: {name}"),
    }
}

/// A value as TOML writes it.
fn toml(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(values) => format!("[{}]", values.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let members: Vec<_> =
                table.iter().map(|(key, value)| format!("{} = {}", toml_key(key), toml(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}

fn toml_key(key: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !key.is_empty() && key.bytes().all(is_bare) { key.to_owned() } else { quoted(key) }
}

/// A basic string. All control characters are escaped, those that TOML would take as well.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_toml_reads_them() {
        for (json, expected) in [
            (json!("a\"b\\c\n\u{9b}é"), r#""a\"b\\c\u000A\u009Bé""#),
            (json!([]), "[]"),
            (json!(["a", "b"]), r#"["a", "b"]"#),
            (json!({ "X-Key": "k", "a b": 1 }), r#"{ X-Key = "k", "a b" = 1 }"#),
            (json!(10.5), "10.5"),
            (json!(true), "true"),
        ] {
            let text = toml(&json);
            assert_eq!(text, expected);
            let read: toml::Value = toml::from_str(&format!("v = {text}")).expect("TOML");
            assert_eq!(serde_json::to_value(&read["v"]).expect("JSON"), json);
        }
    }
}
