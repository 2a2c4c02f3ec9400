//! What commands print, and where: `list`, `openapi`, `completions`, help, versions, pipes and colours.

use std::process::Stdio;

use http::Method;
use serde_json::Value;

use super::configuration;
use crate::support::binary::{Finished, Workplace};
use crate::support::entry::{Entry, keys, numbered};
use crate::support::http::send;
use crate::support::raw::nobody;
use crate::support::registry::{Behaviour, FakeRegistry};

#[tokio::test]
async fn list_prints_the_latest_of_each_server_and_names_what_is_missing() {
    let entries = vec![
        Entry::new("com.a/search", "1.0.0").server("description", "Old"),
        Entry::new("com.a/search", "2.0.0").server("description", "New \u{1b}[31mand\u{202e} red\r\n"),
        Entry::new("com.a/dep", "1.0.0").official("status", "deprecated"),
        Entry::new("com.a/gone", "1.0.0").deleted(),
    ];
    let registry = FakeRegistry::start(entries).await;
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration(&[("down", &nobody().await), ("alpha", &registry.url())]));
    let list = ["list", "--config", "proxy.toml"];
    let finished = workplace.run(&list).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    let text = finished.stdout();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("NAME") && lines[1].starts_with("com.a/dep"), "{text}");
    assert!(lines[1].contains("alpha") && lines[1].contains("(deprecated) "), "{text}");
    assert!(
        lines[2].contains("2.0.0") && lines[2].contains("New \u{fffd}[31mand\u{fffd} red\u{fffd}\u{fffd}"),
        "{text}"
    );
    let errors = finished.stderr();
    assert!(errors.starts_with("warning: `down` is left out: ") && errors.ends_with("2 servers\n"), "{errors}");
    assert!(!errors.contains("INFO") && !errors.contains('\u{1b}'), "{errors}");

    let finished = workplace.run(&[&list[..], &["--search", "RED"]].concat()).await;
    assert_eq!(finished.stdout().lines().count(), 2, "{}", finished.stdout());
    let finished = workplace.run(&[&list[..], &["--search", "nobody has this"]].concat()).await;
    assert_eq!((finished.code(), finished.stdout().lines().count()), (Some(0), 1));

    let finished = workplace.run(&[&list[..], &["--json"]].concat()).await;
    let document: Value = serde_json::from_str(&finished.stdout()).expect("one JSON document");
    assert_eq!(keys(document["servers"].as_array().expect("a list")), ["com.a/dep@1.0.0", "com.a/search@2.0.0"]);
    assert_eq!(document["metadata"]["count"], 2);
    assert!(document["servers"][0]["_meta"]["mcp-registry-proxy/provenance"]["registry"] == "alpha");
}

#[tokio::test]
async fn list_ends_with_1_where_nothing_could_be_fetched() {
    let failing = FakeRegistry::start(Vec::new()).await;
    failing.always(Behaviour::status(500));
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration(&[("down", &nobody().await), ("failing", &failing.url())]));
    for json in [&[][..], &["--json"]] {
        let finished = workplace.run(&[&["list", "--config", "proxy.toml"], json].concat()).await;
        assert_eq!((finished.code(), finished.stdout().as_str()), (Some(1), ""), "{}", finished.stderr());
        for part in ["`down` is left out", "`failing` is left out", "error: nothing", "hint: `mcp-registry-proxy test`"]
        {
            assert!(finished.stderr().contains(part), "{}", finished.stderr());
        }
    }
}

#[tokio::test]
async fn the_description_is_the_one_that_is_served() {
    let registry = FakeRegistry::start(numbered("a", 1)).await;
    let workplace = Workplace::new();
    let head = "[server]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n".to_owned();
    workplace.write("proxy.toml", head + &configuration(&[("alpha", &registry.url())]));
    let serving = workplace.serve(&["--config", "proxy.toml"]).await;
    for (arguments, path) in [(&["openapi"][..], "/openapi.yaml"), (&["openapi", "--json"], "/openapi.json")] {
        let finished = workplace.run(arguments).await;
        assert_eq!(finished.code(), Some(0));
        assert!(finished.stdout() == send(serving.address, Method::GET, path).await.text(), "{path}");
    }
    let version = send(serving.address, Method::GET, "/v0/version").await.json();
    let text = workplace.run(&["--version"]).await.stdout();
    let commit = version["git_commit"].as_str().expect("a text");
    let commit = commit.get(..12).unwrap_or(commit);
    let expected = format!(
        "mcp-registry-proxy {} (commit {commit}, {})\n",
        env!("CARGO_PKG_VERSION"),
        version["build_time"].as_str().expect("a text")
    );
    assert_eq!(text, expected);
}

#[tokio::test]
async fn every_shell_gets_completions_for_every_command() {
    let workplace = Workplace::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let finished = workplace.run(&["completions", shell]).await;
        assert_eq!((finished.code(), finished.stderr().as_str()), (Some(0), ""), "{shell}");
        for word in ["validate", "healthcheck", "remove", "log-level"] {
            assert!(finished.stdout().contains(word), "{shell} lacks {word}");
        }
    }
    let finished = workplace.run(&["completions", "tcsh"]).await;
    assert_eq!(finished.code(), Some(64), "{}", finished.stderr());
}

