//! How a page links to others: relative to where it is itself, so that the listener may stand below any path of another
//! server (`https://example.com/registry/`).

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Tab;

/// The most slashes of a path that a page may have. A name with more of them is reached by its other spelling.
const MAX_DEPTH: usize = 8;

/// What stays as it is in a segment of a path, or in a value of a query.
const NEEDS_ESCAPE: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of the list of servers on the admin listener.
const BROWSE: &str = "browse";

/// The pages that everybody may see.
const TABS: [Tab; 3] =
    [Tab { label: "Servers", to: "" }, Tab { label: "Registries", to: "status" }, Tab { label: "API", to: "docs" }];

/// Those of the admin listener.
const ADMIN_TABS: [Tab; 6] = [
    Tab { label: "Registries", to: "" },
    Tab { label: "Servers", to: BROWSE },
    Tab { label: "Changes", to: "dashboard/changes" },
    Tab { label: "Conflicts", to: "dashboard/conflicts" },
    Tab { label: "Duplicates", to: "dashboard/duplicates" },
    Tab { label: "Metrics", to: "metrics" },
];

/// The way from a page to the root of its listener. Written out, it stands before the path of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::serve) struct Root {
    /// How many folders up.
    up: usize,
    /// Whether it is that of the admin listener, where the dashboard is, and the list of servers elsewhere.
    is_admin: bool,
}

impl Root {
    /// From the page at a path; none where that is deeper than pages are.
    pub(in crate::serve) fn of(path: &str) -> Option<Self> {
        let up = path.strip_prefix('/')?.matches('/').count();
        (up <= MAX_DEPTH).then_some(Self { up, is_admin: false })
    }

    /// The same on this listener.
    pub(in crate::serve) fn on(self, is_admin: bool) -> Self {
        Self { is_admin, ..self }
    }

    /// The link to the list of servers.
    pub(in crate::serve) fn to_servers(self) -> String {
        format!("{self}{}", if self.is_admin { BROWSE } else { "" })
    }

    /// Where the navigation of the pages leads.
    pub(in crate::serve) fn tabs(self) -> &'static [Tab] {
        if self.is_admin { &ADMIN_TABS } else { &TABS }
    }

    /// The link to the page of a server, in one version or in its latest.
    pub(in crate::serve) fn to_server(self, name: &str, version: Option<&str>) -> String {
        let path = match name.split_once('/') {
            // As people read it, where no browser takes a part of it for something else.
            Some((space, name)) if is_plain(space) && is_plain(name) => format!("{space}/{name}"),
            _ => escaped(name),
        };
        let query = version.map(|version| format!("?version={}", escaped(version))).unwrap_or_default();
        format!("{self}server/{path}{query}")
    }
}

impl fmt::Display for Root {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.up == 0 {
            return formatter.write_str("./");
        }
        (0..self.up).try_for_each(|_| formatter.write_str("../"))
    }
}

/// Whether a text is a segment of a path as it stands, and stays one: browsers resolve `.` and `..`.
fn is_plain(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// A text as a segment of a path, or as a value of a query.
pub(in crate::serve) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, &NEEDS_ESCAPE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_root_from_wherever_the_page_is() {
        for (path, root) in [
            ("/", Some("./")),
            ("/status", Some("./")),
            ("/server/a%2Fb", Some("../")),
            ("/server/a/b", Some("../../")),
            ("/server/a/b/", Some("../../../")),
            ("/1/2/3/4/5/6/7/8/9", Some("../../../../../../../../")),
            ("/1/2/3/4/5/6/7/8/9/", None),
            ("*", None),
        ] {
            assert_eq!(Root::of(path).map(|root| root.to_string()).as_deref(), root, "{path}");
        }
    }

    #[test]
    fn the_list_of_servers_is_elsewhere_where_the_dashboard_is() {
        for (path, public, admin) in [("/", "./", "./browse"), ("/server/a/b", "../../", "../../browse")] {
            let root = Root::of(path).expect("a page");
            assert_eq!(
                (root.to_servers(), root.on(true).to_servers()),
                (public.to_owned(), admin.to_owned()),
                "{path}"
            );
            let servers = |root: Root| root.tabs().iter().find(|tab| tab.label == "Servers").map(|tab| tab.to);
            assert_eq!((servers(root), servers(root.on(true))), (Some(""), Some("browse")));
        }
    }

    #[test]
    fn a_link_to_a_server_is_one_whatever_it_is_called() {
        let root = Root::default();
        for (name, link) in [
            ("com.example/a-b", "./server/com.example/a-b"),
            ("Salesforce DX MCP", "./server/Salesforce%20DX%20MCP"),
            ("a/b/c", "./server/a%2Fb%2Fc"),
            ("a/..", "./server/a%2F.."),
            ("../x", "./server/..%2Fx"),
            ("a/", "./server/a%2F"),
            ("a/b?c#d", "./server/a%2Fb%3Fc%23d"),
            ("\"><script>", "./server/%22%3E%3Cscript%3E"),
            ("a%2Fb", "./server/a%252Fb"),
        ] {
            assert_eq!(root.to_server(name, None), link);
        }
        let up = Root::of("/server/a/b").expect("a page");
        assert_eq!(up.to_server("a/b", Some("1.0+2")), "../../server/a/b?version=1.0%2B2");
    }
}
