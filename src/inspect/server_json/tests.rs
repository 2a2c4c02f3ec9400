use serde_json::json;

use super::*;

const SCHEMA: &str = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";

/// A document in which nothing is wrong, and everything is there that the schema names.
fn whole() -> Value {
    let input = json!({
        "description": "x", "isRequired": true, "format": "number", "value": "{port}", "isSecret": false,
        "default": "1", "placeholder": "2", "choices": ["1", "2"], "variables": { "port": { "format": "string" } },
    });
    let with = |more: Value| {
        let mut input = input.clone();
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    json!({
        "$schema": SCHEMA, "name": "com.example/server", "description": "What it does", "title": "A server",
        "version": "1.0.0-rc.1", "websiteUrl": "https://example.com/", "x-unknown": null,
        "repository": {
            "url": "https://github.com/example/server", "source": "github", "id": "5", "subfolder": "src/server",
        },
        "icons": [{ "src": "https://example.com/i.png", "mimeType": "image/png", "sizes": ["48x48", "any"], "theme": "dark" }],
        "packages": [
            {
                "registryType": "npm", "registryBaseUrl": "https://registry.npmjs.org", "identifier": "@example/server",
                "version": "1.0.0", "runtimeHint": "npx", "transport": { "type": "stdio" },
                "runtimeArguments": [with(json!({ "type": "named", "name": "--yes", "isRepeated": true }))],
                "packageArguments": [with(json!({ "type": "positional", "valueHint": "path" }))],
                "environmentVariables": [with(json!({ "name": "TOKEN" }))],
            },
            {
                "registryType": "mcpb", "identifier": "https://example.com/a.mcpb", "fileSha256": "0a".repeat(32),
                "environmentVariables": [{ "name": "port" }],
                "transport": { "type": "sse", "url": "http://localhost:{port}/sse", "headers": [{ "name": "A" }] },
            },
        ],
        "remotes": [{
            "type": "streamable-http", "url": "https://{tenant}.example.com/mcp", "headers": [with(json!({ "name": "A" }))],
            "variables": { "tenant": { "isRequired": true } },
        }],
        "_meta": { "io.modelcontextprotocol.registry/publisher-provided": { "anything": [1] } },
    })
}

fn report(document: &Value) -> Report {
    validate(document.to_string().as_bytes()).expect("JSON")
}

/// What is found in the whole document with another value at a place (a JSON pointer): the path and the rule.
fn found(pointer: &str, value: Value) -> Vec<(String, &'static str)> {
    let mut document = whole();
    if let Some(place) = document.pointer_mut(pointer) {
        *place = value;
    } else {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        document.pointer_mut(parent).expect("a place")[name] = value;
    }
    report(&document).issues.into_iter().map(|issue| (issue.path, issue.reference)).collect()
}

#[test]
fn nothing_is_wrong_with_what_is_as_it_should_be() {
    assert_eq!(report(&whole()), Report { valid: true, issues: Vec::new() });
    let least = json!({ "$schema": SCHEMA, "name": "com.example/server", "description": "x", "version": "1" });
    assert_eq!(report(&least), Report { valid: true, issues: Vec::new() });
}

#[test]
fn every_member_has_its_type() {
    // Each member of the whole document in turn: whatever has a type has not that of `[null]`, or of `5` in its place.
    fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                let at = format!("{at}/{}", name.replace('/', "~1"));
                all.push(at.clone());
                pointers(value, &at, all);
            }),
            Value::Array(values) => values.iter().enumerate().for_each(|(index, value)| {
                let at = format!("{at}/{index}");
                all.push(at.clone());
                pointers(value, &at, all);
            }),
            _ => {}
        }
    }
    let mut all = Vec::new();
    pointers(&whole(), "", &mut all);
    let free = |at: &str| at == "/x-unknown" || at.contains("publisher-provided/");
    for at in all.iter().filter(|at| !free(at)) {
        for wrong in [json!(5), json!(null)] {
            let found = found(at, wrong);
            let path =
                at[1..].replace("~1", "\0").split('/').fold(String::new(), |path, part| match part.parse::<usize>() {
                    Ok(index) => format!("{path}[{index}]"),
                    Err(_) if path.is_empty() => part.to_owned(),
                    Err(_) => format!("{path}.{part}"),
                });
            assert!(found.contains(&(path.replace('\0', "/"), "type")), "{at}: {found:?}");
        }
    }
}

