use super::*;

/// Loads files written into an empty directory, with an environment of its own.
#[track_caller]
#[expect(clippy::result_large_err, reason = "the jail's own closure type")]
fn load_in(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let mut result = Err("not run".to_owned());
    figment::Jail::expect_with(|jail| {
        jail.clear_env();
        for (name, content) in files {
            jail.create_file(name, content)?;
        }
        for (key, value) in environment {
            jail.set_env(key, value);
        }
        let paths: Vec<PathBuf> = files
            .iter()
            .filter(|(name, _)| !name.ends_with(".secret"))
            .map(|(name, _)| jail.directory().join(name))
            .collect();
        result = load(&paths, &Flags::default()).map_err(|error| error.to_string());
        Ok(())
    });
    result
}

const ONE: &str = "[[registries]]\nname = \"one\"\nurl = \"https://one.example\"\n";

fn config_of(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Config {
    load_in(files, environment).unwrap_or_else(|error| panic!("{error}")).config
}

fn error_of(text: &str) -> String {
    load_in(&[("proxy.toml", text)], &[]).map(|_| ()).expect_err(text)
}

#[test]
fn two_listeners_cannot_have_the_same_port_of_one_address() {
    for (public, admin, is_refused) in [
        ("127.0.0.1:9090", "127.0.0.1:9090", true),
        ("0.0.0.0:8080", "127.0.0.1:8080", true),
        ("127.0.0.1:8080", "0.0.0.0:8080", true),
        ("[::]:8080", "127.0.0.1:8080", true),
        ("[::]:8080", "0.0.0.0:8080", true),
        ("[::]:8080", "[::1]:8080", true),
        ("0.0.0.0:8080", "[::1]:8080", false),
        ("127.0.0.2:8080", "127.0.0.1:8080", false),
        ("0.0.0.0:8080", "127.0.0.1:8081", false),
        ("0.0.0.0:0", "127.0.0.1:0", false),
    ] {
        let admin = format!("[admin]\nlisten = \"{admin}\"\ntoken_file = \"t.secret\"\n");
        let text = format!("[server]\nlisten = \"{public}\"\n{admin}{ONE}");
        let result = load_in(&[("proxy.toml", &text), ("t.secret", "t")], &[]).map(|_| ());
        let is_said = result.as_ref().is_err_and(|error| error.contains("`admin.listen` is the same"));
        assert_eq!((is_said, result.is_err()), (is_refused, is_refused), "{text} {result:?}");
    }
    // Where it is by default, it gives way.
    let text = format!("[server]\nlisten = \"0.0.0.0:9090\"\n{ONE}");
    assert!(load_in(&[("proxy.toml", &text)], &[]).is_ok());
}

#[test]
fn the_log_level_of_a_run_is_that_of_the_environment_and_not_of_a_file() {
    let of = |text: &str, environment: &[(&str, &str)]| {
        load_in(&[("proxy.toml", &format!("{text}{ONE}"))], environment).expect("a configuration").is_level_of_run
    };
    let level = [("MCP_REGISTRY_PROXY__LOG__LEVEL", "debug")];
    assert!(of("", &level) && of("[log]\nlevel = \"info\"\n", &level));
    assert!(!of("", &[]) && !of("[log]\nlevel = \"debug\"\n", &[("MCP_REGISTRY_PROXY__LOG__FORMAT", "json")]));
}

#[test]
fn without_a_file_the_official_registry_is_served_stale_rather_than_dropped() {
    let config = config_of(&[], &[]);
    let names: Vec<_> = config.registries.iter().map(|registry| registry.name.as_str()).collect();
    assert_eq!(names, ["official"]);
    assert_eq!(config.health.when_unhealthy, health::WhenUnhealthy::ServeStale);
}

#[test]
fn the_files_of_the_repository_are_valid_and_the_example_has_every_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for name in ["default.toml", "quickstart.toml"] {
        load(&[root.join(name)], &Flags::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // What is commented out stands for an alternative, or needs a file; here it is put in place.
    let example = std::fs::read_to_string(root.join("example.toml")).expect("the example");
    let in_place = |line: &str| {
        let needs_a_choice =
            ["url = \"redis", "ca_file", "tls_", "bearer_token ="].iter().any(|key| line.contains(key));
        let key = line.strip_prefix("# ").filter(|rest| rest.contains(" = ") && !needs_a_choice);
        key.unwrap_or(line).replace("/run/secrets/admin", "admin.secret").replace("/run/secrets/acme", "acme.secret")
    };
    let complete: Vec<String> = example.lines().map(in_place).collect();
    let complete = complete.join("\n");
    let loaded = load_in(&[("example.toml", &complete), ("acme.secret", "t"), ("admin.secret", "t")], &[])
        .unwrap_or_else(|error| panic!("{error}\n{complete}"));
    assert_eq!(loaded.config.registries.len(), 3);
    for key in &LATER {
        assert!(loaded.without_effect.iter().any(|named| named == key), "{key} is not in the example");
    }
}

#[test]
fn what_is_deployed_loads_also_with_what_is_commented_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    for name in ["compose/proxy.toml", "kubernetes/proxy.toml", "systemd/proxy.toml"] {
        let text = std::fs::read_to_string(root.join(name)).expect("a configuration");
        let is_left_out = |line: &str| line.contains("tls_");
        let in_place = |line: &str| {
            let key = line.strip_prefix("# ").filter(|rest| rest.contains(" = ") || rest.starts_with("[["));
            key.filter(|_| !is_left_out(line)).unwrap_or(line).to_owned()
        };
        let complete: Vec<String> = text.lines().map(in_place).collect();
        for (text, registries) in [(&text, 1), (&complete.join("\n"), 2)] {
            // Their secrets are where they are deployed.
            let directories =
                ["/run/secrets/mcp-registry-proxy/", "/run/secrets/", "/run/credentials/mcp-registry-proxy.service/"];
            let text = directories.iter().fold(text.clone(), |text, directory| text.replace(directory, ""));
            let text = text.replace("-token\"", ".secret\"");
            let files = [("proxy.toml", &*text), ("admin.secret", "t"), ("acme.secret", "t")];
            // As the stateful set has it.
            let hosts = r#"["10.1.2.3", "mcp-registry-proxy-admin.mcp-registry.svc"]"#;
            let environment = [("MCP_REGISTRY_PROXY__ADMIN__HOSTS", hosts)];
            let loaded = load_in(&files, &environment).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
            assert_eq!(loaded.config.registries.len(), registries, "{name}");
            assert_eq!(loaded.config.admin.hosts[0], "10.1.2.3", "{name}");
            assert!(loaded.without_effect.is_empty(), "{name}: {:?}", loaded.without_effect);
        }
    }
}

#[test]
fn later_layers_count_more() {
    let toml = format!("log.level = \"warn\"\n[server]\nlisten = \"127.0.0.1:1\"\n{ONE}");
    let yaml = "server: {listen: '127.0.0.1:2'}\nregistries:\n  - {name: two, url: 'https://two.example'}\n";
    let json = r#"{"cache": {"max_size": "1MiB"}}"#;
    let files = [("a.toml", toml.as_str()), ("b.yaml", yaml), ("c.json", json)];
    let config = config_of(&files, &[("MCP_REGISTRY_PROXY__SERVER__LISTEN", "127.0.0.1:3")]);
    assert_eq!(config.server.listen.port(), 3);
    assert_eq!(config.log.level, "warn");
    assert_eq!(config.cache.max_size.as_u64(), 1 << 20);
    let names: Vec<_> = config.registries.iter().map(|registry| registry.name.as_str()).collect();
    assert_eq!(names, ["two"], "a later file's registries replace the list");
}

#[test]
fn registries_can_come_from_the_environment() {
    let list = r#"[{name="env", url="https://env.example"}]"#;
    let config = config_of(&[], &[("MCP_REGISTRY_PROXY__REGISTRIES", list)]);
    assert_eq!(config.registries[0].name, "env");
}

#[test]
fn paths_are_relative_to_the_file_that_names_them() {
    let toml = "[[registries]]\nname = \"f\"\nfile = \"lists/f.json\"\n";
    let config = config_of(&[("proxy.toml", toml)], &[]);
    let file = config.registries[0].file.as_ref().expect("a file").relative();
    assert!(file.is_absolute() && file.ends_with("lists/f.json"), "{}", file.display());
}

#[test]
fn tokens_are_taken_from_the_environment_and_never_shown() {
    let toml = format!("{ONE}bearer_token = \"${{ACME_TOKEN}}\"\n");
    let config = config_of(&[("proxy.toml", &toml)], &[("ACME_TOKEN", "c4nary")]);
    assert!(config.registries[0].target().is_ok());
    assert!(!format!("{config:?}").contains("c4nary"));
    let error = error_of(&toml);
    assert!(error.contains("`registries.one.bearer_token` names ${ACME_TOKEN}"), "{error}");
}

#[test]
fn what_cannot_be_read_is_not_quoted() {
    for (name, text) in [
        ("a.toml", "[[registries]]\nbearer_token = \"c4nary\n"),
        ("a.toml", "[[registries]]\nname = \"a\"\nbearer_token = 7355608\n"),
        ("a.toml", "[[registries]]\nname = \"a\"\nheaders = \"X-Key: c4nary\"\n"),
        ("a.yaml", "registries:\n  - bearer_token: \"c4nary\n    name: a\n"),
        ("a.yaml", "registries:\n  - bearer_token: 7355608\n"),
        ("a.json", "{\"registries\": [{\"bearer_token\": \"c4nary\" \"name\": 5}]}"),
        ("a.json", "{\"registries\": [{\"headers\": [\"c4nary\"]}]}"),
    ] {
        let error = load_in(&[(name, text)], &[]).map(|_| ()).expect_err(text);
        assert!(error.starts_with(name) && !error.contains("c4nary") && !error.contains("7355608"), "{error}");
    }
    let error = error_of("[server]\nlisten = \"127.0.0.1:1\n");
    assert!(error.contains("is not TOML: ") && error.contains(" at line 2 column "), "{error}");
}

#[test]
fn errors_name_the_key_the_file_and_the_remedy() {
    for (text, parts) in [
        ("[server]\nlisen = \"x\"\n", &["proxy.toml: `server.lisen` is not a key; expected one of `listen`"][..]),
        ("[server]\nlisten = \"localhost\"\n", &["`server.listen`", "write an IP address and a port"]),
        ("[catalog]\nmerge = \"all\"\n", &["`catalog.merge`", "expected one of `union`, `first`"]),
        ("[health]\ninterval = \"often\"\n", &["`health.interval` \"often\" is not a duration; write 30s"]),
        ("[log]\nlevel = \"lou d\"\n", &["`log.level` \"lou d\" is not a log level"]),
        ("", &["`registries` is empty; add at least one"]),
        ("[[registries]]\nname = \"a\"\n", &["`registries.a.url` is missing; give the registry a `url` or a `file`"]),
        ("[[registries]]\nname = \"a\"\nurl = \"nonsense\"\n", &["proxy.toml: `registries.a.url` is not a URL"]),
        ("[[registries]]\nurl = \"https://x.example\"\n", &["`registries.0.name`", "is not a registry name"]),
        ("[admin]\nlisten = \"0.0.0.0:9090\"\n", &["`admin.token_file` is missing"]),
        ("[server]\ntls_key_file = \"k\"\n", &["`server.tls_certificate_file` is missing beside"]),
        (
            "[server]\ntls_certificate_file = \"c.pem\"\ntls_key_file = \"k.pem\"\n",
            &["proxy.toml: `server.tls_certificate_file`", "c.pem cannot be read"],
        ),
        ("[[registries]]\nname = \"a\"\nuurl = \"x\"\n", &["proxy.toml: `registries.a.uurl` is not a key"]),
        ("[network]\nproxy = \"::\"\n", &["proxy.toml: `network.proxy` is not a proxy URL"]),
        ("[network]\nca_file = \"none.pem\"\n", &["proxy.toml: `network.ca_file`", "cannot be read as PEM"]),
        ("[provenance]\nkey = \"plain\"\n", &["`provenance.key`", "needs a prefix and a slash"]),
        ("[store]\nurl = \"ftp://x\"\n", &["`store.url` is not a Redis URL"]),
        ("[cache]\nmax_size = \"much\"\n", &["`cache.max_size` \"much\" is not a size; write 64MiB"]),
        ("[refresh]\nmax_rate = 0\n", &["`refresh.max_rate` must be between"]),
        ("not toml", &["proxy.toml"]),
    ] {
        let text =
            if text.contains("registries") || text.is_empty() { text.to_owned() } else { format!("{text}{ONE}") };
        let error = error_of(&text);
        assert!(parts.iter().all(|part| error.contains(part)), "{text}\n{error}");
    }
}

#[test]
fn all_problems_are_named_at_once() {
    let error = error_of(&format!("[health]\ninterval = \"0s\"\nhealthy_after = 0\n{ONE}{ONE}file = \"x\"\n"));
    assert_eq!(error.lines().count(), 4, "{error}");
    assert!(error.contains("is the name of two registries"), "{error}");
}

#[test]
fn files_that_cannot_be_read_are_errors() {
    let missing = load(&[PathBuf::from("nowhere.toml")], &Flags::default()).expect_err("missing");
    assert!(missing.to_string().starts_with("nowhere.toml: cannot be read"), "{missing}");
    assert!(load_in(&[("proxy.ini", "")], &[]).is_err_and(|error| error.contains("unknown format")));
}

#[test]
fn flags_count_most() {
    let flags = Flags { listen: Some("127.0.0.1:9".to_owned()), log_level: None };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/quickstart.toml");
    assert_eq!(load(&[root], &flags).map(|loaded| loaded.config.server.listen.port()), Ok(9));
}

#[test]
fn no_error_shows_a_secret() {
    let one = "[[registries]]\nname = \"one\"\nurl = \"https://one.example\"\n";
    let toml = |text: &str| ("proxy.toml", format!("{one}{text}"));
    let files = [
        toml("bearer_token = 918273645\n"),
        toml("bearer_token = [\"918273645\"]\n"),
        toml("bearer_token = \"s-918273645\n"),
        toml("headers = \"Bearer 918273645\"\n"),
        toml("headers = { X-Key = 918273645 }\n"),
        toml("headers = { X-Key = \"918273645\", X-Key = \"918273645\" }\n"),
        toml("bearer_token = \"918273645\" \"918273645\"\n"),
        toml("[network]\nproxy = 918273645\n"),
        toml("[store]\nurl = 918273645\n"),
        ("proxy.toml", "[[registries]]\nname = \"one\"\nurl = 918273645\n".to_owned()),
        ("proxy.yaml", "registries:\n  - name: one\n    bearer_token: [918273645\n".to_owned()),
        ("proxy.yaml", "registries:\n  - name: one\n    bearer_token: {a: 918273645}\n".to_owned()),
        ("proxy.json", "{\"registries\":[{\"name\":\"one\",\"bearer_token\":\"918273645\" x}]}".to_owned()),
        ("proxy.json", "{\"registries\":[{\"name\":\"one\",\"bearer_token\":918273645}]}".to_owned()),
    ];
    for (name, text) in files {
        let error = load_in(&[(name, &text)], &[]).map(|_| ()).expect_err(&text);
        assert!(!error.contains("918273645") && error.contains(name), "{text}\n{error}");
    }
}
