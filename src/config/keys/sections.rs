//! The keys of all tables but `[[registries]]`.

use super::{Key, Kind, Section};

const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, kind, default: Some(default), example, waits: false, meaning }
}

const fn unset(name: &'static str, kind: Kind, example: &'static str, meaning: &'static str) -> Key {
    Key { name, kind, default: None, example, waits: false, meaning }
}

/// One of which a change waits for a restart.
const fn waiting(key: Key) -> Key {
    Key { waits: true, ..key }
}

/// All tables but `[[registries]]`, in the order in which they are told.
pub(in crate::config) const SECTIONS: [Section; 12] = [
    Section { name: "server", about: "The public listener: the API, and whatever anybody may read.", keys: &SERVER },
    Section {
        name: "admin",
        about: "The listener for those who run the proxy: metrics, Test Connection, refreshes. `Host` has to be a name \
                of this machine, or one of `hosts`.",
        keys: &ADMIN,
    },
    Section {
        name: "refresh",
        about: "When registries are walked. Each registry may have its own: \
                [`[registries.refresh]`](#registriesrefreshinterval).",
        keys: &REFRESH,
    },
    Section {
        name: "health",
        about: "When registries are tested, and what becomes of those that fail. Each registry may have its own: \
                [`[registries.health]`](#registrieshealthinterval).",
        keys: &HEALTH,
    },
    Section { name: "catalog", about: "How what the registries list comes together.", keys: &CATALOG },
    Section { name: "cache", about: "Answers that are kept ready.", keys: &CACHE },
    Section {
        name: "read_through",
        about: "Asking the registries for what the catalog does not hold yet.",
        keys: &READ_THROUGH,
    },
    Section { name: "store", about: "What outlives the process.", keys: &STORE },
    Section { name: "provenance", about: "The block that every entry gets under `_meta`.", keys: &PROVENANCE },
    Section { name: "network", about: "Connections to registries.", keys: &NETWORK },
    Section { name: "limits", about: "What registries and clients may cost.", keys: &LIMITS },
    Section { name: "log", about: "Log lines. They go to standard error.", keys: &LOG },
];

const SERVER: [Key; 4] = [
    waiting(key(
        "listen",
        Kind::Address,
        "\"127.0.0.1:8080\"",
        "\"0.0.0.0:8080\"",
        "Where the API is served. Port 0 takes a free one, which the log names. The flag `--listen` of `serve` counts \
         more.",
    )),
    key(
        "cors_origins",
        Kind::List,
        "[\"*\"]",
        "[\"https://mcp.acme.example\"]",
        "The origins whose pages may read answers; `*` for all.",
    ),
    waiting(unset(
        "tls_certificate_file",
        Kind::Path,
        "\"tls/chain.pem\"",
        "A certificate chain in PEM. With it and `tls_key_file` the listener speaks TLS 1.2 and 1.3. What the files hold \
         is read again when it changes; a pair that does not fit together never replaces one that does.",
    )),
    waiting(unset("tls_key_file", Kind::Path, "\"tls/key.pem\"", "The private key of the certificate, in PEM.")),
];

const ADMIN: [Key; 3] = [
    waiting(key(
        "listen",
        Kind::Address,
        "\"127.0.0.1:9090\"",
        "\"off\"",
        "Where it listens; `off` for nowhere. Where it is not set and that address is taken, there is none, and a \
         warning in the log.",
    )),
    unset(
        "token_file",
        Kind::Path,
        "\"/run/secrets/admin\"",
        "A file with the token that every request must show, as Bearer or as the password of Basic; read again for every \
         request. A listener that is not on loopback must have one.",
    ),
    key(
        "hosts",
        Kind::List,
        "[]",
        "[\"registry-admin.acme.example\"]",
        "The names that `Host` may have, besides those of this machine.",
    ),
];

const REFRESH: [Key; 3] = [
    key(
        "interval",
        Kind::Duration,
        "\"5m\"",
        "\"1m\"",
        "From one increment to the next, which asks for what has changed; also from a walk that failed to the next one.",
    ),
    key(
        "full_interval",
        Kind::Duration,
        "\"6h\"",
        "\"12h\"",
        "From one full walk to the next, which catches what increments cannot show.",
    ),
    key("max_rate", Kind::Number, "10", "2", "Requests a second to one registry, one at a time; 0.001 to 1000."),
];

const HEALTH: [Key; 6] = [
    key("interval", Kind::Duration, "\"30s\"", "\"1m\"", "From one test of a registry to the next."),
    key("timeout", Kind::Duration, "\"10s\"", "\"5s\"", "How long a test may take."),
    key("unhealthy_after", Kind::Count, "3", "5", "How many failures in a row make a registry unhealthy."),
    key("healthy_after", Kind::Count, "2", "1", "How many successes in a row make it healthy again."),
    key(
        "when_unhealthy",
        Kind::Choice(&["drop", "serve-stale"]),
        "\"drop\"",
        "\"serve-stale\"",
        "What becomes of the servers of an unhealthy registry: they leave the catalog, or stay for `max_stale`.",
    ),
    key("max_stale", Kind::Duration, "\"24h\"", "\"6h\"", "How old a listing `serve-stale` still serves."),
];