#[test]
fn what_breaks_the_schema_is_found_where_it_is() {
    for (pointer, value, path, rule) in [
        ("/name", json!("a"), "name", "minLength"),
        ("/name", json!("a/".to_owned() + &"b".repeat(199)), "name", "maxLength"),
        ("/name", json!("a_b/c"), "name", "pattern"),
        ("/description", json!(""), "description", "minLength"),
        ("/description", json!("é".repeat(101)), "description", "maxLength"),
        ("/title", json!("x".repeat(101)), "title", "maxLength"),
        ("/version", json!("1".repeat(256)), "version", "maxLength"),
        ("/websiteUrl", json!("example.com"), "websiteUrl", "format"),
        ("/repository", json!({}), "repository", "required"),
        ("/icons/0/src", json!("https://".to_owned() + &"x".repeat(250)), "icons[0].src", "maxLength"),
        ("/icons/0/mimeType", json!("image/gif"), "icons[0].mimeType", "enum"),
        ("/icons/0/sizes/1", json!("48"), "icons[0].sizes[1]", "pattern"),
        ("/icons/0/theme", json!("blue"), "icons[0].theme", "enum"),
        ("/packages/0", json!({}), "packages[0]", "required"),
        ("/packages/0/version", json!(""), "packages[0].version", "minLength"),
        ("/packages/0/version", json!("latest"), "packages[0].version", "not"),
        ("/packages/1/fileSha256", json!("0A".repeat(32)), "packages[1].fileSha256", "pattern"),
        ("/packages/0/transport", json!({}), "packages[0].transport", "required"),
        ("/packages/0/transport/type", json!("http"), "packages[0].transport.type", "enum"),
        ("/packages/1/transport/url", json!("localhost"), "packages[1].transport.url", "pattern"),
        ("/packages/0/runtimeArguments/0/type", json!("flag"), "packages[0].runtimeArguments[0].type", "enum"),
        ("/packages/0/runtimeArguments/0", json!({ "type": "named" }), "packages[0].runtimeArguments[0]", "required"),
        (
            "/packages/0/packageArguments/0",
            json!({ "type": "positional" }),
            "packages[0].packageArguments[0]",
            "required",
        ),
        ("/packages/0/environmentVariables/0", json!({}), "packages[0].environmentVariables[0]", "required"),
        ("/remotes/0/type", json!("stdio"), "remotes[0].type", "enum"),
        ("/remotes/0/variables/tenant/format", json!("x"), "remotes[0].variables.tenant.format", "enum"),
        ("/$schema", json!(SCHEMAS_ELSEWHERE), "$schema", "schema-version-extraction-error"),
        ("/$schema", json!(SCHEMA.replace("12-11", "01-01")), "$schema", "schema-version-not-available"),
    ] {
        let found = found(pointer, value.clone());
        assert!(found.contains(&(path.to_owned(), rule)), "{pointer} {value}: {found:?}");
    }
    for (pointer, value) in [
        ("/$schema", json!(SCHEMA.to_owned() + "#/definitions/ServerDetail")),
        ("/name", json!("a-.b/_c")),
        ("/description", json!("é".repeat(100))),
        ("/packages/0/packageArguments/0", json!({ "type": "positional", "value": "x" })),
        ("/packages/0/transport", json!({ "type": "stdio", "url": "" })),
    ] {
        let of_the_schema =
            report(&changed(pointer, value)).issues.into_iter().find(|issue| issue.kind == Kind::Schema);
        assert_eq!(of_the_schema, None, "{pointer}");
    }
}

const SCHEMAS_ELSEWHERE: &str = "https://example.com/server.schema.json";

fn changed(pointer: &str, value: Value) -> Value {
    let mut document = whole();
    *document.pointer_mut(pointer).expect("a place") = value;
    document
}

