//! Made-up registries of the official one's size and shape (`corpora.md`): more than half of the names have one
//! version, some have hundreds, an entry takes about 1 KB. The same seed makes the same bytes.

use std::fmt::Write as _;

use fastrand::Rng;

/// The official registry in November 2026.
pub const TODAY: Size = Size { names: 31_309, versions: 101_219 };
/// Ten times that.
pub const TENFOLD: Size = Size { names: 10 * TODAY.names, versions: 10 * TODAY.versions };
/// How many entries the official registry puts on a page, at most.
pub const PAGE: usize = 100;

const OFFICIAL: &str = "io.modelcontextprotocol.registry/official";
const SCHEMA: &str = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
const WORDS: [&str; 29] = [
    "data", "cloud", "search", "files", "git", "mail", "chat", "graph", "code", "docs", "sql", "image", "audio",
    "maps", "crypto", "news", "jobs", "notes", "tasks", "tests", "logs", "web", "pay", "auth", "api", "kube", "trace",
    "risk", "shop",
];
/// The first publication, in seconds since 1970, and how many seconds later the last one is.
const FIRST: i64 = 1_757_289_600;
const SPAN: i64 = 38_000_000;
/// Of a hundred names, how many ever publish again.
const GROWING: usize = 45;
/// No name is this many times as busy as another one.
const BUSIEST: f64 = 400.0;

/// How much a registry lists.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub names: usize,
    pub versions: usize,
}

/// One version, as it stands on a page.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub version: String,
    pub json: String,
}

/// All that a registry lists, in the order of its list.
#[derive(Clone, Debug)]
pub struct Corpus {
    pub rows: Vec<Row>,
}

impl Corpus {
    /// Makes one up.
    #[must_use]
    pub fn new(size: Size, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let counts = counts(&mut random, size);
        let mut rows = Vec::with_capacity(size.versions);
        for (number, count) in counts.into_iter().enumerate() {
            push_server(&mut rows, &mut random, number, count);
        }
        rows.sort_by(|left, right| (&left.name, &left.version).cmp(&(&right.name, &right.version)));
        Self { rows }
    }

    /// The pages of its list, by the cursor that asks for each.
    #[must_use]
    pub fn pages(&self, size: usize) -> Vec<(Option<String>, String)> {
        let cursor = |row: &Row| format!("{}:{}", row.name, row.version);
        let pages = self.rows.chunks(size).enumerate().map(|(number, rows)| {
            let asked = number.checked_sub(1).map(|before| cursor(&self.rows[before * size + size - 1]));
            let next = rows.last().filter(|_| (number + 1) * size < self.rows.len()).map(cursor);
            (asked, document(rows, next.as_deref()))
        });
        pages.collect()
    }

    /// All of it in one document, as a registry that is a file.
    #[must_use]
    pub fn document(&self) -> String {
        document(&self.rows, None)
    }

    /// The same rows, but for so many, far apart, that have a new description, and are updated at this instant.
    #[must_use]
    pub fn with_changes(&self, count: usize, updated_at: &str) -> Self {
        let mut rows = self.rows.clone();
        let apart = (rows.len() / count.max(1)).max(1);
        for row in rows.iter_mut().step_by(apart).take(count) {
            row.json = row.json.replacen("\"description\":\"", "\"description\":\"Changed: ", 1);
            let (head, tail) = row.json.split_once("\"updatedAt\":\"").expect("every row has a date");
            let (_, tail) = tail.split_once('"').expect("a text ends");
            row.json = format!("{head}\"updatedAt\":\"{updated_at}\"{tail}");
        }
        Self { rows }
    }

    /// Of [`Corpus::with_changes`], only the rows that are new.
    #[must_use]
    pub fn changes(&self, count: usize, updated_at: &str) -> Self {
        let rows = self.with_changes(count, updated_at).rows.into_iter().zip(&self.rows);
        Self { rows: rows.filter(|(now, before)| now.json != before.json).map(|(now, _)| now).collect() }
    }
}

/// How many versions each name has.
fn counts(random: &mut Rng, size: Size) -> Vec<usize> {
    let mut counts = vec![1; size.names];
    let mut growing: Vec<usize> = (0..size.names).collect();
    random.shuffle(&mut growing);
    growing.truncate((size.names * GROWING / 100).max(1));
    // Pareto's distribution, up to each name.
    let mut sum = 0.0;
    let up_to: Vec<f64> = growing
        .iter()
        .map(|_| {
            sum += (1.0 - random.f64()).powf(-1.0 / 1.1).min(BUSIEST);
            sum
        })
        .collect();
    for _ in size.names..size.versions {
        let at = random.f64() * sum;
        let found = up_to.partition_point(|up_to| *up_to < at).min(growing.len() - 1);
        counts[growing[found]] += 1;
    }
    counts
}

