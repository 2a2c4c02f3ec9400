//! What people see where there is no page: what is wrong, and where to go from there.

use maud::{Markup, html};

use super::super::error::Problem;
use super::layout::Layout;
use super::parts::{Tone, badge};
use super::{Asset, Root, TABS, text};

/// A registry, and how it stands.
pub(in crate::serve) type Standing = (String, String);

/// The page of a problem that a person can meet; none for those that only programs do. `registries` are those that
/// answers depend on.
pub(in crate::serve) fn page(problem: &Problem, root: Root, registries: &[Standing]) -> Option<String> {
    let (title, said) = match problem {
        Problem::NotListed | Problem::NotListedYet => {
            ("Not listed", "No registry lists a server of this name and version.")
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
        p.crumbs { a href=(root) { "All servers" } }
        h1 { (title) }
        p.lead { (said) }
        (details(problem))
        @if matches!(problem, Problem::Unavailable(_)) { (standings(registries)) }
        p { a.button.main href=(root) { "Search all servers" } " " a.button href={ (root) "status" } { "Registries" } }
    };
    let layout = Layout { title, root, tabs: &TABS, here: None, scripts: &[Asset::Script] };
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
                @let tone = if standing.starts_with("healthy") { Tone::Good } else { Tone::Careful };
                li.card { h3 { (text::name(name)) } p.marks { (badge(tone, standing.split([',', ';']).next().unwrap_or_default())) }
                    p.about { (text::prose(standing)) } }
            }
        }
        p {}
    }
}
