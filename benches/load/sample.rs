//! What the benchmark has to know of the registry that is mirrored.

use crate::corpus::{Corpus, Size};

/// Of everything that is made up.
pub(crate) const SEED: u64 = 2_026;

/// A version of a server.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Of its JSON as the registry gives it.
    pub(crate) bytes: usize,
}

/// All versions of a registry, in its order, and what searches look at.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) versions: Vec<Known>,
    /// The compact JSON of all entries, in bytes.
    pub(crate) bytes: usize,
    /// Of each version, in lower case: name, title and description, apart.
    pub(crate) texts: Vec<String>,
}

impl Sample {
    pub(crate) fn new(size: Size) -> Self {
        let corpus = Corpus::new(size, SEED);
        let texts = corpus.rows.iter().map(|row| {
            let [title, description] = ["title", "description"].map(|key| text_of(&row.json, key));
            format!("{}\0{title}\0{description}", row.name).to_lowercase()
        });
        let texts = texts.collect();
        let known = |row: crate::corpus::Row| Known { bytes: row.json.len(), name: row.name, version: row.version };
        let versions: Vec<_> = corpus.rows.into_iter().map(known).collect();
        Self { bytes: versions.iter().map(|known| known.bytes).sum(), versions, texts }
    }
}

/// The first text of that name in a document. Those of the corpus have no escapes.
fn text_of<'a>(json: &'a str, key: &str) -> &'a str {
    let rest = json.split_once(&format!("\"{key}\":\"")).map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default()
}

/// The path of one version.
pub(crate) fn path(known: &Known, version: &str) -> String {
    let name: String = form_urlencoded::byte_serialize(known.name.as_bytes()).collect();
    format!("/v0.1/servers/{name}/versions/{version}")
}