#[test]
fn what_breaks_the_other_rules_is_found_where_it_is() {
    let remote = |url: &str| json!({ "type": "sse", "url": url });
    for (pointer, value, path, rule) in [
        ("/$schema", json!(""), "$schema", "schema-field-required"),
        ("/name", json!("server"), "name", "invalid-server-name"),
        ("/name", json!("a/b/c"), "name", "invalid-server-name"),
        ("/name", json!("a/bc"), "name", "invalid-server-name"),
        ("/name", json!("ab/-c"), "name", "invalid-server-name"),
        ("/version", json!("latest"), "version", "reserved-version-string"),
        ("/version", json!("^1.0.0"), "version", "version-looks-like-range"),
        ("/repository/url", json!("https://github.com/example"), "repository.url", "invalid-repository-url"),
        ("/repository/source", json!("sourcehut"), "repository.url", "invalid-repository-url"),
        ("/repository/subfolder", json!("a/../b"), "repository.subfolder", "invalid-subfolder-path"),
        ("/repository/subfolder", json!("/a"), "repository.subfolder", "invalid-subfolder-path"),
        ("/websiteUrl", json!("http://example.com"), "websiteUrl", "website-url-invalid-scheme"),
        ("/websiteUrl", json!("/page"), "websiteUrl", "website-url-must-be-absolute"),
        ("/websiteUrl", json!("https://"), "websiteUrl", "invalid-website-url"),
        ("/title", json!("  "), "title", "title-whitespace-only"),
        ("/icons/0/src", json!("data:image/png;base64,"), "icons[0].src", "icon-src-invalid-scheme"),
        ("/icons/0/src", json!("i.png"), "icons[0].src", "icon-src-not-absolute"),
        ("/packages/0/identifier", json!("a b"), "packages[0].identifier", "package-name-has-spaces"),
        ("/packages/0/version", json!("1.x"), "packages[0].version", "version-looks-like-range"),
        (
            "/packages/0/runtimeArguments/0/name",
            json!(""),
            "packages[0].runtimeArguments[0].name",
            "named-argument-name-required",
        ),
        (
            "/packages/0/runtimeArguments/0/name",
            json!("--port 80"),
            "packages[0].runtimeArguments[0].name",
            "invalid-named-argument-name",
        ),
        (
            "/packages/0/runtimeArguments/0/value",
            json!("--yes=1"),
            "packages[0].runtimeArguments[0].value",
            "argument-value-starts-with-name",
        ),
        (
            "/packages/0/runtimeArguments/0/default",
            json!("--yes"),
            "packages[0].runtimeArguments[0].default",
            "argument-default-starts-with-name",
        ),
        (
            "/packages/0/transport/url",
            json!("https://a.example"),
            "packages[0].transport.url",
            "stdio-transport-url-not-empty",
        ),
        ("/packages/1/transport/url", json!(""), "packages[1].transport.url", "streamable-transport-url-required"),
        ("/packages/1/transport/url", json!("http://a/{token}"), "packages[1].transport.url", "invalid-templated-url"),
        ("/packages/0/transport/type", json!("http"), "packages[0].transport.type", "unsupported-transport-type"),
        ("/remotes/0", remote(""), "remotes[0].url", "remote-transport-url-required"),
        ("/remotes/0", remote("http://a.example"), "remotes[0].url", "invalid-remote-url"),
        ("/remotes/0", remote("https://localhost/mcp"), "remotes[0].url", "invalid-remote-url"),
        ("/remotes/0", remote("https://x.localhost/mcp"), "remotes[0].url", "invalid-remote-url"),
        ("/remotes/0", remote("https://127.0.0.1/mcp"), "remotes[0].url", "invalid-remote-url"),
        ("/remotes/0/variables", json!({}), "remotes[0].url", "invalid-templated-url"),
        ("/remotes/0/type", json!("stdio"), "remotes[0].type", "unsupported-remote-transport-type"),
    ] {
        let found = found(pointer, value.clone());
        assert!(found.contains(&(path.to_owned(), rule)), "{pointer} {value}: {found:?}");
    }
}

#[test]
fn what_is_only_not_published_is_a_warning_and_the_document_valid() {
    let provided = "/_meta/io.modelcontextprotocol.registry~1publisher-provided";
    for (pointer, value, rule) in [
        ("/$schema", json!(SCHEMA.replace("12-11", "10-17")), "schema-version-deprecated"),
        ("/packages/0/registryType", json!("maven"), "unsupported-registry-type"),
        ("/packages/0/registryType", json!("mcpb"), "mcpb-file-sha256-required"),
        (provided, json!({ "x": "x".repeat(4_089) }), "publisher-provided-too-large"),
    ] {
        let report = report(&changed(pointer, value));
        let rules: Vec<_> = report.issues.iter().map(|issue| (issue.reference, issue.severity)).collect();
        assert_eq!((rules, report.valid), (vec![(rule, Severity::Warning)], true));
    }
    assert_eq!(found(provided, json!({ "x": "x".repeat(4_088) })), []);
}

#[test]
fn what_is_no_object_lacks_everything_and_what_is_no_json_is_an_error() {
    for document in [json!([]), json!(5), json!(null), json!("x")] {
        let report = report(&document);
        assert_eq!((report.valid, report.issues[0].path.as_str(), report.issues[0].reference), (false, "", "type"));
    }
    let missing: Vec<_> = report(&json!({})).issues.into_iter().map(|issue| issue.reference).collect();
    assert_eq!(missing, ["required", "required", "required", "schema-field-required"]);
    for text in ["", "{", "{\"a\":1}x", &"[".repeat(1_000)] {
        assert!(validate(text.as_bytes()).is_err(), "{text:.10}");
    }
}

#[test]
fn there_are_no_more_issues_than_anybody_reads_and_none_is_long() {
    let long = "x".repeat(200_000);
    let mut document = whole();
    document["remotes"][0]["variables"] = json!({ long.as_str(): { "choices": vec![5; 100_000] } });
    document["name"] = json!(long);
    let report = report(&document);
    assert_eq!((report.valid, report.issues.len()), (false, 1_001));
    assert_eq!(report.issues[1_000].reference, "too-many-issues");
    assert!(report.issues.iter().all(|issue| issue.path.len() + issue.message.len() < 500));
}
