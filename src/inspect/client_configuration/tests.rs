//! Every client, every kind of package: what is generated, that it is read back as what is listed, and what strangers
//! write does no harm in it.

use serde_json::{Value, json};

use super::*;
use crate::inspect::testing::{Listed, catalog};
use crate::inspect::validate::{Lookup, Syntax, Verdict, read};

fn listed(more: &Value) -> Listed {
    let members = more.as_object().expect("an object").clone();
    members
        .into_iter()
        .fold(Listed::new("com.example/search", "1.0.0"), |listed, (key, value)| listed.with(&key, value))
}

fn manifest(more: &Value) -> Manifest {
    let mut server = json!({ "name": "com.example/search", "description": "d", "version": "1.0.0" });
    for (key, value) in more.as_object().expect("an object") {
        server[key] = value.clone();
    }
    Manifest::read(&server.to_string())
}

fn package(package: &Value) -> Value {
    let mut package = package.clone();
    if package.get("transport").is_none() {
        package["transport"] = json!({ "type": "stdio" });
    }
    json!({ "packages": [package] })
}

/// How all clients are configured for the first way there is.
fn all(more: &Value) -> Vec<(Client, Result<Configuration, Unfit>)> {
    let manifest = manifest(more);
    let way = manifest.packages.first().map(Way::Package).or_else(|| manifest.remotes.first().map(Way::Remote));
    configurations(&manifest, way.expect("a way"))
}

fn of(client: Client, more: &Value) -> Result<Configuration, Unfit> {
    let found = all(more).into_iter().find(|(found, _)| *found == client);
    found.expect("the client is there").1
}

fn text(client: Client, more: &Value) -> String {
    of(client, more).expect("a configuration").snippets.pop().expect("a snippet").text
}

fn npm() -> Value {
    package(&json!({
        "registryType": "npm", "identifier": "@example/search", "version": "1.2.3", "runtimeHint": "npx",
        "runtimeArguments": [{ "type": "positional", "value": "-y" }, { "type": "positional", "value": "@example/search@latest" }],
        "packageArguments": [
            { "type": "positional", "value": "serve" },
            { "type": "named", "name": "--root", "isRequired": true, "valueHint": "directory", "description": "Where" },
            { "type": "named", "name": "--verbose", "format": "boolean" },
            { "type": "named", "name": "--read-only", "isRequired": true, "format": "boolean" },
            { "type": "named", "name": "--port", "isRequired": true, "default": "80" },
        ],
        "environmentVariables": [
            { "name": "API_KEY", "isRequired": true, "isSecret": true, "description": "The key", "default": "never" },
            { "name": "REGION", "isRequired": true, "choices": ["eu", "us"] },
            { "name": "LEVEL" },
            { "name": "MODE", "value": "fast" },
        ],
    }))
}

fn image() -> Value {
    package(&json!({
        "registryType": "oci", "identifier": "ghcr.io/example/search", "version": "1.2",
        "runtimeArguments": [
            { "type": "positional", "value": "run" }, { "type": "named", "name": "-i", "value": "true" },
            { "type": "named", "name": "--rm" },
            { "type": "named", "name": "-e", "value": "TOKEN={token}", "variables": { "token": { "isSecret": true } } },
            { "type": "named", "name": "-e" }, { "type": "positional", "value": "PASSED" },
            { "type": "named", "name": "-v" }, { "type": "positional", "value": "{directory}:/data:ro" },
            { "type": "positional", "value": "ghcr.io/example/search" },
        ],
        "packageArguments": [{ "type": "positional", "value": "serve" }],
    }))
}

fn remote() -> Value {
    json!({ "remotes": [{ "type": "streamable-http", "url": "https://mcp.example.com/mcp", "headers": [
        { "name": "Authorization", "value": "Bearer {token}", "isRequired": true, "isSecret": true },
        { "name": "X-Tenant", "isRequired": true, "description": "The tenant" },
        { "name": "X-Mode", "value": "fast" },
        { "name": "X-Trace" },
    ] }] })
}

