//! The house rules that a machine can check: who imports whom, and how long files get.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The longest file of the sources, in lines.
const MAX_LINES: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The top module that a source file belongs to.
fn module_of(file: &Path) -> String {
    let relative = file.strip_prefix(root().join("src")).expect("a source file");
    let first = relative.components().next().expect("a component").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The table in `src/lib.rs`: module → the modules that it may import.
fn allowed_imports() -> BTreeMap<String, BTreeSet<String>> {
    let map = fs::read_to_string(root().join("src/lib.rs")).expect("the map");
    let table = map.split("# Who may import whom").nth(1).and_then(|rest| rest.split("# Invariants").next());
    let mut allowed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in table.expect("the table").lines().filter(|line| line.starts_with("//! | ")).skip(1) {
        let cells: Vec<&str> = row.trim_start_matches("//! |").split('|').map(str::trim).collect();
        let mut modules: BTreeSet<String> = BTreeSet::new();
        if cells[1].starts_with("all of the above") {
            modules.extend(allowed.keys().cloned());
            modules.insert("telemetry".to_owned());
        }
        let words = cells[1].split(|character: char| !character.is_ascii_lowercase()).map(str::to_owned);
        modules.extend(words.filter(|word| {
            root().join("src").join(format!("{word}.rs")).exists() || root().join("src").join(word).is_dir()
        }));
        allowed.insert(cells[0].to_owned(), modules);
    }
    assert!(allowed.len() >= 8, "the table has lost rows: {allowed:?}");
    allowed
}

#[test]
fn modules_import_only_what_the_table_in_lib_rs_allows() {
    let allowed = allowed_imports();
    let mut offences = Vec::new();
    for file in rust_files(&root().join("src")) {
        let module = module_of(&file);
        let text = fs::read_to_string(&file).expect("a source file");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for rest in line.split("crate::").skip(1) {
                let names = rest.strip_prefix('{').map_or_else(
                    || vec![rest],
                    |group| group.trim_end_matches("};").split(',').map(str::trim).collect(),
                );
                for name in names {
                    let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    let is_allowed =
                        name == module || allowed.get(&module).is_some_and(|modules| modules.contains(&name));
                    if !name.is_empty() && !is_allowed {
                        offences.push(format!("{}: {module} imports {name}", file.display()));
                    }
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_pure_modules_have_no_clock_no_await_and_no_io() {
    for file in ["src/catalog", "src/inspect"].iter().flat_map(|module| rust_files(&root().join(module))) {
        let text = fs::read_to_string(&file).expect("a source file");
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for forbidden in
            [".await", "async fn", "tokio::", "std::fs", "std::net", "Instant::now", "Timestamp::now", "SystemTime"]
        {
            assert!(!code.iter().any(|line| line.contains(forbidden)), "{} has {forbidden}", file.display());
        }
    }
}

#[test]
fn no_source_file_is_longer_than_it_may_be() {
    for file in rust_files(&root().join("src")) {
        let lines = fs::read_to_string(&file).expect("a source file").lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines; split it along a seam that exists", file.display());
    }
}

/// The sections of docs/faults.md, with the letter and the number of their last row.
const FAULTS: [(&str, char, u32); 4] = [
    ("## Registries", 'U', 58),
    ("## Clients", 'C', 30),
    ("## The process and its store", 'P', 17),
    ("## Replicas", 'R', 17),
];

/// The cells of the rows of a table.
fn rows(section: &str) -> Vec<Vec<&str>> {
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |"));
    rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

fn has_function(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.contains(&format!("fn {name}("))
}

/// Whether a test exists: `module::name` in tests/it/module.rs or under tests/it/module/, `src/….rs::name` in that file,
/// a name alone anywhere. A file may be named by itself, and so may what is no test: a key or a flag.
fn exists(test: &str) -> bool {
    let Some((place, name)) = test.rsplit_once("::") else {
        let is_name = test.matches('_').count() > 1 && !test.contains('.');
        let places = || rust_files(&root().join("src")).into_iter().chain(rust_files(&root().join("tests")));
        return match test {
            file if file.starts_with("src/") || file.starts_with(".ci/") => root().join(file).is_file(),
            name if is_name => places().any(|file| has_function(&file, name)),
            _ => true,
        };
    };
    if place.starts_with("src/") {
        return has_function(&root().join(place), name);
    }
    let file = root().join(format!("tests/it/{}.rs", place.replace("::", "/")));
    let directory = root().join("tests/it").join(place.replace("::", "/"));
    has_function(&file, name)
        || directory.is_dir() && rust_files(&directory).iter().any(|file| has_function(file, name))
}

#[test]
fn the_catalogue_of_faults_is_complete_and_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("docs/faults.md")).expect("the catalogue");
    for (heading, letter, last) in FAULTS {
        let section = text.split(heading).nth(1).and_then(|rest| rest.split("\n## ").next()).expect(heading);
        let rows = rows(section);
        let numbers: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
        assert_eq!(numbers.len(), rows.len(), "{heading} has a number twice");
        let missing: Vec<String> = (1..=last)
            .map(|number| format!("{letter}{number}"))
            .filter(|row| !numbers.contains(row.as_str()))
            .collect();
        assert!(missing.is_empty(), "{heading} lacks {missing:?}");
        for row in rows {
            assert_eq!(row.len(), 4, "{row:?}");
            let tests: Vec<&str> = row[3].split('`').skip(1).step_by(2).collect();
            assert!(!tests.is_empty() && row[1..3].iter().all(|cell| !cell.is_empty()), "{row:?}");
            for test in tests {
                assert!(exists(test), "{}: there is no test {test}", row[0]);
            }
        }
    }
}
