//! The manual (README.md and docs/) tells the truth where a machine can see it: links lead somewhere, examples can be
//! read, and every log line is explained. Its commands are run by `.ci/documents.py`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The pages, by their path from the root.
fn pages() -> Vec<(String, String)> {
    let mut paths = vec!["README.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).expect("the manual") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name in UTF-8");
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            paths.push(format!("docs/{name}"));
        }
    }
    assert!(paths.len() > 5, "{paths:?}");
    let read = |path: String| (path.clone(), fs::read_to_string(root().join(&path)).expect("a page"));
    paths.into_iter().map(read).collect()
}

/// A page's text without its fenced blocks.
fn prose(page: &str) -> String {
    page.split("\n```").step_by(2).collect()
}

/// The fenced blocks of a page: language and content.
fn blocks(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap_or((block, "")))
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars()
        .filter(|&character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'))
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    let text = prose(page);
    let headings = text
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    headings.map(anchor).collect()
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let mut count = 0;
    for (path, text) in &pages {
        let folder = root().join(path).parent().expect("a folder").to_owned();
        for target in prose(text).split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
        {
            if target.contains("://") {
                continue;
            }
            count += 1;
            let (file, fragment) = target.split_once('#').map_or((target, None), |(file, part)| (file, Some(part)));
            let file = if file.is_empty() { root().join(path) } else { folder.join(file) };
            assert!(file.exists(), "{path}: {target} leads nowhere");
            if let Some(fragment) = fragment.filter(|_| file.extension().is_some_and(|extension| extension == "md")) {
                let known = anchors(&fs::read_to_string(&file).expect("a page"));
                assert!(known.contains(fragment), "{path}: {target} has no such heading: {known:?}");
            }
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn examples_in_json_and_toml_can_be_read() {
    let mut count = 0;
    for (path, text) in pages() {
        for (language, block) in blocks(&text) {
            match language {
                "json" => {
                    // One shows a member alone, with an ellipsis for what is left out.
                    let whole =
                        if block.trim_start().starts_with('"') { format!("{{{block}}}") } else { block.to_owned() };
                    let read = serde_json::from_str::<serde_json::Value>(&whole);
                    assert!(read.is_ok(), "{path}: {read:?}\n{block}");
                }
                "toml" => {
                    let read = toml::from_str::<toml::Table>(block);
                    assert!(read.is_ok(), "{path}: {read:?}\n{block}");
                }
                _ => continue,
            }
            count += 1;
        }
    }
    assert!(count >= 10, "{count}");
}

/// The messages of the log macros of a source file, without its tests.
fn messages(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let calls = ["warn!(", "error!(", "info!("].into_iter().flat_map(|call| source.split(call).skip(1));
    calls.filter_map(message).collect()
}

/// The last literal of a macro's arguments: its message. `None` where the arguments have none.
fn message(arguments: &str) -> Option<String> {
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    let mut literal = String::new();
    for character in arguments.chars() {
        if quoted {
            match character {
                _ if escaped => {
                    literal.push(character);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => quoted = false,
                _ => literal.push(character),
            }
            continue;
        }
        match character {
            '"' => {
                quoted = true;
                literal.clear();
            }
            '(' => depth += 1,
            ')' if depth == 1 => break,
            ')' => depth -= 1,
            _ => {}
        }
    }
    // A literal over several lines goes on after their indentation.
    let words: Vec<&str> = literal.split_whitespace().collect();
    Some(words.join(" ").replace('`', "")).filter(|message| !message.is_empty())
}

fn source_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "simulation" {
            source_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !name.contains("test") {
            files.push(path);
        }
    }
}

/// Whether a line of the manual is about a message: an ellipsis stands for anything.
fn is_about(line: &str, message: &str) -> bool {
    let Some((start, after)) = line.split_once('…') else { return line == message };
    let Some(mut rest) = message.strip_prefix(start) else { return false };
    let (middle, end) = after.rsplit_once('…').unwrap_or(("", after));
    for piece in middle.split('…') {
        let Some((_, later)) = rest.split_once(piece) else { return false };
        rest = later;
    }
    rest.ends_with(end)
}

#[test]
fn every_log_line_is_explained_and_every_explained_one_exists() {
    let mut files = Vec::new();
    source_files(&root().join("src"), &mut files);
    let mut said = BTreeSet::new();
    for file in files {
        said.extend(messages(&fs::read_to_string(file).expect("a source file")));
    }
    assert!(said.len() > 40, "{said:?}");
    let manual = fs::read_to_string(root().join("docs/operating.md")).expect("the page");
    let section =
        manual.split("\n## Log lines\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the section");
    let first_cells =
        section.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split(" | ").next());
    let explained: Vec<&str> = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let missing: Vec<&String> = said.iter().filter(|said| !explained.iter().any(|line| is_about(line, said))).collect();
    assert!(missing.is_empty(), "docs/operating.md does not explain {missing:#?}");
    let idle: Vec<&&str> = explained.iter().filter(|line| !said.iter().any(|said| is_about(line, said))).collect();
    assert!(idle.is_empty(), "nothing says what docs/operating.md explains: {idle:#?}");
}
