//! What stands around the content of a page: the head of the document, the way to the other pages, and the end.

use maud::{DOCTYPE, Markup, html};

use super::{Asset, Root, text};

/// A page that the navigation leads to.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct Tab {
    /// What it is called.
    pub(in crate::serve) label: &'static str,
    /// Its path, without the way to the root.
    pub(in crate::serve) to: &'static str,
}

/// A page, but for its content.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct Layout<'a> {
    /// What the browser's tab says first, shortened, and without anything hidden.
    pub(in crate::serve) title: &'a str,
    /// Where the page is.
    pub(in crate::serve) root: Root,
    /// Where the navigation leads.
    pub(in crate::serve) tabs: &'a [Tab],
    /// Which of these the page is, or belongs to.
    pub(in crate::serve) here: Option<&'a str>,
    /// The scripts that it runs.
    pub(in crate::serve) scripts: &'a [Asset],
}

impl Layout<'_> {
    /// The whole document around a content, which begins with its own `h1`.
    pub(in crate::serve) fn document(&self, content: &Markup) -> String {
        self.document_with("no-referrer", &html! {}, content)
    }

    /// The same where others may know this much of where people come from, and with more in its head.
    pub(in crate::serve) fn document_with(&self, referrer: &str, head: &Markup, content: &Markup) -> String {
        let Self { title, root, scripts, .. } = self;
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content=(referrer);
                    title { (text::title(title)) " · mcp-registry-proxy" }
                    link rel="icon" type="image/svg+xml" href={ (root) (Asset::Icon) };
                    link rel="stylesheet" href={ (root) (Asset::Style) };
                    @for script in *scripts { script src={ (root) (script) } defer {} }
                    (head)
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    (self.masthead())
                    main #content tabindex="-1" { (content) }
                    (self.footer())
                }
            }
        };
        markup.into_string()
    }

    fn masthead(&self) -> Markup {
        let root = self.root;
        html! {
            header.masthead {
                div.inner {
                    a.brand href=(root) {
                        img src={ (root) (Asset::Icon) } alt="" width="28" height="28";
                        span { "mcp-registry-proxy" }
                    }
                    nav aria-label="Main" {
                        ul {
                            @for tab in self.tabs {
                                @let is_here = self.here == Some(tab.label);
                                li { a href={ (root) (tab.to) } aria-current=[is_here.then_some("page")] { (tab.label) } }
                            }
                        }
                    }
                }
            }
        }
    }

    fn footer(&self) -> Markup {
        let root = self.root;
        html! {
            footer.footer {
                div.inner {
                    p { "mcp-registry-proxy " (env!("CARGO_PKG_VERSION")) }
                    ul {
                        li { a href={ (root) "docs" } { "API" } }
                        li { a href={ (root) "openapi.yaml" } { "OpenAPI" } }
                        li { a href={ (root) "v0.1/servers" } { "Servers as JSON" } }
                        li { a href={ (root) "registries" } { "Registries as JSON" } }
                        li { a href={ (root) "changes?format=atom" } { "Feed of changes" } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_landmarks_and_links_that_begin_at_the_root() {
        let tabs = [Tab { label: "Servers", to: "" }, Tab { label: "API", to: "docs" }];
        let root = Root::of("/server/a/b").expect("a page");
        let layout =
            Layout { title: "<b>\u{202e}", root, tabs: &tabs, here: Some("Servers"), scripts: &[Asset::Script] };
        let page = layout.document(&html! { h1 { "Hello" } });
        for part in [
            "<!DOCTYPE html><html lang=\"en\">",
            "<title>&lt;b&gt;⟨U+202E⟩ · mcp-registry-proxy</title>",
            "<a class=\"skip\" href=\"#content\">",
            "<main id=\"content\" tabindex=\"-1\"><h1>Hello</h1></main>",
            "<li><a href=\"../../\" aria-current=\"page\">Servers</a></li><li><a href=\"../../docs\">API</a></li>",
            "<script src=\"../../assets/script.js?",
            "<link rel=\"stylesheet\" href=\"../../assets/style.css?",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
}
