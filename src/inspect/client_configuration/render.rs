//! What is run or connected to, in the words of each client.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::blank::{Blank, Part, Text};
use super::plan::{Action, Connect, Plan};
use super::run::Run;
use super::{Client, Configuration, Snippet, Start, Taking, Unfit};
use crate::inspect::hidden::is_hidden;

const START: &str = "Start it first, in a shell of its own";

/// How a client is configured.
pub(super) fn configure(client: Client, plan: &Plan) -> Result<Configuration, Unfit> {
    let puts_in = matches!(client, Client::VsCode | Client::ClaudeCode | Client::Cursor);
    if puts_in && plan.texts().any(Text::has_variable) {
        return Err(Unfit::Variable);
    }
    let writer = Writer { client, plan };
    let (start, connect, run) = match &plan.action {
        Action::Run(run) => (None, None, Some(run)),
        Action::Connect(connect) => (None, Some(connect), None),
        Action::Served(run, connect) => (Some(writer.start(run)?), Some(connect), None),
    };
    let mut snippets = Vec::new();
    match (client, run, connect) {
        (Client::Docker, Some(run), _) => snippets.push(Snippet { place: "Run", text: writer.shell(run)? }),
        // What is started first is all that Docker does.
        (Client::Docker, None, _) => {}
        (Client::VsCode, ..) => snippets.push(writer.vs_code(run, connect)),
        (Client::ClaudeCode, ..) => snippets.extend(writer.claude_code(run, connect)?),
        (Client::Cursor, ..) => {
            let server = writer.server(run, connect, false);
            snippets.push(file(".cursor/mcp.json", &json!({ "mcpServers": { &*plan.label: server } })));
        }
        (Client::Codex, ..) => snippets.push(writer.codex(run, connect)?),
    }
    let takes_blanks = match client {
        Client::VsCode => Taking::Asks,
        Client::ClaudeCode | Client::Cursor => Taking::Environment,
        Client::Codex | Client::Docker => Taking::EnvironmentOrHand,
    };
    let has_parts = !snippets.is_empty();
    let texts = run.into_iter().flat_map(Run::texts).chain(connect.into_iter().flat_map(Connect::texts));
    let blanks = plan.blanks_of(texts.filter(|_| has_parts));
    Ok(Configuration { client, start, snippets, blanks, takes_blanks })
}

fn file(place: &'static str, content: &Value) -> Snippet {
    let text = serde_json::to_string_pretty(content).expect("a value is JSON");
    Snippet { place, text }
}

struct Writer<'a> {
    client: Client,
    plan: &'a Plan,
}