#[tokio::test]
async fn what_is_misspelt_is_answered_with_what_was_meant() {
    let workplace = Workplace::new();
    for (arguments, part) in [
        (&["serv"][..], "'serve'"),
        (&["list", "--serch", "x"], "'--search'"),
        (&["export", "--format", "nd-json"], "ndjson"),
        (&["validate"], "<FILE>"),
        (&["add", "one"], "<URL>"),
    ] {
        let finished = workplace.run(arguments).await;
        assert_eq!((finished.code(), finished.stdout().as_str()), (Some(64), ""), "{arguments:?}");
        assert!(finished.stderr().contains(part), "{}", finished.stderr());
    }
}

#[tokio::test]
async fn help_goes_to_standard_output_and_so_does_what_was_asked_for() {
    let workplace = Workplace::new();
    for arguments in [&["--help"][..], &["help"], &["list", "--help"], &["help", "add"], &["-h"]] {
        let finished = workplace.run(arguments).await;
        assert_eq!((finished.code(), finished.stderr().as_str()), (Some(0), ""), "{arguments:?}");
        assert!(finished.stdout().contains("Usage: mcp-registry-proxy"), "{}", finished.stdout());
    }
    let finished = workplace.run(&[]).await;
    assert_eq!(finished.code(), Some(64));
    assert!(finished.stderr().contains("Configure:"), "{}", finished.stderr());
}

/// What a shell says of a command, `$proxy`.
async fn shell(workplace: &Workplace, script: &str) -> Finished {
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", script]).env_clear().current_dir(workplace.path("")).stdin(Stdio::null());
    command.env("proxy", env!("CARGO_BIN_EXE_mcp-registry-proxy")).env("PATH", "/usr/bin:/bin");
    Finished::of(command).await
}

#[tokio::test]
async fn nobody_who_reads_on_is_no_error() {
    let registry = FakeRegistry::start(numbered("a", 2_000)).await;
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration(&[("alpha", &registry.url())]));
    for command in [
        "list",
        "list --json",
        "export --format ndjson",
        "export --format managed-settings",
        "openapi",
        "completions bash",
        "config",
        "check",
        "--help",
    ] {
        let script =
            format!("($proxy {command} --config proxy.toml; echo $? >&2) 2>err | head -c 1 >/dev/null; cat err");
        let finished = shell(&workplace, &script.replace("--help --config proxy.toml", "--help")).await;
        assert!(finished.stdout().ends_with("0\n"), "{command}: {}", finished.stdout());
        for word in ["panicked", "Broken pipe", "error"] {
            assert!(!finished.stdout().contains(word), "{command}: {}", finished.stdout());
        }
    }
    // Standard error that is closed is none either.
    let finished = shell(&workplace, "$proxy list --config proxy.toml 2>&- | wc -l").await;
    assert_eq!(finished.stdout().trim(), "2001");
}

#[tokio::test]
async fn colours_are_for_terminals_and_who_asks_for_them() {
    let registry = FakeRegistry::start(numbered("a", 2)).await;
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration(&[("alpha", &registry.url())]));
    for command in ["test", "list", "check", "config"] {
        for (flags, is_coloured) in [(&[][..], false), (&["--color", "always"], true), (&["--color", "never"], false)] {
            let finished = workplace.run(&[&[command, "--config", "proxy.toml"], flags].concat()).await;
            assert_eq!(finished.stdout().contains('\u{1b}'), is_coloured, "{command} {flags:?}: {}", finished.stdout());
        }
        let finished = workplace.run(&[command, "--config", "missing.toml", "--color", "always"]).await;
        assert!(finished.stderr().contains('\u{1b}'), "{}", finished.stderr());
    }
    for arguments in [&["--help"][..], &["list", "--help"], &["help"], &["serv"]] {
        for (flags, is_coloured) in [(&["--color", "always"][..], true), (&["--color=never"], false)] {
            let finished = workplace.run(&[flags, arguments].concat()).await;
            let text = finished.stdout() + &finished.stderr();
            assert_eq!(text.contains('\u{1b}'), is_coloured, "{arguments:?} {flags:?}: {text}");
        }
    }
}

#[tokio::test]
async fn names_that_are_not_utf_8_are_files_too() {
    use std::os::unix::ffi::OsStrExt as _;
    let workplace = Workplace::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.toml");
    std::fs::write(workplace.path("").join(name), configuration(&[("alpha", "https://a.example")])).expect("a file");
    for command in ["check", "config"] {
        let mut command = workplace.command(&[command, "--config"]);
        command.arg(name).env(std::ffi::OsStr::from_bytes(b"OTHER\xff"), "x");
        let finished = Finished::of(command).await;
        assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    }
}
