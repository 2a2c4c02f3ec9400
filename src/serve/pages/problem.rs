//! What people see where there is no page: what is wrong, and where to go from there.

use maud::{Markup, html};

use super::super::error::Problem;
use super::layout::Layout;
use super::parts::{Tone, badge};
use super::{Asset, Root, text};

/// A registry, and how it stands.
pub(in crate::serve) type Standing = (String, String);

/// The page of a problem that a person can meet; none for those that only programs do. `registries` are those that
/// answers depend on.
pub(in crate::serve) fn page(problem: &Problem, root: Root, registries: &[Standing]) -> Option<String> {
    let (title, said) = match problem {
        Problem::NotListed => ("Not listed", "No registry lists a server of this name and version."),
        Problem::NotListedYet => {
            ("Not listed", "No registry that has answered lists a server of this name and version.")
        }
        Problem::NotFound(_) => ("Not found", "There is no such page."),
        Problem::Validation(_) => ("That cannot be asked for", "A filter has a value that there is not."),
        Problem::BadRequest(_) => ("That cannot be asked for", "The address of the page is not understood."),
        Problem::Unavailable(_) => {
            ("Not known at the moment", "The registries that could tell cannot be relied on now.")
        }
        Problem::Overloaded => ("Too busy", "Too many requests are being answered. Try again in a second."),
        Problem::Internal => ("A fault of the proxy", "Its log says more."),
        _ => return None,
    };
    let content = html! {
        p.crumbs { a href=(root.to_servers()) { "All servers" } }
        h1 { (title) }
        p.lead { (said) }
        (details(problem))
        @if matches!(problem, Problem::Unavailable(_)) { (standings(registries)) }
        p { a.button.main href=(root.to_servers()) { "Search all servers" } " " a.button href={ (root) "status" } { "Registries" } }
    };
    let layout = Layout { title, root, tabs: root.tabs(), here: None, scripts: &[Asset::Script] };
    Some(layout.document(&content))
}

fn details(problem: &Problem) -> Markup {
    match problem {
        Problem::Validation(invalid) => html! {
            ul { @for one in invalid { li { (text::code(&one.location)) ": " (text::prose(&one.message)) } } }
        },
        Problem::BadRequest(detail) => html! { p { (text::prose(detail)) } },
        Problem::Unavailable(detail) => {
            // What follows names the registries, which have a list of their own.
            html! { p { (text::prose(detail.split(": ").next().unwrap_or_default())) "." } }
        }
        _ => html! { p {} },
    }
}

fn standings(registries: &[Standing]) -> Markup {
    html! {
        h2 { "Registries" }
        ul.cards {
            @for (name, standing) in registries {
                @let (tone, label) = at_a_glance(standing);
                li.card { h3 { (text::name(name)) } p.marks { (badge(tone, label)) }
                    p.about { (text::prose(standing)) } }
            }
        }
        p {}
    }
}

/// A standing in a word or two. A registry that is well, but whose list is not there yet, is not what it looks like
/// from afar.
fn at_a_glance(standing: &str) -> (Tone, &str) {
    match standing.split([',', ';']).next().unwrap_or_default() {
        "healthy" if standing == "healthy" => (Tone::Good, "healthy"),
        "healthy" => (Tone::Info, "being read"),
        first => (Tone::Careful, first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_well_and_whole_is_green() {
        for (standing, expected) in [
            ("healthy", (Tone::Good, "healthy")),
            ("healthy, its list is being fetched", (Tone::Info, "being read")),
            ("healthy, its first page is being fetched; page 1: status 500", (Tone::Info, "being read")),
            ("unhealthy; network: no connection, so far", (Tone::Careful, "unhealthy")),
            ("starting, not tested yet", (Tone::Careful, "starting")),
            ("no longer configured", (Tone::Careful, "no longer configured")),
        ] {
            assert_eq!(at_a_glance(standing), expected, "{standing}");
        }
    }

    #[test]
    fn what_is_not_certain_is_not_said_to_be() {
        let said = |problem: &Problem| page(problem, Root::default(), &[]).expect("a page");
        assert!(said(&Problem::NotListedYet).contains("No registry that has answered lists a server"));
        assert!(said(&Problem::NotListed).contains("No registry lists a server"));
    }
}
