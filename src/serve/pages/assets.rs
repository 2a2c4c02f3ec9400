//! What pages load: one style, one script and one icon of our own, each at a path that names its content, so that a new
//! page never meets an old style.

use std::fmt;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;

use super::super::representation::Representation;

/// Something that pages load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Asset {
    Style,
    Script,
    Icon,
}

/// How much of an asset's digest stands in links to it, in hexadecimal digits.
const MARK_DIGITS: usize = 12;

/// What tells one content of an asset from another, in links to it.
pub(in crate::serve) fn mark(content: &str) -> String {
    blake3::hash(content.as_bytes()).to_hex()[..MARK_DIGITS].to_owned()
}

static MARKS: LazyLock<[String; Asset::ALL.len()]> = LazyLock::new(|| Asset::ALL.map(|asset| mark(asset.content())));

impl Asset {
    pub(in crate::serve) const ALL: [Self; 3] = [Self::Style, Self::Script, Self::Icon];

    /// The one of a file name.
    pub(in crate::serve) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|asset| asset.name() == name)
    }

    /// Its file name.
    pub(in crate::serve) fn name(self) -> &'static str {
        match self {
            Self::Style => "style.css",
            Self::Script => "script.js",
            Self::Icon => "icon.svg",
        }
    }

    fn content(self) -> &'static str {
        match self {
            Self::Style => include_str!("style.css"),
            Self::Script => include_str!("script.js"),
            Self::Icon => include_str!("icon.svg"),
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Style => "text/css; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            Self::Icon => "image/svg+xml",
        })
    }
}

/// The path of a link to it, without the way to the root.
impl fmt::Display for Asset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "assets/{}?{}", self.name(), MARKS[*self as usize])
    }
}

/// All of them, made once.
#[derive(Debug)]
pub(in crate::serve) struct Assets([Arc<Representation>; Asset::ALL.len()]);

impl Assets {
    pub(in crate::serve) fn new() -> Self {
        let now = Timestamp::now();
        let representation = |asset: Asset| {
            Representation::new(asset.content_type(), Bytes::from_static(asset.content().as_bytes()), now)
        };
        Self(Asset::ALL.map(|asset| Arc::new(representation(asset))))
    }

    pub(in crate::serve) fn get(&self, asset: Asset) -> &Arc<Representation> {
        &self.0[asset as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_asset_is_found_by_its_name_and_linked_by_its_content() {
        for asset in Asset::ALL {
            assert_eq!(Asset::of(asset.name()), Some(asset));
            let link = asset.to_string();
            let mark = link.strip_prefix(&format!("assets/{}?", asset.name())).expect("a mark");
            assert_eq!(mark.len(), MARK_DIGITS, "{link}");
            assert_eq!(Assets::new().get(asset).body(), asset.content().as_bytes());
        }
        assert_eq!(Asset::of("style.css?x"), None);
    }

    #[test]
    fn no_asset_loads_anything_from_elsewhere() {
        for asset in Asset::ALL {
            for forbidden in
                ["http://", "https://", "//", "@import", "url(", "eval(", "innerHTML", "insertAdjacentHTML"]
            {
                let content = asset.content().replace("http://www.w3.org/2000/svg", "");
                let found =
                    content.lines().find(|line| line.contains(forbidden) && !line.trim_start().starts_with("//"));
                assert_eq!(found, None, "{} has {forbidden}", asset.name());
            }
        }
    }
}
