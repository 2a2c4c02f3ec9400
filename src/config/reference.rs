//! The reference of the configuration, in Markdown: `docs/configuration.md`. A test holds that file against this.

use std::fmt::Write as _;

use super::keys::{Key, REGISTRIES, SECTIONS, Section};
use super::variable_of;

const INTRODUCTION: &str = "# Configuration reference

<!-- Made by `mcp-registry-proxy config --reference`, of the table in src/config/keys. A test compares the two. -->

`--config FILE` names a file, in TOML (`.toml`), YAML (`.yaml`, `.yml`) or JSON (`.json`); it may be given several times,
before and after the command.
What comes later in this list counts more:

1. the defaults below;
2. the files, in the order in which they are named. Without any, the one that is built in: the official registry alone,
   served stale for a day while it is down;
3. the environment: the prefix `MCP_REGISTRY_PROXY__`, then the key in capitals, with `__` between the levels. Values are
   written as in TOML; texts need no quotes: `MCP_REGISTRY_PROXY__REGISTRIES='[{name=\"acme\",url=\"https://…\"}]'`;
4. the flags `--listen` and `--log-level`.

`mcp-registry-proxy config` prints what counts, and where each value comes from. `mcp-registry-proxy check` says what is
wrong. An unknown key, and a value that cannot be right, are errors that name the key, the file and the remedy.

- Durations are written `30s`, `5m`, `6h`; sizes `512KiB`, `64MiB`.
- Patterns of names are globs: `com.acme/*`, `*/search`.
- `file` and keys that end in `_file` are paths relative to the file that names them, `store.path` to the working
  directory; in the environment, both are relative to the working directory.
- A change of a file takes effect while the proxy runs, at once and as a whole. Keys that are marked with *restart* wait
  for one.

[`config/example.toml`](../config/example.toml) has every key in one file.
";

/// The whole reference.
#[must_use]
pub fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    for section in SECTIONS.iter().chain([&REGISTRIES]) {
        write_section(&mut text, section);
    }
    text
}

fn write_section(text: &mut String, section: &Section) {
    let is_list = section.name == REGISTRIES.name;
    let (open, close) = if is_list { ("[[", "]]") } else { ("[", "]") };
    let _ = write!(text, "\n## `{open}{}{close}`\n\n{}\n", section.name, section.about);
    if is_list {
        let _ = write!(
            text,
            "\nA registry's keys have no variables of their own: `{}` has the whole list.\n",
            variable_of(section.name)
        );
    }
    for key in section.keys {
        write_key(text, section, key, is_list);
    }
}

fn write_key(text: &mut String, section: &Section, key: &Key, is_list: bool) {
    let path = format!("{}.{}", section.name, key.name);
    let heading = if is_list { format!("{}[].{}", section.name, key.name) } else { path.clone() };
    let _ = write!(text, "\n### `{heading}`\n\n{}\n\n", key.meaning);
    let _ = writeln!(text, "- Type: {}{}", key.kind.describe(), if key.waits { "; *restart*" } else { "" });
    if let Some(default) = key.default {
        let _ = writeln!(text, "- Default: `{default}`");
    }
    let _ = writeln!(text, "- Example: `{} = {}`", key.name, key.example);
    if !is_list {
        let _ = writeln!(text, "- Environment: `{}`", variable_of(&path));
    }
}