impl Writer<'_> {
    fn blank(&self, position: usize) -> &Blank {
        &self.plan.blanks.all[position]
    }

    /// A text with blanks as the client writes them.
    fn text(&self, text: &Text) -> String {
        text.filled(|position| {
            let id = &self.blank(position).id;
            match self.client {
                Client::VsCode => format!("${{input:{id}}}"),
                Client::ClaudeCode => format!("${{{id}}}"),
                Client::Cursor => format!("${{env:{id}}}"),
                Client::Codex | Client::Docker => placeholder(id),
            }
        })
    }

    fn texts(&self, texts: &[Text]) -> Vec<String> {
        texts.iter().map(|text| self.text(text)).collect()
    }

    fn map(&self, pairs: &[(String, Text)]) -> Map<String, Value> {
        pairs.iter().map(|(name, text)| (name.clone(), self.text(text).into())).collect()
    }

    /// One server as most clients have it; `has_type` where they want to be told the transport.
    fn server(&self, run: Option<&Run>, connect: Option<&Connect>, has_type: bool) -> Value {
        let mut server = Map::new();
        let mut add = |key: &str, value: Value| server.insert(key.to_owned(), value);
        if let Some(Run { command, arguments, variables, .. }) = run {
            if has_type {
                add("type", "stdio".into());
            }
            add("command", (*command).into());
            add("args", self.texts(arguments).into());
            if !variables.is_empty() {
                add("env", self.map(variables).into());
            }
        }
        if let Some(Connect { is_sse, url, headers }) = connect {
            if has_type {
                add("type", if *is_sse { "sse" } else { "http" }.into());
            }
            add("url", self.text(url).into());
            if !headers.is_empty() {
                add("headers", self.map(headers).into());
            }
        }
        server.into()
    }

    fn vs_code(&self, run: Option<&Run>, connect: Option<&Connect>) -> Snippet {
        let mut content = Map::new();
        // Where only listed servers may be run, VS Code looks them up by this name.
        content.insert("servers".to_owned(), json!({ &*self.plan.name: self.server(run, connect, true) }));
        let texts = run.into_iter().flat_map(Run::texts).chain(connect.into_iter().flat_map(Connect::texts));
        let inputs: Vec<Value> = self.plan.blanks_of(texts).iter().map(input).collect();
        if !inputs.is_empty() {
            content.insert("inputs".to_owned(), inputs.into());
        }
        file(".vscode/mcp.json", &content.into())
    }

    fn claude_code(&self, run: Option<&Run>, connect: Option<&Connect>) -> Result<[Snippet; 2], Unfit> {
        let mut words: Vec<String> = ["claude", "mcp", "add", "--scope", "project"].map(str::to_owned).into();
        let label = self.plan.label.clone();
        if let Some(Run { command, arguments, variables, .. }) = run {
            for (name, text) in variables {
                words.extend(["--env".to_owned(), format!("{name}={}", self.text(text))]);
            }
            words.extend(["--transport", "stdio", &label, "--", command].map(str::to_owned));
            words.extend(self.texts(arguments));
        }
        if let Some(Connect { is_sse, url, headers }) = connect {
            let transport = if *is_sse { "sse" } else { "http" };
            words.extend(["--transport", transport, &label].map(str::to_owned));
            words.push(self.text(url));
            for (name, text) in headers {
                words.extend(["--header".to_owned(), format!("{name}: {}", self.text(text))]);
            }
        }
        let server = self.server(run, connect, true);
        Ok([
            Snippet { place: "Run, in the folder of the project", text: line(&words)? },
            file(".mcp.json", &json!({ "mcpServers": { &*label: server } })),
        ])
    }

    /// What starts a server that listens.
    fn start(&self, run: &Run) -> Result<Start, Unfit> {
        let snippet = Snippet { place: START, text: self.shell(run)? };
        Ok(Start { snippet, blanks: self.plan.blanks_of(run.texts()) })
    }

    /// A command line for a shell. Secrets are taken from its environment, also where they are a part of something.
    fn shell(&self, run: &Run) -> Result<String, Unfit> {
        let mut parts = Vec::new();
        for (name, text) in &run.variables {
            let is_there = text
                .as_blank()
                .map(|blank| self.blank(blank))
                .is_some_and(|blank| blank.is_secret && blank.id == *name);
            if !is_there {
                parts.push(format!("{name}={}", self.word(text)?));
            }
        }
        parts.push(quoted(run.command)?);
        for text in &run.arguments {
            parts.push(self.word(text)?);
        }
        Ok(parts.join(" "))
    }

    /// One word of it: what is not secret is filled in by hand.
    fn word(&self, text: &Text) -> Result<String, Unfit> {
        let (mut word, mut plain) = (String::new(), String::new());
        for part in &text.0 {
            match part {
                Part::Literal(text) => plain.push_str(text),
                Part::Blank(position) => {
                    let Blank { id, is_secret, .. } = self.blank(*position);
                    if *is_secret {
                        if !plain.is_empty() {
                            word.push_str(&quoted(&std::mem::take(&mut plain))?);
                        }
                        // Its name has nothing in it but letters, digits and underscores.
                        let _ = write!(word, "\"${id}\"");
                    } else {
                        plain.push_str(&placeholder(id));
                    }
                }
            }
        }
        if !plain.is_empty() || word.is_empty() {
            word.push_str(&quoted(&plain)?);
        }
        Ok(word)
    }

    fn codex(&self, run: Option<&Run>, connect: Option<&Connect>) -> Result<Snippet, Unfit> {
        let mut lines = vec![format!("[mcp_servers.{}]", self.plan.label)];
        let mut add = |key: &str, value: String| lines.push(format!("{key} = {value}"));
        let id = |text: &Text| text.as_blank().map(|blank| self.blank(blank).id.clone());
        if let Some(Run { command, arguments, variables, .. }) = run {
            add("command", toml_text(command));
            add("args", toml_list(&self.texts(arguments)));
            let (passed, set): (Vec<_>, Vec<_>) =
                variables.iter().partition(|(name, text)| id(text).is_some_and(|id| id == *name));
            if !passed.is_empty() {
                add("env_vars", toml_list(&passed.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()));
            }
            if !set.is_empty() {
                add("env", toml_table(set.iter().map(|(name, text)| (name.as_str(), self.text(text)))));
            }
        }
        if let Some(Connect { is_sse, url, headers }) = connect {
            if *is_sse {
                return Err(Unfit::Transport);
            }
            add("url", toml_text(&self.text(url)));
            let (from_environment, set): (Vec<_>, Vec<_>) = headers.iter().partition(|(_, text)| id(text).is_some());
            let is_bearer =
                |name: &str, text: &Text| name.eq_ignore_ascii_case("authorization") && bearer(text).is_some();
            let (bearers, set): (Vec<_>, Vec<_>) = set.into_iter().partition(|(name, text)| is_bearer(name, text));
            if let Some(blank) = bearers.iter().find_map(|(_, text)| bearer(text)) {
                add("bearer_token_env_var", toml_text(&self.blank(blank).id));
            }
            if !from_environment.is_empty() {
                let pairs = from_environment.iter().map(|(name, text)| (name.as_str(), id(text).unwrap_or_default()));
                add("env_http_headers", toml_table(pairs));
            }
            if !set.is_empty() {
                add("http_headers", toml_table(set.iter().map(|(name, text)| (name.as_str(), self.text(text)))));
            }
        }
        Ok(Snippet { place: "~/.codex/config.toml", text: lines.join("\n") })
    }
}

