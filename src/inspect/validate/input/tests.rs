use super::*;

#[test]
fn what_cannot_be_read_is_refused_without_being_quoted() {
    let line_of = |error: InputError| match error {
        InputError::Json { line } | InputError::Toml { line } => line,
        _ => 0,
    };
    for (text, syntax, line) in [
        ("{\n\"mcpServers\": {\n  secret\n}}", Syntax::Any, 3),
        ("[mcp_servers.x]\ncommand = secret\n", Syntax::Any, 2),
        ("{}", Syntax::Any, 0),
        ("[1]", Syntax::Any, 0),
        ("model = 'x'\n", Syntax::Toml, 0),
        ("", Syntax::Any, 0),
        ("{{{", Syntax::Any, 1),
        ("<html></html>", Syntax::Any, 0),
        (r#"{"mcpServers":1}"#, Syntax::Any, 0),
    ] {
        let error = read(text, syntax).expect_err(text);
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(line_of(error), line, "{text}");
    }
}

#[test]
fn there_are_so_many_servers_and_no_more() {
    let names = |count: usize| vec!["a/b"; count].join("\n");
    assert_eq!(read(&names(MAX_SERVERS), Syntax::Any).map(|servers| servers.len()), Ok(MAX_SERVERS));
    assert_eq!(read(&names(MAX_SERVERS + 1), Syntax::Any), Err(InputError::TooMany));
}

#[test]
fn depth_has_an_end() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(read(&deep, Syntax::Any), Err(InputError::Json { .. })));
    let deep = format!("mcp_servers = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(read(&deep, Syntax::Any), Err(InputError::Toml { .. })));
}

#[test]
fn duplicate_members_are_both_looked_at() {
    let text = r#"{"mcpServers":{"a":{"command":"npx","args":["x"]},"a":{"command":"npx","args":["y"]}}}"#;
    assert_eq!(read(text, Syntax::Any).map(|servers| servers.len()), Ok(2));
}
