use super::*;

fn of(line: &str) -> Launch {
    let words = shlex::split(line).expect("a command line");
    launch(&words[0], &words[1..])
}

#[test]
fn what_is_set_is_known_by_its_name_only() {
    let docker = of("docker run -e A=secret --env B -eC=1 --env-file=.env mcp/x");
    assert_eq!((docker.names, docker.has_other_names), (vec!["A".into(), "B".into(), "C".into()], true));
    assert_eq!(of("env KEY=secret npx -y x").names, ["KEY"]);
    assert_eq!(of("npx mcp-remote https://a.example/mcp --header 'X-Key: secret'").names, ["X-Key"]);
    assert!(of("op run -- npx x").has_other_names);
}

#[test]
fn commands_inside_of_commands_have_an_end() {
    let deep = "cmd /c ".repeat(MAX_DEPTH + 2) + "npx x";
    assert_eq!(of(&deep).target, Target::Unclear(DEEP));
    assert_eq!(of("cmd /c cmd /c npx x").runner, Some("npx"));
}

#[test]
fn a_command_line_in_one_text_is_taken_apart() {
    assert_eq!(launch("npx -y x@1", &[]), of("npx -y x@1"));
    assert_eq!(launch("C:\\Program Files\\x\\npx.cmd", &["x".to_owned()]), of("npx x"));
}
