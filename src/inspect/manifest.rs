//! What a `server` object says, as people read it: how the server is run and reached, and what it needs. Lenient: what is
//! not as it should be is as good as absent, and of what comes without end, the beginning is read.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The most packages, remotes, arguments, variables, headers and choices that are read, of each.
pub const MAX_ITEMS: usize = 64;

/// A `server` object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// `name`.
    pub name: String,
    /// `title`.
    pub title: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `websiteUrl`.
    pub website: Option<String>,
    /// `repository.url`.
    pub repository: Option<String>,
    /// `repository.subfolder`.
    pub folder: Option<String>,
    /// `packages`.
    pub packages: Vec<Package>,
    /// `remotes`.
    pub remotes: Vec<Transport>,
    /// Whether there is more of something than was read.
    pub is_cut: bool,
}

/// What a `server` object is called: as much of it as a list shows, read without the rest.
#[derive(Debug, Deserialize)]
pub struct Heading<'a> {
    /// `name`.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// `title`.
    #[serde(borrow, default)]
    pub title: Option<Cow<'a, str>>,
    /// `description`.
    #[serde(borrow, default)]
    pub description: Option<Cow<'a, str>>,
}

impl<'a> Heading<'a> {
    /// Reads a `server` object; none where it is not one that has these as texts.
    #[must_use]
    pub fn read(server: &'a str) -> Option<Self> {
        serde_json::from_str(server).ok()
    }
}

/// A package to run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Package {
    /// `registryType`: `npm`, `pypi`, `oci`, `nuget`, `mcpb`, or another.
    pub kind: String,
    /// `identifier`: a name, an image, or a URL.
    pub identifier: String,
    /// `version`.
    pub version: Option<String>,
    /// `registryBaseUrl`.
    pub base: Option<String>,
    /// `fileSha256`.
    pub sha256: Option<String>,
    /// `runtimeHint`.
    pub runtime: Option<String>,
    /// `transport`.
    pub transport: Transport,
    /// `runtimeArguments`: what the runner is given.
    pub runtime_arguments: Vec<Argument>,
    /// `packageArguments`: what the package is given.
    pub package_arguments: Vec<Argument>,
    /// `environmentVariables`.
    pub variables: Vec<Input>,
}

/// How something is spoken to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transport {
    /// `type`: `stdio`, `streamable-http`, `sse`, or another.
    pub kind: String,
    /// `url`, in which `{name}` stands for a variable.
    pub url: Option<String>,
    /// `headers`.
    pub headers: Vec<Input>,
    /// `variables` of the URL.
    pub variables: Vec<Input>,
}

/// An argument of a command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Argument {
    /// Its name, where it has one: `--port`.
    pub name: Option<String>,
    /// `valueHint`: what its value is called.
    pub hint: Option<String>,
    /// `isRepeated`.
    pub is_repeated: bool,
    /// Its value.
    pub input: Input,
}

/// Something that is given, or has to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input {
    /// What it is called; empty for the value of an argument.
    pub name: String,
    /// `description`.
    pub description: Option<String>,
    /// `isRequired`.
    pub is_required: bool,
    /// `isSecret`.
    pub is_secret: bool,
    /// `format`: `string`, `number`, `boolean`, `filepath`.
    pub format: Option<String>,
    /// `value`, in which `{name}` stands for a variable.
    pub value: Option<String>,
    /// `default`.
    pub default: Option<String>,
    /// `placeholder`.
    pub placeholder: Option<String>,
    /// `choices`.
    pub choices: Vec<String>,
    /// `variables` of the value.
    pub variables: Vec<Self>,
}

impl Manifest {
    /// Reads a `server` object; of what is none, nothing.
    #[must_use]
    pub fn read(server: &str) -> Self {
        let Ok(Value::Object(server)) = serde_json::from_str(server) else { return Self::default() };
        let mut reader = Reader { is_cut: false };
        let empty = Map::new();
        let repository = server.get("repository").and_then(Value::as_object).unwrap_or(&empty);
        let (packages, remotes) = (reader.packages(&server), reader.remotes(&server));
        Self {
            name: text(&server, "name").unwrap_or_default(),
            title: text(&server, "title"),
            description: text(&server, "description"),
            website: text(&server, "websiteUrl"),
            repository: text(repository, "url"),
            folder: text(repository, "subfolder"),
            packages,
            remotes,
            is_cut: reader.is_cut,
        }
    }
}

/// Reads lists, and knows whether it has read all of them.
struct Reader {
    is_cut: bool,
}

impl Reader {
    fn packages(&mut self, server: &Map<String, Value>) -> Vec<Package> {
        let packages = self.objects(server, "packages");
        packages.into_iter().filter_map(|package| self.package(package)).collect()
    }

    fn package(&mut self, package: &Map<String, Value>) -> Option<Package> {
        let transport = package.get("transport").and_then(Value::as_object);
        let transport = transport.map(|transport| self.transport(transport)).unwrap_or_default();
        // Without one it is spoken to over its input and output.
        let kind = if transport.kind.is_empty() { "stdio".to_owned() } else { transport.kind };
        Some(Package {
            kind: text(package, "registryType")?,
            identifier: text(package, "identifier")?,
            version: text(package, "version"),
            base: text(package, "registryBaseUrl"),
            sha256: text(package, "fileSha256"),
            runtime: text(package, "runtimeHint"),
            transport: Transport { kind, ..transport },
            runtime_arguments: self.arguments(package, "runtimeArguments"),
            package_arguments: self.arguments(package, "packageArguments"),
            variables: self.named(package, "environmentVariables"),
        })
    }