#[test]
fn a_package_of_npm_in_every_client() {
    let npm = npm();
    assert_eq!(
        text(Client::VsCode, &npm),
        r#"{
  "servers": {
    "com.example/search": {
      "type": "stdio",
      "command": "npx",
      "args": [
        "-y",
        "@example/search@1.2.3",
        "serve",
        "--root",
        "${input:MCP_COM_EXAMPLE_SEARCH_DIRECTORY}",
        "--read-only",
        "--port",
        "80"
      ],
      "env": {
        "API_KEY": "${input:API_KEY}",
        "REGION": "${input:REGION}",
        "MODE": "fast"
      }
    }
  },
  "inputs": [
    {
      "type": "promptString",
      "id": "API_KEY",
      "description": "The key",
      "password": true
    },
    {
      "type": "pickString",
      "id": "REGION",
      "description": "REGION",
      "options": [
        "eu",
        "us"
      ]
    },
    {
      "type": "promptString",
      "id": "MCP_COM_EXAMPLE_SEARCH_DIRECTORY",
      "description": "Where"
    }
  ]
}"#
    );
    let claude = of(Client::ClaudeCode, &npm).expect("a configuration");
    assert_eq!(
        claude.snippets[0].text,
        "claude mcp add --scope project --env 'API_KEY=${API_KEY}' --env 'REGION=${REGION}' --env 'MODE=fast' --transport \
         stdio search -- npx -y @example/search@1.2.3 serve --root '${MCP_COM_EXAMPLE_SEARCH_DIRECTORY}' --read-only --port 80"
    );
    let project: Value = serde_json::from_str(&claude.snippets[1].text).expect("JSON");
    assert_eq!(project["mcpServers"]["search"]["env"]["API_KEY"], "${API_KEY}");
    let cursor: Value = serde_json::from_str(&text(Client::Cursor, &npm)).expect("JSON");
    assert_eq!(cursor["mcpServers"]["search"]["env"]["API_KEY"], "${env:API_KEY}");
    assert_eq!(
        text(Client::Codex, &npm),
        "[mcp_servers.search]\ncommand = \"npx\"\nargs = [\"-y\", \"@example/search@1.2.3\", \"serve\", \"--root\", \
         \"YOUR_MCP_COM_EXAMPLE_SEARCH_DIRECTORY\", \"--read-only\", \"--port\", \"80\"]\nenv_vars = [\"API_KEY\", \"REGION\"]\n\
         env = { \"MODE\" = \"fast\" }"
    );
    assert!(all(&npm).iter().all(|(client, _)| *client != Client::Docker), "there is no image");
}

#[test]
fn an_image_in_every_client() {
    let image = image();
    let words = |directory: &str| {
        ["run", "-i", "--rm", "-e", "TOKEN", "-e", "PASSED", "-v", directory, "ghcr.io/example/search:1.2", "serve"]
            .map(str::to_owned)
    };
    let code: Value = serde_json::from_str(&text(Client::VsCode, &image)).expect("JSON");
    let server = &code["servers"]["com.example/search"];
    let expected = words("${input:MCP_COM_EXAMPLE_SEARCH_DIRECTORY}:/data:ro");
    assert_eq!((&server["command"], &server["args"]), (&json!("docker"), &json!(expected)));
    assert_eq!(
        server["env"],
        json!({ "TOKEN": "${input:MCP_COM_EXAMPLE_SEARCH_TOKEN}", "PASSED": "${input:PASSED}" }),
        "what would be taken from the machine is asked for"
    );
    assert_eq!(
        text(Client::Docker, &image),
        format!(
            "TOKEN=\"$MCP_COM_EXAMPLE_SEARCH_TOKEN\" docker {}",
            words("YOUR_MCP_COM_EXAMPLE_SEARCH_DIRECTORY:/data:ro").join(" ")
        ),
        "secrets are in the environment"
    );
    let blanks = of(Client::Docker, &image).expect("a configuration").blanks;
    let shown: Vec<&str> = blanks.iter().map(|blank| blank.id.as_str()).collect();
    assert_eq!(shown, ["MCP_COM_EXAMPLE_SEARCH_TOKEN", "MCP_COM_EXAMPLE_SEARCH_DIRECTORY", "PASSED"]);
}