const CATALOG: [Key; 1] = [key(
    "merge",
    Kind::Choice(&["union", "first"]),
    "\"union\"",
    "\"first\"",
    "`union`: every version from every registry; of those that list the same one, the first in the order of this file \
     wins. `first`: a name belongs to the first registry that lists it, also while that one is down.",
)];

const CACHE: [Key; 2] = [
    key("max_size", Kind::Size, "\"64MiB\"", "\"256MiB\"", "The memory for rendered answers."),
    key("max_age", Kind::Duration, "\"30s\"", "\"5m\"", "How long clients may keep answers (`Cache-Control`)."),
];

const READ_THROUGH: [Key; 2] = [
    key("enabled", Kind::Boolean, "true", "false", "Whether registries are asked for what the catalog lacks."),
    key("negative_ttl", Kind::Duration, "\"30s\"", "\"5m\"", "How long \"not there\" is remembered; 1h at most."),
];

const STORE: [Key; 4] = [
    waiting(key(
        "path",
        Kind::Path,
        "\"state/catalog\"",
        "\"/var/lib/mcp-registry-proxy\"",
        "A directory, relative to the working directory, for what outlives the process: the proxy's id, the last good \
         listings, the feed of changes. `off` for none of that.",
    )),
    waiting(unset(
        "url",
        Kind::Url,
        "\"redis://127.0.0.1:6379\"",
        "In place of `path`, a Redis (6 or later, or Valkey) that replicas share, which are one proxy then (docs/replicas.md): \
         `redis://`, `rediss://` over TLS, `redis+sentinel://HOST:PORT,…/SERVICE/DATABASE`, `redis+cluster://HOST:PORT,…`. \
         It may hold a user and a password, and is shown without.",
    )),
    waiting(key(
        "prefix",
        Kind::Text,
        "\"mcp-registry-proxy\"",
        "\"acme-mcp\"",
        "What the keys in Redis begin with: replicas with the same one are one proxy. Without `url` it means nothing.",
    )),
    waiting(key(
        "lease",
        Kind::Duration,
        "\"10s\"",
        "\"5s\"",
        "How long a replica leads that is not heard of: after a crash another takes over within that. After six times that, \
         and up to a fifth more, without Redis or a leader, each goes on alone. 200ms to 5m; without `url` it means nothing.",
    )),
];

const PROVENANCE: [Key; 2] = [
    waiting(key(
        "key",
        Kind::Text,
        "\"mcp-registry-proxy/provenance\"",
        "\"com.acme/provenance\"",
        "The `_meta` key of the block: your own reverse-DNS name, a slash, and a name.",
    )),
    key("publish_urls", Kind::Boolean, "true", "false", "`false` hides registries' URLs on the public listener."),
];

const NETWORK: [Key; 2] = [
    unset(
        "ca_file",
        Kind::Path,
        "\"acme-ca.pem\"",
        "Certificates of authorities to trust besides the platform's, in PEM; read again with the configuration.",
    ),
    unset(
        "proxy",
        Kind::Url,
        "\"http://proxy.acme.example:3128\"",
        "A proxy for all registries, or `off`. Where it is not set, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count.",
    ),
];

const LIMITS: [Key; 12] = [
    key("max_response_size", Kind::Size, "\"32MiB\"", "\"8MiB\"", "One answer of a registry, decompressed."),
    key("max_compressed_size", Kind::Size, "\"16MiB\"", "\"4MiB\"", "The same as it comes, where it is compressed."),
    key(
        "max_entry_size",
        Kind::Size,
        "\"256KiB\"",
        "\"64KiB\"",
        "One entry; larger ones are refused, the rest of their page is not.",
    ),
    key("max_listing_size", Kind::Size, "\"2GiB\"", "\"256MiB\"", "The JSON of all entries of one registry."),
    key("max_listing_versions", Kind::Count, "2000000", "100000", "How many they may be."),
    key("max_pages", Kind::Count, "20000", "1000", "The pages of one walk."),
    key("request_timeout", Kind::Duration, "\"75s\"", "\"30s\"", "One page, redirects included."),
    key(
        "walk_timeout",
        Kind::Duration,
        "\"12h\"",
        "\"1h\"",
        "One walk. It is given up earlier after 15 minutes without a new page.",
    ),
    waiting(key(
        "connections",
        Kind::Count,
        "10000",
        "1000",
        "The connections of clients at a time, as far as open files allow; further ones wait.",
    )),
    waiting(key(
        "connections_per_address",
        Kind::Count,
        "0",
        "100",
        "The connections of one client address (or IPv6 /64) at a time; 0 for no limit: behind a proxy all have one.",
    )),
    waiting(key(
        "requests",
        Kind::Count,
        "2048",
        "512",
        "The requests whose answers are being made at a time; further ones are 503 with `Retry-After`.",
    )),
    waiting(key(
        "max_sending_size",
        Kind::Size,
        "\"256MiB\"",
        "\"64MiB\"",
        "The answers on their way to clients at a time; further ones are 503 too.",
    )),
];

const LOG: [Key; 2] = [
    waiting(key(
        "format",
        Kind::Choice(&["text", "json"]),
        "\"text\"",
        "\"json\"",
        "Lines for people, or a JSON object on each.",
    )),
    key(
        "level",
        Kind::Text,
        "\"info\"",
        "\"debug\"",
        "`error`, `warn`, `info`, `debug`, or directives of tracing such as `info,hyper=debug`. The flag `--log-level` \
         counts more.",
    ),
];
