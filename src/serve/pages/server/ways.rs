//! How a server is used: its packages and remotes, what they need, and how clients are configured for them.

use maud::{Markup, html};

use super::super::parts::{Tone, badge, empty, facts, link, notice, table};
use super::super::text;
use crate::catalog::entry::Status;
use crate::inspect::client_configuration::{Blank, Client, Configuration, Snippet, Taking, Unfit, Way, configurations};
use crate::inspect::manifest::{Argument, Input, Manifest, Package, Transport};

/// The most packages and remotes that are shown in full.
const MAX_WAYS: usize = 16;

const IN_A_SHELL: &str = "Set in the environment, or fill in where it stands: ";

/// The section of all packages and remotes.
pub(super) fn section(manifest: &Manifest, status: &Status) -> Markup {
    let packages = manifest.packages.iter().map(Way::Package);
    let ways: Vec<Way<'_>> = packages.chain(manifest.remotes.iter().map(Way::Remote)).collect();
    let further = ways.len().saturating_sub(MAX_WAYS);
    html! {
        section aria-labelledby="use" {
            h2 #use { "How to use it" }
            @if ways.is_empty() {
                (empty("Nothing to run or to connect to", &html! { p { "The entry lists neither packages nor remotes. Its repository may say more." } }))
            }
            @for (index, way) in ways.iter().take(MAX_WAYS).enumerate() {
                article.card.way aria-labelledby={ "way-" (index) } {
                    (of(*way, index))
                    // What is deleted is shown, and nobody is helped to run it.
                    @if *status != Status::Deleted { (clients(manifest, *way, index)) }
                }
            }
            @if further > 0 { p { "And " (text::number(further)) " more, in its JSON." } }
        }
    }
}

fn of(way: Way<'_>, index: usize) -> Markup {
    match way {
        Way::Package(package) => of_package(package, index),
        Way::Remote(remote) => of_remote(remote, index),
    }
}

fn of_package(package: &Package, index: usize) -> Markup {
    let is_url = package.identifier.contains("://");
    html! {
        h3 id={ "way-" (index) } { (badge(Tone::Info, text::name(&package.kind))) " " @if !is_url { (text::code(&package.identifier)) } @else { "package" } }
        (facts([
            ("File", is_url.then(|| link(&package.identifier))),
            ("Version", package.version.as_deref().map(text::name)),
            ("Transport", Some(html! { (transport(&package.transport.kind)) })),
            ("Listens at", package.transport.url.as_deref().map(text::code)),
            ("Runs with", package.runtime.as_deref().map(text::code)),
            ("Package registry", package.base.as_deref().map(link)),
            ("SHA-256 of the file", package.sha256.as_deref().map(text::code)),
        ]))
        (inputs("Environment variables", &package.variables))
        (arguments("Arguments", &package.package_arguments))
        (arguments("Arguments of the runner", &package.runtime_arguments))
        (inputs("Headers", &package.transport.headers))
    }
}

fn of_remote(remote: &Transport, index: usize) -> Markup {
    let url = remote.url.as_deref().unwrap_or_default();
    html! {
        h3 id={ "way-" (index) } { (badge(Tone::Other, "remote")) " " (text::code(url)) }
        (facts([("Transport", Some(html! { (transport(&remote.kind)) }))]))
        (inputs("Headers", &remote.headers))
        (inputs("Variables of the URL", &remote.variables))
    }
}

fn transport(kind: &str) -> Markup {
    match kind {
        "stdio" => html! { "stdio, run by the client" },
        "streamable-http" => html! { "Streamable HTTP" },
        "sse" => html! { "SSE (server-sent events)" },
        other => text::name(other),
    }
}

fn inputs(caption: &str, inputs: &[Input]) -> Markup {
    let rows = inputs.iter().map(|input| [html! { (text::code(&input.name)) (flags(input)) }, meaning(input)]);
    html! { @if !inputs.is_empty() { (table(caption, ["Name", "Meaning"], rows)) } }
}

fn arguments(caption: &str, arguments: &[Argument]) -> Markup {
    let rows = arguments.iter().map(|argument| {
        let shown = match (&argument.name, &argument.hint, &argument.input.value) {
            (Some(name), ..) => text::code(name),
            (None, Some(hint), _) => html! { i { (text::name(hint)) } },
            (None, None, Some(value)) if !argument.input.is_secret => text::code(value),
            (None, None, _) => html! { i { "argument" } },
        };
        let name = html! { (shown) (flags(&argument.input)) @if argument.is_repeated { " " (badge(Tone::Plain, "repeatable")) } };
        [name, meaning(&argument.input)]
    });
    html! { @if !arguments.is_empty() { (table(caption, ["Argument", "Meaning"], rows)) } }
}

