//! What pages of the dashboard load besides what all pages do: a style and a script. They are on the admin listener
//! alone, at paths that name their content.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use maud::{Markup, html};

use super::super::super::pages::{Root, mark};
use super::super::super::representation::Representation;

/// A style, or a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Asset {
    Style,
    Script,
}

static MARKS: LazyLock<[String; Asset::ALL.len()]> = LazyLock::new(|| Asset::ALL.map(|asset| mark(asset.content())));

static ASSETS: LazyLock<[Arc<Representation>; 2]> = LazyLock::new(|| {
    let now = Timestamp::now();
    Asset::ALL.map(|asset| {
        let content_type = HeaderValue::from_static(asset.content_type());
        Arc::new(Representation::new(content_type, Bytes::from_static(asset.content().as_bytes()), now))
    })
});

impl Asset {
    const ALL: [Self; 2] = [Self::Style, Self::Script];

    /// The one of a file name.
    pub(in super::super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|asset| asset.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Style => "dashboard.css",
            Self::Script => "dashboard.js",
        }
    }

    fn content(self) -> &'static str {
        match self {
            Self::Style => include_str!("style.css"),
            Self::Script => include_str!("script.js"),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Style => "text/css; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
        }
    }

    pub(super) fn representation(self) -> &'static Arc<Representation> {
        &ASSETS[self as usize]
    }

    fn link(self, root: Root) -> String {
        format!("{root}assets/{}?{}", self.name(), MARKS[self as usize])
    }
}

/// What stands in the head of a page for them. The script comes after the one that all pages have.
pub(super) fn links(root: Root) -> Markup {
    html! {
        link rel="stylesheet" href=(Asset::Style.link(root));
        script src=(Asset::Script.link(root)) defer {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_found_by_name_and_load_nothing_from_elsewhere() {
        for asset in Asset::ALL {
            assert_eq!(Asset::of(asset.name()), Some(asset));
            assert_eq!(asset.representation().body(), asset.content().as_bytes());
            for forbidden in ["http:", "https:", "@import", "url(", "eval(", "innerHTML", "insertAdjacentHTML"] {
                assert!(!asset.content().contains(forbidden), "{} has {forbidden}", asset.name());
            }
        }
        let root = Root::of("/dashboard/changes").expect("a page");
        let links = links(root).into_string();
        assert!(
            links.contains("href=\"../assets/dashboard.css?") && links.contains("src=\"../assets/dashboard.js?"),
            "{links}"
        );
    }
}
