//! What stands before a runner: shells, `env`, and programs that set variables or fetch secrets and then run another.

use super::{LOCAL, Launch, SCRIPT, at_depth};

/// What makes more of a text than one command with its arguments.
const SYNTAX: &[char] = &[';', '|', '&', '<', '>', '`', '\n', '(', ')'];

/// A command line in one text, with assignments before it.
pub(super) fn line(text: &str, depth: usize) -> Launch {
    if text.contains(SYNTAX) || text.contains("$(") {
        return Launch::unclear(None, SCRIPT);
    }
    // Those of Windows are not escapes.
    let words = if text.contains('\\') { shlex::split(&text.replace('\\', "/")) } else { shlex::split(text) };
    match words {
        Some(words) => words_of(words.strip_prefix(&["exec".to_owned()]).unwrap_or(&words), depth),
        None => Launch::unclear(None, SCRIPT),
    }
}

/// Assignments, then a command.
fn words_of(words: &[String], depth: usize) -> Launch {
    let assignments: Vec<String> = words.iter().map_while(|word| assigned(word)).collect();
    match &words[assignments.len()..] {
        [command, arguments @ ..] => {
            let mut launch = at_depth(command, arguments, depth + 1);
            launch.names.extend(assignments);
            launch
        }
        [] => Launch::default(),
    }
}

/// The name of the variable that `NAME=value` sets.
pub(super) fn assigned(word: &str) -> Option<String> {
    let (name, _) = word.split_once('=')?;
    let is_name = name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
    is_name.then(|| name.to_owned())
}

/// What a program that is no runner runs in turn.
pub(super) fn unwrapped(name: &str, arguments: &[String], depth: usize) -> Launch {
    let from = |at: usize| words_of(arguments.get(at..).unwrap_or_default(), depth);
    match name {
        "cmd" => windows(arguments, depth),
        "sh" | "bash" | "zsh" | "dash" | "fish" | "ksh" | "powershell" | "pwsh" => script(arguments, depth),
        "env" => environment(arguments, depth),
        "wsl" => from(arguments.iter().take_while(|word| word.starts_with('-')).count()),
        "sudo" | "nohup" | "time" | "command" | "exec" | "arch" | "nice" => {
            from(arguments.iter().take_while(|word| word.starts_with('-')).count())
        }
        "timeout" => from(1 + arguments.iter().take_while(|word| word.starts_with('-')).count()),
        "op" | "doppler" | "infisical" | "mise" | "dotenv" | "dotenvx" | "direnv" | "aws-vault" | "chamber"
        | "vault" | "sops" | "teller" | "fnm" | "volta" | "asdf" | "nix" => {
            match arguments.iter().position(|word| word == "--") {
                Some(at) => Launch { has_other_names: true, ..from(at + 1) },
                None => Launch::unclear(None, LOCAL),
            }
        }
        _ => Launch::unclear(None, LOCAL),
    }
}

/// `cmd /d /s /c npx …`, the rest in one argument or in several.
fn windows(arguments: &[String], depth: usize) -> Launch {
    let switches = arguments.iter().take_while(|word| word.starts_with('/') && word.len() < 4).count();
    match &arguments[switches..] {
        [text] if text.contains(' ') => line(text, depth),
        words if words.iter().any(|word| word == "&&" || word == "&" || word == "|") => Launch::unclear(None, SCRIPT),
        words => words_of(words, depth),
    }
}

/// `sh -c "npx …"`, `bash -l -c "…"`, `powershell -Command npx …`.
fn script(arguments: &[String], depth: usize) -> Launch {
    let is_switch = |word: &str| {
        let lower = word.to_ascii_lowercase();
        (lower.starts_with('-') && !lower.starts_with("--") && lower.ends_with('c')) || lower == "-command"
    };
    match arguments.iter().position(|word| is_switch(word)).map(|at| &arguments[at + 1..]) {
        Some([text]) => line(text, depth),
        Some(words @ [_, _, ..]) => match words.iter().any(|word| word.contains(SYNTAX)) {
            true => Launch::unclear(None, SCRIPT),
            // What follows a POSIX shell's script is `$0` and its arguments; PowerShell takes all as the command.
            false if words[0].contains(' ') => line(&words[0], depth),
            false => words_of(words, depth),
        },
        _ => Launch::unclear(None, SCRIPT),
    }
}

/// `env -i -u NAME NAME=value npx …`.
fn environment(arguments: &[String], depth: usize) -> Launch {
    let mut at = 0;
    while let Some(word) = arguments.get(at).filter(|word| word.starts_with('-')) {
        match word.as_str() {
            "-S" | "--split-string" => {
                return arguments.get(at + 1).map_or_else(Launch::default, |text| line(text, depth));
            }
            "-u" | "--unset" | "-C" | "--chdir" => at += 2,
            _ => at += 1,
        }
    }
    words_of(arguments.get(at..).unwrap_or_default(), depth)
}
