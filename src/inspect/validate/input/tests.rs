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
        (r#"{"other":"secret"}"#, Syntax::Any, 0),
        (r#"{"preferences":{},"servers":"secret"}"#, Syntax::Any, 0),
        ("[1]", Syntax::Any, 0),
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
fn of_members_with_one_name_the_last_one_counts() {
    let text = r#"{"mcpServers":{"a":{"command":"npx","args":["x"]},"a":{"command":"npx","args":["y"]}}}"#;
    let servers = read(text, Syntax::Any).expect("an input");
    let identifiers: Vec<_> = servers.iter().map(|server| &*server.reduced.packages[0].identifier).collect();
    assert_eq!(identifiers, ["y"]);
}

#[test]
fn a_file_without_servers_is_one_all_the_same() {
    for (text, syntax) in [
        ("{}", Syntax::Any),
        ("{}", Syntax::Json),
        (r#"{"globalShortcut":"Ctrl+Space"}"#, Syntax::Json),
        ("model = 'x'\n", Syntax::Toml),
        ("", Syntax::Toml),
    ] {
        assert_eq!(read(text, syntax), Ok(Vec::new()), "{text}");
    }
}

#[test]
fn a_proxy_is_sent_a_name_only_where_it_says_which_server_it_is() {
    let sent = |text: &str| -> Vec<Option<String>> {
        read(text, Syntax::Any).expect("an input").iter().map(|server| server.sent().name).collect()
    };
    let client = r#"{"mcpServers":{
        "customer/a":{"command":"npx","args":["x"]},
        "customer/b":{"url":"https://x.example"},
        "customer/c":{"command":"/bin/x"}}}"#;
    assert_eq!(sent(client), [None, None, None]);
    assert_eq!(sent("com.acme/search"), [Some("com.acme/search".to_owned())]);
    let document =
        r#"{"name":"com.acme/search","version":"1.0.0","packages":[{"registryType":"npm","identifier":"x"}]}"#;
    assert_eq!(sent(document), [Some("com.acme/search".to_owned())]);
}
