//! JSON as people write it, and TOML, in one form that knows in which line a member stands.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use jsonc_parser::ast;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::Deserialize;
use toml::Spanned;

use super::InputError;

/// A value. Numbers and null are nothing that is looked at.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Other,
    Bool(bool),
    Text(String),
    /// With the line of each.
    List(Vec<(usize, Self)>),
    Map(Map),
}

/// An object: its members in order, and in which line each one stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Map {
    members: Vec<(String, Node)>,
    lines: Vec<usize>,
}

impl Map {
    pub(super) fn members(&self) -> &[(String, Node)] {
        &self.members
    }

    pub(super) fn lines(&self) -> &[usize] {
        &self.lines
    }

    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.members.iter().find(|(member, _)| member == name).map(|(_, node)| node)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.text()
    }

    fn push(&mut self, line: usize, name: String, node: Node) {
        self.members.push((name, node));
        self.lines.push(line);
    }

    fn replace(&mut self, at: usize, line: usize, node: Node) {
        self.members[at].1 = node;
        self.lines[at] = line;
    }
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn list(&self) -> Option<&[(usize, Self)]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    pub(super) fn map(&self) -> Option<&Map> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The texts of a list.
    pub(super) fn texts(&self) -> Vec<String> {
        self.list().unwrap_or_default().iter().filter_map(|(_, node)| node.text().map(str::to_owned)).collect()
    }
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1).collect())
    }

    /// The line of a byte, counted from 1.
    fn at(&self, byte: usize) -> usize {
        1 + self.0.partition_point(|start| *start <= byte)
    }
}

/// Reads JSON with comments and trailing commas.
pub(super) fn json(text: &str) -> Result<Node, InputError> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let lines = Lines::of(text);
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options);
    let parsed = parsed.map_err(|error| InputError::Json { line: lines.at(error.range().start) })?;
    Ok(parsed.value.map_or(Node::Other, |value| node(value, &lines)))
}

/// As deep as the parser follows: 512 levels.
fn node(value: ast::Value<'_>, lines: &Lines) -> Node {
    match value {
        ast::Value::StringLit(text) => Node::Text(text.value.into_owned()),
        ast::Value::BooleanLit(bool) => Node::Bool(bool.value),
        ast::Value::NumberLit(_) | ast::Value::NullKeyword(_) => Node::Other,
        ast::Value::Array(list) => {
            Node::List(list.elements.into_iter().map(|value| (lines.at(value.start()), node(value, lines))).collect())
        }
        ast::Value::Object(object) => {
            let (mut map, mut places) = (Map::default(), HashMap::new());
            for property in object.properties {
                let (line, name) = (lines.at(property.range.start), property.name.into_string());
                let value = node(property.value, lines);
                match places.entry(name.clone()) {
                    // Of several members of one name the last one counts, as it does for the clients.
                    Entry::Occupied(place) => map.replace(*place.get(), line, value),
                    Entry::Vacant(place) => {
                        place.insert(map.members.len());
                        map.push(line, name, value);
                    }
                }
            }
            Node::Map(map)
        }
    }
}

/// Reads the servers of Codex's file, if it has any.
pub(super) fn toml(text: &str) -> Result<Option<Map>, InputError> {
    #[derive(Deserialize)]
    struct File {
        mcp_servers: Option<BTreeMap<Spanned<String>, toml::Value>>,
    }
    let lines = Lines::of(text);
    let file: File = toml::from_str(text)
        .map_err(|error| InputError::Toml { line: lines.at(error.span().map_or(0, |span| span.start)) })?;
    let Some(servers) = file.mcp_servers else { return Ok(None) };
    let mut servers: Vec<_> = servers.into_iter().collect();
    servers.sort_by_key(|(name, _)| name.span().start);
    let mut map = Map::default();
    for (name, value) in servers {
        map.push(lines.at(name.span().start), name.into_inner(), of_toml(value));
    }
    Ok(Some(map))
}

fn of_toml(value: toml::Value) -> Node {
    match value {
        toml::Value::String(text) => Node::Text(text),
        toml::Value::Boolean(bool) => Node::Bool(bool),
        toml::Value::Array(list) => Node::List(list.into_iter().map(|value| (0, of_toml(value))).collect()),
        toml::Value::Table(table) => {
            let mut map = Map::default();
            table.into_iter().for_each(|(name, value)| map.push(0, name, of_toml(value)));
            Node::Map(map)
        }
        _ => Node::Other,
    }
}