    fn remotes(&mut self, server: &Map<String, Value>) -> Vec<Transport> {
        let remotes = self.objects(server, "remotes");
        remotes.into_iter().map(|remote| self.transport(remote)).filter(|remote| remote.url.is_some()).collect()
    }

    fn transport(&mut self, transport: &Map<String, Value>) -> Transport {
        Transport {
            kind: text(transport, "type").unwrap_or_default(),
            url: text(transport, "url"),
            headers: self.named(transport, "headers"),
            variables: self.variables(transport),
        }
    }

    fn arguments(&mut self, package: &Map<String, Value>, key: &str) -> Vec<Argument> {
        let arguments = self.objects(package, key);
        let read = |argument: &Map<String, Value>| Argument {
            name: text(argument, "name"),
            hint: text(argument, "valueHint"),
            is_repeated: flag(argument, "isRepeated"),
            input: self.input(argument, String::new()),
        };
        arguments.into_iter().map(read).collect()
    }

    /// A list of inputs that have names.
    fn named(&mut self, of: &Map<String, Value>, key: &str) -> Vec<Input> {
        let inputs = self.objects(of, key);
        inputs.into_iter().filter_map(|input| Some(self.input(input, text(input, "name")?))).collect()
    }

    fn input(&mut self, input: &Map<String, Value>, name: String) -> Input {
        let choices = input.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        self.is_cut |= MAX_ITEMS < choices.len();
        Input {
            name,
            description: text(input, "description"),
            is_required: flag(input, "isRequired"),
            is_secret: flag(input, "isSecret"),
            format: text(input, "format"),
            value: text(input, "value"),
            default: text(input, "default"),
            placeholder: text(input, "placeholder"),
            choices: choices.iter().take(MAX_ITEMS).filter_map(Value::as_str).map(str::to_owned).collect(),
            variables: self.variables(input),
        }
    }

    /// Variables, which have none of their own.
    fn variables(&mut self, of: &Map<String, Value>) -> Vec<Input> {
        let Some(variables) = of.get("variables").and_then(Value::as_object) else { return Vec::new() };
        self.is_cut |= MAX_ITEMS < variables.len();
        let objects =
            variables.iter().take(MAX_ITEMS).filter_map(|(name, variable)| Some((name, variable.as_object()?)));
        let without_own = |variable: &Map<String, Value>| {
            variable
                .iter()
                .filter(|(key, _)| *key != "variables")
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        objects.map(|(name, variable)| self.input(&without_own(variable), name.clone())).collect()
    }

    /// The objects of a list.
    fn objects<'a>(&mut self, of: &'a Map<String, Value>, key: &str) -> Vec<&'a Map<String, Value>> {
        let all = of.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        self.is_cut |= MAX_ITEMS < all.len();
        all.iter().take(MAX_ITEMS).filter_map(Value::as_object).collect()
    }
}

/// A text that says something. Numbers and booleans are what they are written as: some registries write them so.
fn text(of: &Map<String, Value>, key: &str) -> Option<String> {
    match of.get(key)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        _ => None,
    }
}

fn flag(of: &Map<String, Value>, key: &str) -> bool {
    of.get(key).and_then(Value::as_bool).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_there_is_read_and_what_is_not_as_it_should_be_is_absent() {
        let server = json!({
            "name": "a/b", "title": 5, "description": " ", "repository": { "url": "https://a.example" },
            "packages": [
                { "registryType": "npm", "identifier": "x", "transport": { "type": "stdio" }, "packageArguments": [
                    { "type": "named", "name": "--port", "default": 80, "isRequired": true },
                    { "type": "positional", "value": "{dir}", "variables": { "dir": { "isSecret": true } } },
                    "odd",
                ]},
                { "registryType": "npm" }, 5,
                { "registryType": "oci", "identifier": "y", "environmentVariables": [{ "name": "K" }, {}] },
            ],
            "remotes": [{ "type": "sse", "url": "https://b.example" }, { "type": "sse" }],
        });
        let manifest = Manifest::read(&server.to_string());
        assert_eq!((manifest.title.as_deref(), &manifest.description), (Some("5"), &None));
        assert_eq!(manifest.repository.as_deref(), Some("https://a.example"));
        let [npm, oci] = &manifest.packages[..] else { panic!("{manifest:?}") };
        assert_eq!(npm.package_arguments.len(), 2);
        assert_eq!(npm.package_arguments[0].input.default.as_deref(), Some("80"));
        assert!(npm.package_arguments[0].input.is_required && npm.package_arguments[1].input.variables[0].is_secret);
        assert_eq!((oci.variables.len(), &*oci.transport.kind), (1, "stdio"));
        assert_eq!(manifest.remotes.len(), 1);
        assert!(!manifest.is_cut);
        assert_eq!(Manifest::read("[]"), Manifest::default());
    }

    #[test]
    fn lists_without_end_are_cut() {
        let server =
            json!({ "name": "a", "packages": vec![json!({ "registryType": "a", "identifier": "b" }); MAX_ITEMS + 1] });
        let manifest = Manifest::read(&server.to_string());
        assert_eq!((manifest.packages.len(), manifest.is_cut), (MAX_ITEMS, true));
    }
}