#[test]
fn a_remote_in_every_client() {
    let remote = remote();
    let code: Value = serde_json::from_str(&text(Client::VsCode, &remote)).expect("JSON");
    assert_eq!(
        code["servers"]["com.example/search"],
        json!({ "type": "http", "url": "https://mcp.example.com/mcp", "headers": {
            "Authorization": "Bearer ${input:MCP_COM_EXAMPLE_SEARCH_TOKEN}", "X-Tenant": "${input:MCP_COM_EXAMPLE_SEARCH_X_TENANT}", "X-Mode": "fast",
        } })
    );
    assert_eq!(code["inputs"][0]["password"], true);
    let claude = of(Client::ClaudeCode, &remote).expect("a configuration");
    assert_eq!(
        claude.snippets[0].text,
        "claude mcp add --scope project --transport http search https://mcp.example.com/mcp --header 'Authorization: \
         Bearer ${MCP_COM_EXAMPLE_SEARCH_TOKEN}' --header 'X-Tenant: ${MCP_COM_EXAMPLE_SEARCH_X_TENANT}' --header 'X-Mode: fast'"
    );
    assert_eq!(
        text(Client::Codex, &remote),
        "[mcp_servers.search]\nurl = \"https://mcp.example.com/mcp\"\nbearer_token_env_var = \"MCP_COM_EXAMPLE_SEARCH_TOKEN\"\n\
         env_http_headers = { \"X-Tenant\" = \"MCP_COM_EXAMPLE_SEARCH_X_TENANT\" }\nhttp_headers = { \"X-Mode\" = \"fast\" }"
    );
    let sse = json!({ "remotes": [{ "type": "sse", "url": "https://mcp.example.com/sse" }] });
    assert_eq!(of(Client::Codex, &sse), Err(Unfit::Transport));
    assert!(text(Client::VsCode, &sse).contains("\"type\": \"sse\""));
}

#[test]
fn what_listens_by_itself_is_started_first() {
    let served = package(&json!({
        "registryType": "pypi", "identifier": "search-mcp", "version": "2.0",
        "transport": { "type": "streamable-http", "url": "http://localhost:{port}/mcp", "variables": { "port": { "default": "3000" } } },
        "environmentVariables": [{ "name": "MODE", "value": "it's fast" }],
    }));
    let code = of(Client::VsCode, &served).expect("a configuration");
    assert_eq!(code.start.expect("a start").snippet.text, "MODE=\"it's fast\" uvx search-mcp@2.0");
    assert!(code.snippets[0].text.contains("\"url\": \"http://localhost:3000/mcp\""), "{:?}", code.snippets);
}

#[test]
fn what_is_generated_is_read_back_as_known() {
    let pypi =
        package(&json!({ "registryType": "pypi", "identifier": "Search_MCP", "version": "2.0", "packageArguments": [
        { "type": "named", "name": "--transport", "value": "stdio" }] }));
    let nuget = package(&json!({ "registryType": "nuget", "identifier": "Example.Search", "version": "1.0.0-beta",
        "packageArguments": [{ "type": "positional", "value": "--version" }, { "type": "positional", "value": "3" }] }));
    let bun =
        package(&json!({ "registryType": "npm", "identifier": "search", "version": "1.0.0", "runtimeHint": "bun" }));
    let tagged = package(&json!({ "registryType": "oci", "identifier": "docker.io/example/search:1.0" }));
    let pinned = package(&json!({ "registryType": "oci", "identifier": "example/search", "version": "sha256:0a1b" }));
    let hosted = package(&json!({ "registryType": "oci", "identifier": "example/search", "version": "2",
        "registryBaseUrl": "https://ghcr.io" }));
    let sse = json!({ "remotes": [{ "type": "sse", "url": "https://mcp.example.com/sse?a=b" }] });
    let filled = json!({ "remotes": [{ "type": "streamable-http", "url": "https://{region}.mcp.example.com/mcp",
        "variables": { "region": { "default": "eu" } } }] });
    for more in [npm(), image(), remote(), pypi, nuget, bun, tagged, pinned, hosted, sse, filled] {
        let catalog = catalog(&[("registry", &[], true, vec![listed(&more)])]);
        let lookup = Lookup::new(&catalog);
        for (client, configured) in all(&more) {
            let configuration = match configured {
                Ok(configuration) => configuration,
                Err(Unfit::Transport) if client == Client::Codex => continue,
                Err(unfit) => panic!("{client:?} {more}: {unfit}"),
            };
            let snippet = configuration.snippets.last().expect("a snippet");
            let (text, syntax) = match client {
                // Command lines are read as clients have them.
                Client::Docker => (wrapped(&snippet.text), Syntax::Json),
                Client::Codex => (snippet.text.clone(), Syntax::Toml),
                _ => (snippet.text.clone(), Syntax::Json),
            };
            let configured = read(&text, syntax).expect("a configuration");
            let report = lookup.validate(&catalog, &configured);
            let [judged] = &report.results[..] else { panic!("{client:?}: {report:?}") };
            assert_eq!(judged.verdict, Verdict::Known, "{client:?}: {text}\n{judged:?}");
            if client == Client::ClaudeCode && !more["packages"].is_null() {
                let line = &configuration.snippets[0].text;
                let run = line.split_once(" -- ").expect("a command").1;
                let configured = read(&wrapped(run), Syntax::Json).expect("a configuration");
                let names_are_elsewhere = [Verdict::Known, Verdict::WrongSource];
                let verdict = lookup.validate(&catalog, &configured).results[0].verdict;
                assert!(names_are_elsewhere.contains(&verdict), "{line}: {verdict:?}");
            }
        }
    }
}

