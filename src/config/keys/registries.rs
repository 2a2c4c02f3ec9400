//! The keys of `[[registries]]`.

use super::{Key, Kind, Section};

const fn key(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    example: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, kind, default, example, waits: false, meaning }
}

/// One that the registry has in place of what all have.
const fn own(name: &'static str, kind: Kind, example: &'static str, meaning: &'static str) -> Key {
    Key { name, kind, default: None, example, waits: false, meaning }
}

/// `[[registries]]`, which may be there any number of times.
pub(in crate::config) const REGISTRIES: Section = Section {
    name: "registries",
    about: "One registry each. Their order decides between them: of two that list the same version, the first one wins. A \
            later file's list replaces that of an earlier one.",
    keys: &KEYS,
};

const KEYS: [Key; 20] = [
    key(
        "name",
        Kind::Text,
        None,
        "\"acme\"",
        "Its name, which no other registry may have: `[a-z0-9][a-z0-9._-]{0,62}`. Required.",
    ),
    key(
        "url",
        Kind::Url,
        None,
        "\"https://mcp.acme.example/registry/v0/servers\"",
        "Where its list is: the list itself (`…/servers`, `….json`), an API root (`…/v0`, `…/v0.1`), or a base URL that is \
         tried for v0.1, then for v0. Required, unless there is a `file`. User and password in it are credentials.",
    ),
    key(
        "file",
        Kind::Path,
        None,
        "\"curated.json\"",
        "A file with `{\"servers\":[…]}` or a bare array, in place of `url`; read again when it changes.",
    ),
    key(
        "bearer_token",
        Kind::Secret,
        None,
        "\"${ACME_TOKEN}\"",
        "A token that is sent as `Authorization: Bearer`. `${NAME}` is taken from the environment; that it is not set \
         there is an error.",
    ),
    key(
        "bearer_token_file",
        Kind::Path,
        None,
        "\"/run/secrets/acme\"",
        "A file with the token, in place of `bearer_token`; read again for every request.",
    ),
    key(
        "headers",
        Kind::Secrets,
        None,
        "{ X-Tenant = \"acme\" }",
        "Headers of every request to it; `${NAME}` is taken from the environment. They count as credentials.",
    ),
    key(
        "insecure",
        Kind::Boolean,
        Some("false"),
        "true",
        "`true` lets credentials go over plain http to a host that is not loopback.",
    ),
    key(
        "namespaces",
        Kind::List,
        Some("[]"),
        "[\"com.acme/*\"]",
        "Patterns of names that may come only from registries that claim them here. Letter case is ignored.",
    ),
    key(
        "include",
        Kind::List,
        Some("[]"),
        "[\"com.acme/*\", \"io.github.acme/*\"]",
        "Patterns of the names to take; none means all.",
    ),
    key("exclude", Kind::List, Some("[]"), "[\"com.acme/experimental-*\"]", "Patterns of names to leave out."),
    key(
        "read_through",
        Kind::Boolean,
        Some("true"),
        "false",
        "`false`: it is never asked for what the catalog lacks, so no name that somebody asks for leaves the house.",
    ),
    own("health.interval", Kind::Duration, "\"15s\"", "In place of `health.interval`."),
    own("health.timeout", Kind::Duration, "\"5s\"", "In place of `health.timeout`."),
    own("health.unhealthy_after", Kind::Count, "2", "In place of `health.unhealthy_after`."),
    own("health.healthy_after", Kind::Count, "1", "In place of `health.healthy_after`."),
    own(
        "health.when_unhealthy",
        Kind::Choice(&["drop", "serve-stale"]),
        "\"serve-stale\"",
        "In place of `health.when_unhealthy`.",
    ),
    own("health.max_stale", Kind::Duration, "\"6h\"", "In place of `health.max_stale`."),
    own("refresh.interval", Kind::Duration, "\"1m\"", "In place of `refresh.interval`."),
    own("refresh.full_interval", Kind::Duration, "\"1h\"", "In place of `refresh.full_interval`."),
    own("refresh.max_rate", Kind::Number, "2", "In place of `refresh.max_rate`."),
];
