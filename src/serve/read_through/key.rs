//! What is asked of registries: a name, and a version of it, or all of them. Pure; here is decided which texts
//! may leave the house at all.

use super::super::cache::CatalogRequest;
use super::super::escapes::readings;
use super::super::pages::Page;
use crate::catalog::entry::Name;
use crate::registry::lookup::Asked;

/// The longest name and the longest version that the schema allows, in bytes (registry-api.md §5).
const MAX_NAME_BYTES: usize = 200;
const MAX_VERSION_BYTES: usize = 255;

/// What one flight is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) name: Name,
    pub(super) asked: Asked,
}

impl Key {
    /// What a request asks for, where registries may be asked for it: never a list, and only what can be a name and
    /// a version.
    pub(super) fn of(request: &CatalogRequest) -> Option<Self> {
        let (name, version) = match request {
            CatalogRequest::List(_) | CatalogRequest::Inspection(_) | CatalogRequest::Page(Page::Browse(_)) => {
                return None;
            }
            CatalogRequest::Page(Page::Server { name, version, .. }) => (name, version.as_ref()),
            CatalogRequest::Versions { name, .. } => (name, None),
            CatalogRequest::Version { name, version, .. } => (name, Some(version)),
        };
        let name = Name::new(&readings(name).find(|name| can_be_name(name))?).ok()?;
        let asked = match version.map(String::as_str) {
            None | Some("latest") => Asked::All,
            Some(version) => Asked::Exactly(readings(version).find(|version| can_be_version(version))?.into()),
        };
        Some(Self { name, asked })
    }

    /// The whole name. What nobody serves yet is asked for as a whole, whatever version is wanted: which one is the
    /// latest, and whose they are, the merge only knows of all of them.
    pub(super) fn widened(self) -> Self {
        Self { asked: Asked::All, ..self }
    }

    /// Roughly what it takes of memory.
    pub(super) fn bytes(&self) -> usize {
        let version = if let Asked::Exactly(version) = &self.asked { version.len() } else { 0 };
        self.name.as_str().len() + version
    }
}

/// The schema's grammar. A part without a letter or a digit, `..` above all, is a path and no name.
fn can_be_name(text: &str) -> bool {
    let Some((namespace, name)) = text.split_once('/') else { return false };
    let is_part = |part: &str, more: &[u8]| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
        part.bytes().any(|byte| byte.is_ascii_alphanumeric()) && part.bytes().all(is_allowed)
    };
    text.len() <= MAX_NAME_BYTES && is_part(namespace, b".-") && is_part(name, b"._-")
}

/// Versions are free text; but none has a slash or an escape in it, and what has no letter and no digit is a path.
fn can_be_version(text: &str) -> bool {
    let is_allowed = |char: char| !char.is_control() && !matches!(char, '/' | '\\' | '%');
    text.len() <= MAX_VERSION_BYTES && text.contains(char::is_alphanumeric) && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, version: Option<&str>) -> Option<(String, Asked)> {
        let (name, include_deleted) = (name.to_owned(), false);
        let request = match version {
            None => CatalogRequest::Versions { name, include_deleted },
            Some(version) => CatalogRequest::Version { name, version: version.to_owned(), include_deleted },
        };
        Key::of(&request).map(|key| (key.name.to_string(), key.asked))
    }

    #[test]
    fn only_what_can_be_a_name_leaves_the_house() {
        let long = format!("com.example/{}", "x".repeat(188));
        for good in ["com.example/a", "io.github.Some-One/my_server.v2", "a/b", &long] {
            assert_eq!(of(good, None), Some((good.to_owned(), Asked::All)), "{good}");
        }
        let too_long = format!("{long}x");
        for bad in [
            "",
            "no-slash",
            "Salesforce DX MCP",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "../..",
            "a/..",
            "a/.",
            "-/a",
            "com.example/a b",
            "com.example/ä",
            "com_example/a",
            "com.example/a?x=1",
            "com.example/a\n",
            "com.example/%",
            &too_long,
        ] {
            assert_eq!(of(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn only_what_can_be_a_version_leaves_the_house() {
        let version = |version: &str| of("a/b", Some(version)).map(|(_, asked)| asked);
        assert_eq!(version("latest"), Some(Asked::All), "the merge decides which one that is");
        for good in ["1.0.0", "1.0.0+build.5", "v2", "{{VERSION}}", "1.0.1º", "2026 beta"] {
            assert_eq!(version(good), Some(Asked::Exactly(good.into())), "{good}");
        }
        for bad in ["", ".", "..", "1/2", "1\\2", "1\u{7f}", "50%", &"1".repeat(256)] {
            assert_eq!(version(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_encoded_twice_is_asked_for_as_it_is_meant() {
        assert_eq!(of("a%2Fb", Some("1%2B2")), Some(("a/b".to_owned(), Asked::Exactly("1+2".into()))));
    }
}