fn push_server(rows: &mut Vec<Row>, random: &mut Rng, number: usize, count: usize) {
    let (one, other) = (word(random), word(random));
    let prefix = ["io.github", "com", "ai", "dev"][random.usize(..4)];
    let owner = format!("{one}{}", number % 997);
    let name = format!("{prefix}.{owner}/{other}-{one}-{number}");
    let mut published: Vec<i64> = (0..count).map(|_| random.i64(0..SPAN)).collect();
    published.sort_unstable();
    for (at, published) in published.into_iter().enumerate() {
        let version = if number.is_multiple_of(97) {
            format!("2026.{:02}.{:02}", at / 28 + 1, at % 28 + 1)
        } else {
            format!("{}.{}.{}", at / 40, at / 8 % 5, at % 8)
        };
        let server = server(random, &Named { one, other, owner: &owner, name: &name, number }, &version);
        let date = jiff::Timestamp::from_second(FIRST + published).expect("in range");
        let json = format!(
            "{{\"server\":{server},\"_meta\":{{\"{OFFICIAL}\":{{\"status\":\"active\",\"statusChangedAt\":\"{date}\",\
             \"publishedAt\":\"{date}\",\"updatedAt\":\"{date}\",\"isLatest\":{}}}}}}}",
            at + 1 == count
        );
        rows.push(Row { name: name.clone(), version, json });
    }
}

/// What a server's texts are made of.
struct Named<'a> {
    one: &'a str,
    other: &'a str,
    owner: &'a str,
    name: &'a str,
    number: usize,
}

fn server(random: &mut Rng, named: &Named<'_>, version: &str) -> String {
    let Named { one, other, owner, name, number } = *named;
    let mut server = format!(
        "{{\"$schema\":\"{SCHEMA}\",\"name\":\"{name}\",\"description\":\"{} {other} server: {}\",\
         \"title\":\"{} {}\",\"version\":\"{version}\",\
         \"repository\":{{\"url\":\"https://github.com/{owner}/{other}-{one}-{number}\",\"source\":\"github\"}}",
        capital(one),
        words(random, 10),
        capital(one),
        capital(other)
    );
    if number % 3 == 0 {
        let _ = write!(
            server,
            ",\"remotes\":[{{\"type\":\"streamable-http\",\"url\":\"https://{other}.{owner}.example/mcp/{number}\"}}]"
        );
    } else {
        let kind = ["npm", "npm", "pypi", "oci"][random.usize(..4)];
        let _ = write!(
            server,
            ",\"packages\":[{{\"registryType\":\"{kind}\",\"identifier\":\"@{owner}/{other}-{number}\",\
             \"version\":\"{version}\",\"transport\":{{\"type\":\"stdio\"}},\"environmentVariables\":["
        );
        for variable in 0..random.usize(..=5) {
            let comma = if variable == 0 { "" } else { "," };
            let _ = write!(
                server,
                "{comma}{{\"name\":\"{}_KEY_{variable}\",\"description\":\"A key for {}\",\"isRequired\":{},\
                 \"isSecret\":true,\"format\":\"string\"}}",
                one.to_uppercase(),
                words(random, 6),
                variable == 0
            );
        }
        server.push_str("]}]");
    }
    server.push('}');
    server
}

fn document(rows: &[Row], next: Option<&str>) -> String {
    let mut text = String::with_capacity(rows.iter().map(|row| row.json.len() + 1).sum::<usize>() + 200);
    text.push_str("{\"servers\":[");
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&row.json);
    }
    text.push_str("],\"metadata\":{");
    if let Some(next) = next {
        let _ = write!(text, "\"nextCursor\":\"{next}\",");
    }
    let _ = write!(text, "\"count\":{}}}}}", rows.len());
    text
}

fn word(random: &mut Rng) -> &'static str {
    WORDS[random.usize(..WORDS.len())]
}

fn words(random: &mut Rng, count: usize) -> String {
    (0..count).map(|_| word(random)).collect::<Vec<_>>().join(" ")
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}