/// A command line as a client has it.
fn wrapped(line: &str) -> String {
    let mut words = shlex::split(line).expect("a command line");
    words.drain(..words.iter().take_while(|word| word.split_once('=').is_some()).count());
    json!({ "mcpServers": { "x": { "command": words[0], "args": words[1..] } } }).to_string()
}

/// What a hostile registry may write where an argument, a description or a variable stands.
const HOSTILE: [&str; 12] = [
    "'; rm -rf ~; '",
    "\"; rm -rf ~; \"",
    "$(id)",
    "`id`",
    "$HOME",
    "</script><script>alert(1)</script>",
    "--privileged",
    "a\\",
    "a b\tc",
    "%PATH%",
    "#",
    "!!",
];

#[test]
fn what_strangers_write_is_one_word_and_nothing_else() {
    for hostile in HOSTILE.into_iter().filter(|text| !text.contains('\t')) {
        let more = package(&json!({
            "registryType": "npm", "identifier": "search", "version": "1.0.0",
            "packageArguments": [{ "type": "positional", "value": hostile }],
            "environmentVariables": [{ "name": "MODE", "value": hostile }, { "name": "KEY", "isRequired": true, "description": hostile }],
        }));
        for (client, configured) in all(&more) {
            let configuration = configured.expect("a configuration");
            for Snippet { place, text } in &configuration.snippets {
                if place.starts_with("Run") {
                    let words = shlex::split(text).expect("words");
                    assert_eq!(words.last().map(String::as_str), Some(hostile), "{text}");
                    assert!(words.contains(&format!("MODE={hostile}")), "{text}");
                    // Nothing of it is left to the shell: unquoted, or in double quotes, where `$` and backticks count.
                    assert_eq!(text.lines().count(), 1);
                } else if client == Client::Codex {
                    let read: toml::Table = toml::from_str(text).expect("TOML");
                    let server = &read["mcp_servers"]["search"];
                    assert_eq!(server["args"].as_array().and_then(|args| args.last()?.as_str()), Some(hostile));
                    assert_eq!(server["env"]["MODE"].as_str(), Some(hostile));
                } else {
                    let read: Value = serde_json::from_str(text).expect("JSON");
                    let servers = read.get("servers").or_else(|| read.get("mcpServers")).and_then(Value::as_object);
                    let server = servers.and_then(|servers| servers.values().next()).expect("a server");
                    assert_eq!(server["args"].as_array().and_then(|args| args.last()?.as_str()), Some(hostile));
                    assert_eq!(server["env"]["MODE"], hostile);
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_configured_safely_is_not() {
    let one = |key: &str, value: Value| {
        let mut package = json!({ "registryType": "npm", "identifier": "search", "version": "1.0.0", "transport": { "type": "stdio" } });
        package[key] = value;
        json!({ "packages": [package] })
    };
    let argument = |value: &str| one("packageArguments", json!([{ "type": "positional", "value": value }]));
    let runtime = |value: &str| one("runtimeArguments", json!([{ "type": "positional", "value": value }]));
    let url = |url: &str| json!({ "remotes": [{ "type": "streamable-http", "url": url }] });
    for (more, unfit) in [
        (argument("a\nb"), Unfit::Hidden),
        (argument("a\u{202e}b"), Unfit::Hidden),
        (argument("${env:AWS_SECRET_ACCESS_KEY}"), Unfit::Variable),
        (argument("${workspaceFolder}"), Unfit::Variable),
        (argument("${x"), Unfit::Variable),
        (url("https://evil.example/${HOME}"), Unfit::Variable),
        (url("https://evil.example/?q=${env:TOKEN}"), Unfit::Variable),
        (runtime("other-package"), Unfit::Misread),
        (runtime("--package=other"), Unfit::Options),
        (runtime("--unknown-option"), Unfit::Options),
        (one("identifier", json!("--call=id")), Unfit::NoPackage),
        (one("identifier", json!("../evil")), Unfit::NoPackage),
        (one("identifier", json!("https://evil.example/x.tgz")), Unfit::NoPackage),
        (one("version", json!("1.0.0 --call=id")), Unfit::NoPackage),
        (one("registryBaseUrl", json!("https://npm.evil.example")), Unfit::Elsewhere("npm.evil.example".to_owned())),
        (one("environmentVariables", json!([{ "name": "A B", "value": "x" }])), Unfit::NoName),
        (one("environmentVariables", json!([{ "name": "A\"=", "value": "x" }])), Unfit::NoName),
        (one("registryType", json!("mcpb")), Unfit::Bundle),
        (one("registryType", json!("cargo")), Unfit::NoRunner),
        (one("registryType", json!("carrier-pigeon")), Unfit::NoRunner),
        (url("javascript:alert(1)"), Unfit::NoUrl),
        (url("file:///etc/passwd"), Unfit::NoUrl),
        (json!({ "remotes": [{ "type": "stdio", "url": "https://a.example" }] }), Unfit::Transport),
        (
            json!({ "remotes": [{ "type": "sse", "url": "https://a.example", "headers": [{ "name": "A: b", "value": "c" }] }] }),
            Unfit::NoName,
        ),
    ] {
        assert_eq!(of(Client::VsCode, &more), Err(unfit), "{more}");
    }
}

#[test]
fn what_has_no_end_is_not_put_together() {
    let endless = json!({ "x": { "default": "y".repeat(100_000) } });
    let value = json!({ "type": "positional", "value": "{x}".repeat(300_000), "variables": endless });
    let blanks = json!({ "type": "positional", "value": "{x}".repeat(300_000) });
    let long = json!({ "type": "positional", "value": "x".repeat(5_000) });
    let many = vec![json!({ "type": "positional", "value": "x".repeat(4_000) }); 5];
    for arguments in [vec![value], vec![blanks], vec![long], many] {
        let package = json!({ "registryType": "npm", "identifier": "search", "packageArguments": arguments });
        assert_eq!(of(Client::VsCode, &json!({ "packages": [package] })), Err(Unfit::TooLong));
    }
}

#[test]
fn a_secret_is_never_a_value() {
    let more = package(&json!({
        "registryType": "npm", "identifier": "search", "version": "1.0.0",
        "environmentVariables": [
            { "name": "A", "isRequired": true, "isSecret": true, "default": "hunter2" },
            { "name": "B", "isSecret": true, "value": "hunter2" },
            { "name": "C", "value": "x-{c}", "variables": { "c": { "isSecret": true, "value": "hunter2", "default": "hunter2" } } },
        ],
        "packageArguments": [{ "type": "named", "name": "--key", "isRequired": true, "isSecret": true, "default": "hunter2" }],
    }));
    for (client, configured) in all(&more) {
        for snippet in configured.expect("a configuration").snippets {
            assert!(!snippet.text.contains("hunter2"), "{client:?}: {}", snippet.text);
        }
    }
}

#[test]
fn labels_are_what_every_client_takes() {
    for (name, expected) in [
        ("com.example/search", "search"),
        ("com.example/mcp", "example-mcp"),
        ("io.github.Owner/Server_Name.js", "server-name-js"),
        ("Salesforce DX MCP", "salesforce-dx-mcp"),
        ("--evil", "evil"),
        ("漢字", "server"),
        ("a/漢字", "a"),
        ("x/$(id)", "id"),
    ] {
        assert_eq!(label(name), expected, "{name}");
    }
    assert_eq!(label(&format!("a/{}", "x".repeat(500))).len(), 48);
}

#[path = "hostile_tests.rs"]
mod hostile;