/// What is filled in by hand.
fn placeholder(id: &str) -> String {
    format!("YOUR_{id}")
}

/// The blank of `Bearer {token}`.
fn bearer(text: &Text) -> Option<usize> {
    let plain = text.filled(|_| "\0".to_owned());
    (plain == "Bearer \0").then(|| text.0.iter().find_map(|part| Text(vec![part.clone()]).as_blank())).flatten()
}

/// What VS Code asks for.
fn input(blank: &Blank) -> Value {
    let is_plain = |text: &&String| !text.contains(is_hidden) && !text.contains("${");
    let description = blank.description.as_deref().filter(|text| !text.contains("${")).unwrap_or(&blank.id);
    let description: String = description.chars().filter(|char| !is_hidden(*char)).collect();
    let choices: Vec<&String> = blank.choices.iter().filter(is_plain).collect();
    let picks = !choices.is_empty() && !blank.is_secret;
    let mut input = Map::new();
    input.insert("type".to_owned(), if picks { "pickString" } else { "promptString" }.into());
    input.insert("id".to_owned(), blank.id.clone().into());
    input.insert("description".to_owned(), description.into());
    if picks {
        input.insert("options".to_owned(), json!(choices));
    }
    if blank.is_secret {
        input.insert("password".to_owned(), true.into());
    } else if let Some(default) = blank.default.as_ref().filter(|default| is_plain(default)) {
        input.insert("default".to_owned(), default.clone().into());
    }
    input.into()
}

/// A command line, each word quoted for a POSIX shell where it has to be.
fn line(words: &[String]) -> Result<String, Unfit> {
    let words: Result<Vec<String>, Unfit> = words.iter().map(|word| quoted(word)).collect();
    Ok(words?.join(" "))
}

fn quoted(word: &str) -> Result<String, Unfit> {
    shlex::try_quote(word).map(Into::into).map_err(|_| Unfit::Hidden)
}

/// A basic string of TOML: JSON's, but for one character, which JSON leaves as it is.
fn toml_text(text: &str) -> String {
    let text = serde_json::to_string(text).expect("a text is JSON");
    text.replace('\u{7f}', "\\u007f")
}

fn toml_list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| toml_text(text)).collect();
    format!("[{}]", texts.join(", "))
}

fn toml_table<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> String {
    let pairs: Vec<String> = pairs.map(|(key, text)| format!("{} = {}", toml_text(key), toml_text(&text))).collect();
    format!("{{ {} }}", pairs.join(", "))
}