fn flags(input: &Input) -> Markup {
    html! {
        @if input.is_required { " " (badge(Tone::Careful, "required")) }
        @if input.is_secret { " " (badge(Tone::Other, "secret")) }
    }
}

fn meaning(input: &Input) -> Markup {
    let said = [
        ("Value", input.value.as_deref().filter(|_| !input.is_secret)),
        ("Default", input.default.as_deref().filter(|_| !input.is_secret)),
        ("Example", input.placeholder.as_deref()),
        ("Format", input.format.as_deref().filter(|format| *format != "string")),
    ];
    html! {
        @if let Some(description) = &input.description { p { (text::prose(description)) } }
        @for (what, value) in said { @if let Some(value) = value { p.small { span.soft { (what) ": " } (text::code(value)) } } }
        @if !input.choices.is_empty() {
            p.small { span.soft { "One of: " } @for (index, choice) in input.choices.iter().enumerate() { @if index > 0 { ", " } (text::code(choice)) } }
        }
        @for variable in &input.variables {
            p.small { (text::code(&format!("{{{}}}", variable.name))) (flags(variable))
                @if let Some(description) = &variable.description { " " (text::prose(description)) } }
        }
    }
}

/// How each client is configured; one of them is open at a time.
fn clients(manifest: &Manifest, way: Way<'_>, index: usize) -> Markup {
    let all = configurations(manifest, way);
    // What holds for all of them is said once.
    if let Some(unfit) = common(&all) {
        return html! { h4 { "Configuration" } (notice(Tone::Plain, "No configuration is generated", &html! { p { "Because " (text::prose(&unfit.to_string())) "." } })) };
    }
    html! {
        h4 { "Configuration" }
        div.clients {
            @for (at, (client, configured)) in all.iter().enumerate() {
                // Of the first way, for those who take that.
                details name={ "clients-" (index) } open[index == 0 && at == 0] {
                    summary { (client.name()) }
                    div.inside {
                        @match configured {
                            Ok(configuration) => { (of_client(configuration, &format!("{index}-{at}"))) },
                            Err(unfit) => { p { "No configuration is generated: " (text::prose(&unfit.to_string())) "." } },
                        }
                    }
                }
            }
        }
    }
}

/// Why no client can be configured, where that is one reason.
fn common(all: &[(Client, Result<Configuration, Unfit>)]) -> Option<&Unfit> {
    let first = all.first()?.1.as_ref().err()?;
    all.iter().all(|(_, configured)| configured.as_ref().err() == Some(first)).then_some(first)
}

fn of_client(configuration: &Configuration, id: &str) -> Markup {
    let taken = match configuration.takes_blanks {
        Taking::Asks => None,
        Taking::Environment => Some("Set in the environment that it is started in: "),
        Taking::EnvironmentOrHand => Some(IN_A_SHELL),
    };
    html! {
        @if let Some(start) = &configuration.start {
            (snippet(configuration.client, &start.snippet, &format!("snippet-{id}-start"), false))
            (left_open(IN_A_SHELL, &start.blanks))
        }
        @for (index, part) in configuration.snippets.iter().enumerate() {
            (snippet(configuration.client, part, &format!("snippet-{id}-{index}"), index > 0))
        }
        @if let Some(taken) = taken { (left_open(taken, &configuration.blanks)) }
    }
}

/// Something to copy, in the place of what stands before it or not.
fn snippet(client: Client, snippet: &Snippet, id: &str, is_alternative: bool) -> Markup {
    html! {
        figure.snippet {
            figcaption { @if is_alternative { "Or " } (place(snippet.place)) }
            button.copy.slim type="button" data-copy=(id) hidden { "Copy" }
            pre id=(id) role="group" tabindex="0" dir="ltr" aria-label={ (client.name()) ", " (snippet.place) } { (snippet.text) }
        }
    }
}

/// What has to be filled in or set.
fn left_open(taken: &str, blanks: &[Blank]) -> Markup {
    html! {
        @if !blanks.is_empty() {
            p { (taken) @for (index, blank) in blanks.iter().enumerate() { @if index > 0 { ", " } code { (blank.id) } } "." }
        }
    }
}

/// The file that a snippet goes into, or what to do with it.
fn place(place: &str) -> Markup {
    if place.contains('/') || place.starts_with('.') {
        html! { "into " code { (place) } }
    } else {
        html! { (place) }
    }
}
