//! The pages without a browser: what is promised of each, whoever asks and whatever registries wrote. A browser looks at
//! them in `.ci/browser`.

use serde_json::{Value, json};

use crate::support::description::Description;
use crate::support::entry::{Entry, list};
use crate::support::http::{Reply, send, send_with};
use crate::support::proxy::{Proxy, Setup};
use crate::support::raw::nobody;
use crate::support::registry::{Behaviour, FakeRegistry};
use crate::support::{check, eventually};
use http::Method;

const HTML: [(&str, &str); 1] = [("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")];
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const MARKUP: &str = "</title></pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'";

fn npm(identifier: &str) -> Value {
    json!([{
        "registryType": "npm", "identifier": identifier, "version": "1.0.0", "transport": { "type": "stdio" },
        "environmentVariables": [{ "name": "API_KEY", "isRequired": true, "isSecret": true, "description": "The key" }],
    }])
}

fn entries() -> Vec<Entry> {
    let many = (0..35).map(|number| Entry::new(&format!("com.many/server-{number:02}"), "1.0.0"));
    let more = [
        Entry::new("com.acme/search", "1.0.0").server("title", "First Search"),
        Entry::new("com.acme/search", "1.1.0").server("title", "Acme Search").server("packages", npm("acme-search")),
        Entry::new("com.acme/remote", "1.0.0")
            .server("remotes", json!([{ "type": "streamable-http", "url": "https://mcp.acme.example/" }])),
        Entry::new("com.acme/gone", "1.0.0").server("packages", npm("gone")).deleted(),
        Entry::new("Salesforce DX MCP", "1.0.0"),
        Entry::new("a/b%2Fc", "1.0.0"),
        Entry::new(&format!("com.evil/{MARKUP}\u{202e}"), "1.0.0")
            .server("title", MARKUP)
            .server("description", MARKUP)
            .server("websiteUrl", "javascript:alert(1)")
            .server("repository", json!({ "url": "data:text/html,x", "source": MARKUP, "subfolder": MARKUP }))
            .server("icons", json!([{ "src": "https://evil.example/icon.png" }]))
            .server(
                "packages",
                json!([{
                    "registryType": MARKUP, "identifier": MARKUP, "version": MARKUP, "transport": { "type": MARKUP },
                    "runtimeHint": MARKUP, "registryBaseUrl": MARKUP, "fileSha256": MARKUP,
                    "environmentVariables": [{ "name": MARKUP, "description": MARKUP, "choices": [MARKUP] }],
                }, {
                    "registryType": "npm", "identifier": "evil", "version": "1.0.0", "transport": { "type": "stdio" },
                    "packageArguments": [{ "type": "positional", "value": MARKUP, "description": MARKUP }],
                    "environmentVariables": [{ "name": "A", "value": MARKUP }],
                }]),
            )
            .server(
                "remotes",
                json!([{ "type": "sse", "url": "javascript:alert(1)", "headers": [{ "name": MARKUP }] }]),
            ),
    ];
    many.chain(more).collect()
}

async fn proxy() -> Proxy {
    Setup::new().file("acme", list(&entries(), None).to_string()).start_ready().await
}

/// A page that must be there.
async fn page(proxy: &Proxy, target: &str) -> Reply {
    let reply = proxy.get(target).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/html; charset=utf-8"), "{target}");
    assert_eq!(reply.header("content-security-policy"), POLICY, "{target}");
    reply
}

/// The names in the links of a list, in order.
fn listed(page: &Reply) -> Vec<String> {
    let links = page.text().split("<li class=\"card\"><h3><a href=\"./server/").skip(1);
    links.map(|link| link.split(['"', '?']).next().unwrap_or_default().to_owned()).collect()
}

/// Where the only link of this kind leads.
fn link(page: &Reply, label: &str) -> String {
    let before = page.text().split_once(&format!(">{label}</a>")).unwrap_or_else(|| panic!("no link {label}")).0;
    let tag = before.rsplit_once("href=\"").expect("a link").1;
    tag.split('"').next().unwrap_or_default().replace("&amp;", "&")
}

#[tokio::test]
async fn the_list_is_searched_filtered_and_paged_without_a_script() {
    let proxy = proxy().await;
    let first = page(&proxy, "/").await;
    assert_eq!(listed(&first).len(), 30);
    assert!(first.text().contains("41 servers"), "counts: all names, deleted ones too");
    let next = page(&proxy, &format!("/{}", link(&first, "Next page"))).await;
    let mut all = listed(&first);
    all.extend(listed(&next));
    assert_eq!(all.len(), 40, "the latest of each that is not deleted: {all:?}");
    assert!(!next.text().contains("Next page"));
    assert_eq!(link(&next, "First page"), "./");
    for (query, expected) in [
        ("search=ACME+sea", &["com.acme/search"][..]),
        ("search=acme&type=remote", &["com.acme/remote"]),
        ("package_type=npm&search=acme", &["com.acme/search"]),
        ("search=acme%2Fsearch&version=all", &["com.acme/search", "com.acme/search"]),
        ("version=1.0.0&search=first", &["com.acme/search"]),
        ("search=first", &[]),
        ("status=deleted", &["com.acme/gone"]),
        ("registry=nobody", &[]),
        (
            "search=&registry=&type=&package_type=&transport=&status=&version=&search=x",
            &all.iter().map(String::as_str).collect::<Vec<_>>()[..30],
        ),
    ] {
        assert_eq!(listed(&page(&proxy, &format!("/?{query}")).await), *expected, "{query}");
    }
    let filtered = page(&proxy, "/?search=server&package_type=odd%22%3E&registry=acme").await;
    assert!(
        filtered.text().contains("<option value=\"odd&quot;&gt;\" selected>odd&quot;&gt;</option>"),
        "{}",
        filtered.text()
    );
    assert!(filtered.text().contains("name=\"search\" value=\"server\""));
    for (query, status) in [("type=both", 422), ("status=maybe", 422), ("cursor=none", 400), ("include_deleted=5", 422)]
    {
        let target = format!("/?{query}");
        let problem = proxy.get_with(&target, &HTML).await;
        assert_eq!((problem.status, problem.header("content-type")), (status, "text/html; charset=utf-8"), "{query}");
        let problem = proxy.get(&target).await;
        assert_eq!((problem.status, problem.header("content-type")), (status, "application/problem+json"), "{query}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_server_is_found_however_its_name_is_spelled() {
    let proxy = proxy().await;
    for (target, title) in [
        ("/server/com.acme/search", "Acme Search"),
        ("/server/com.acme%2Fsearch", "Acme Search"),
        ("/server/com.acme%2fsearch/", "Acme Search"),
        ("/server/com%2Eacme/search?version=", "Acme Search"),
        ("/server/com.acme/search?version=latest", "Acme Search"),
        ("/server/com.acme/search?version=1.0.0", "First Search"),
        ("/server/Salesforce%20DX%20MCP", "Salesforce DX MCP"),
        ("/server/a%2Fb%252Fc", "a/<wbr>b%2Fc"),
    ] {
        let page = page(&proxy, target).await;
        assert!(page.text().contains(&format!("<h1><bdi>{title}</bdi></h1>")), "{target}");
        // Links lead to the root from wherever the page is.
        let up = "../".repeat(target.split('?').next().unwrap_or_default().matches('/').count() - 1);
        assert!(page.text().contains(&format!("href=\"{up}assets/style.css?")), "{target}");
        assert!(page.text().contains(&format!("<a href=\"{up}\">All servers</a>")), "{target}");
    }
    let page = page(&proxy, "/server/com.acme/search").await;
    for part in [
        "npx",
        "acme-search@1.0.0",
        "${input:API_KEY}",
        "claude mcp add",
        "[mcp_servers.search]",
        "required",
        "secret",
        "The key",
        "SHA-256",
        "first",
        "Versions",
    ] {
        assert!(page.text().contains(part), "{part}");
    }
    for (target, status) in [
        ("/server/com.acme/nobody", 404),
        ("/server/com.acme/search?version=9", 404),
        ("/server/a/b/c/d/e/f/g/h/i/j", 404),
        ("/server/", 404),
        ("/server", 404),
        ("/%73erver/com.acme/nobody", 404),
        ("/server/%ZZ", 400),
        ("/server/a%00b", 400),
    ] {
        let reply = proxy.get_with(target, &HTML).await;
        assert_eq!(reply.status, status, "{target}");
        let told = proxy.get(target).await;
        assert_eq!(told.header("content-type"), "application/problem+json", "{target}");
        let is_page = !matches!(target, "/server" | "/server/");
        let varies = |reply: &Reply| reply.headers.get_all("vary").iter().any(|value| value == "Accept");
        assert_eq!((varies(&told), varies(&reply)), (is_page, is_page), "{target}");
    }
    let deep = proxy.get("/server/a/b/c/d/e/f/g/h/i/j").await;
    assert!(deep.text().contains("one segment, with %2F"), "nobody looked for it: {}", deep.text());
    let refused = proxy.get_with("/server/com.acme/nobody", &[("accept", "application/json, text/html;q=0")]).await;
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let missing = proxy.get_with("/server/com.acme/nobody", &HTML).await;
    assert!(missing.text().contains("<h1>Not listed</h1>"));
    assert!(missing.headers.get_all("vary").iter().any(|value| value == "Accept"), "{:?}", missing.headers);
    assert_eq!(missing.header("content-security-policy"), POLICY);
    let api = proxy.get_with("/v0.1/servers/com.acme%2Fnobody/versions/latest", &HTML).await;
    assert_eq!((api.status, api.header("content-type")), (404, "application/problem+json"), "the API has no pages");
    proxy.stop().await;
}

#[tokio::test]
async fn what_registries_wrote_is_text() {
    let proxy = proxy().await;
    let found = page(&proxy, "/?search=evil").await;
    let target = format!("/server/{}", listed(&found)[0]);
    for page in [found, page(&proxy, &target).await, page(&proxy, "/status").await] {
        let text = page.text();
        for forbidden in [
            "<script>",
            "<img src=x",
            "</pre><",
            " onerror=\"",
            "javascript:alert(1)\"",
            "href=\"data:",
            "evil.example",
            "\u{202e}",
        ] {
            assert!(!text.contains(forbidden), "{forbidden} in {text}");
        }
        // One script and one style, ours; nothing inline.
        assert_eq!(text.matches("<script").count(), 1);
        assert_eq!(text.matches("<link").count(), 2);
        assert!(!text.contains(" style=") && !text.contains("<style") && !text.contains("http-equiv"));
    }
    let shown = page(&proxy, &target).await;
    assert!(
        shown.text().contains("⟨U+202E⟩") && shown.text().contains("Look closely at the name"),
        "what is hidden shows"
    );
    // In a snippet it is one word of JSON, and text of the page.
    assert!(shown.text().contains("&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
    proxy.stop().await;
}

#[tokio::test]
async fn what_registries_wrote_is_short_and_shows_where_no_markup_can_be() {
    let long = "y".repeat(200_000);
    let entries = [
        Entry::new("com.evil/a", "1.0.0\u{202e}x\u{200b}").server("title", format!("Nice\u{202e}\u{200b}{long}")),
        Entry::new("com.evil/a", "0.9.0"),
    ];
    let proxy = Setup::new().file("acme", list(&entries, None).to_string()).start_ready().await;
    let page = page(&proxy, "/server/com.evil/a?version=1.0.0%E2%80%AEx%E2%80%8B").await;
    let title = page.text().split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).expect("a title");
    assert!(title.starts_with("Nice⟨U+202E⟩⟨U+200B⟩yyy") && title.len() < 300, "{}", title.len());
    assert!(page.text().contains(" selected>1.0.0⟨U+202E⟩x⟨U+200B⟩"), "{}", page.text());
    proxy.stop().await;
}

#[tokio::test]
async fn links_out_of_the_page_are_of_the_web_and_tell_nothing() {
    let entry = Entry::new("a/b", "1.0.0")
        .server("websiteUrl", "https://a.example/x?y=\"z\"")
        .server("repository", json!({ "url": "http://b.example/r", "source": "git" }));
    let proxy = Setup::new().file("acme", list(&[entry], None).to_string()).start_ready().await;
    let page = page(&proxy, "/server/a/b").await;
    for url in ["https://a.example/x?y=%22z%22", "http://b.example/r"] {
        let link = format!("rel=\"noopener noreferrer nofollow external\" href=\"{url}\"");
        assert!(page.text().contains(&link), "{link}");
    }
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    proxy.stop().await;
}

#[tokio::test]
async fn deleted_servers_are_shown_as_such_and_nobody_is_helped_to_run_them() {
    let proxy = proxy().await;
    assert_eq!(proxy.get("/v0.1/servers/com.acme%2Fgone/versions/latest").await.status, 404);
    let page = page(&proxy, "/server/com.acme/gone").await;
    assert!(page.text().contains("Its registry has taken this version back"));
    assert!(!page.text().contains("npx"), "{}", page.text());
    proxy.stop().await;
}

#[tokio::test]
async fn pages_are_kept_dressed_and_compared_as_all_answers_are() {
    let proxy = Setup::new()
        .registry("acme", &nobody().await)
        .file("more", list(&entries(), None).to_string())
        .start_ready()
        .await;
    proxy.until_state("acme", "unhealthy").await;
    for target in ["/", "/server/com.acme/search", "/assets/style.css", "/assets/script.js", "/assets/icon.svg"] {
        let reply = proxy.get(target).await;
        assert_eq!(reply.status, 200, "{target}");
        assert!(reply.header("cache-control").starts_with("public, max-age=30"), "{target}");
        assert!(
            !reply.header("mcp-registry-proxy").is_empty() && !reply.header("last-modified").is_empty(),
            "{target}"
        );
        let again = proxy.get_with(target, &[("if-none-match", reply.header("etag"))]).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{target}");
        let head = send(proxy.address(), Method::HEAD, target).await;
        assert_eq!(head.header("content-length"), reply.body.len().to_string(), "{target}");
        for coding in ["zstd", "br", "gzip"] {
            let coded = proxy.get_with(target, &[("accept-encoding", coding)]).await;
            let is_coded = reply.body.len() < 1024
                || coded.header("content-encoding") == coding && coded.body.len() < reply.body.len();
            assert!(is_coded, "{target} {coding}");
        }
        let refused = send(proxy.address(), Method::POST, target).await;
        assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD, OPTIONS"), "{target}");
    }
    assert!(proxy.get("/").await.header("proxy-status").contains("next-hop=\"acme\""));
    assert_eq!(proxy.get("/status").await.header("cache-control"), "no-store");
    proxy.stop().await;
}

#[tokio::test]
async fn what_only_credentials_brought_is_kept_by_no_shared_cache() {
    let registry = FakeRegistry::start(vec![Entry::new("a/b", "1.0.0")]).await;
    let keys = format!("url = {:?}\nbearer_token = \"secret-token\"", registry.url());
    // Whoever reaches such a listener sees what the registry shows only to us.
    let everywhere = "[server]\nlisten = \"0.0.0.0:0\"";
    let proxy = Setup::new().settings(everywhere).registry_with("acme", &keys).start_ready().await;
    proxy.until_answered("/server/a/b", 200).await;
    for target in ["/", "/server/a/b"] {
        let reply = proxy.get(target).await;
        assert!(reply.header("cache-control").starts_with("private"), "{target}: {:?}", reply.headers);
    }
    for target in ["/", "/server/a/b", "/status"] {
        assert!(!proxy.get(target).await.text().contains("secret-token"), "{target}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn where_nothing_is_known_a_page_says_of_each_registry_why() {
    let (alpha, beta) =
        (FakeRegistry::start(Vec::new()).await, FakeRegistry::start(vec![Entry::new("a/b", "1.0.0")]).await);
    alpha.always(Behaviour::status(500));
    let proxy = Setup::new().registry("alpha", &alpha.url()).registry("beta", &beta.url()).start_ready().await;
    proxy.until_state("alpha", "unhealthy").await;
    proxy.until_answered("/server/a/b", 200).await;
    let warned = page(&proxy, "/").await;
    assert!(warned.text().contains("Not everything is here"), "{}", warned.text());
    beta.always(Behaviour::status(503));
    proxy.until_answered("/", 503).await;
    for target in ["/", "/server/a/b", "/server/a/unknown"] {
        let reply = proxy.get_with(target, &HTML).await;
        assert_eq!((reply.status, reply.header("content-type")), (503, "text/html; charset=utf-8"), "{target}");
        assert!(!reply.header("retry-after").is_empty() && reply.header("cache-control") == "no-store", "{target}");
        for name in ["alpha", "beta"] {
            assert!(reply.text().contains(&format!("<h3><bdi>{name}</bdi></h3>")), "{target}: {}", reply.text());
        }
        assert!(reply.text().contains("500"), "why: {}", reply.text());
    }
    assert!(page(&proxy, "/status").await.text().contains("0 of 2 are in use"));
    beta.behave();
    proxy.until_answered("/", 200).await;
    proxy.stop().await;
}

#[tokio::test]
async fn what_registries_disagree_over_is_told_on_the_page() {
    let entry = |title: &str| list(&[Entry::new("com.acme/search", "1.0.0").server("title", title)], None).to_string();
    let proxy = Setup::new().file("alpha", entry("A")).file("beta", entry("B")).start_ready().await;
    eventually("both are listed", async || {
        let page = proxy.get("/server/com.acme/search").await;
        check(page.text().contains("Where registries disagree"), page.text().to_owned())
    })
    .await;
    let shown = page(&proxy, "/server/com.acme/search").await;
    for part in ["with other content", "<code dir=\"ltr\">/<wbr>title</code>", "&quot;A&quot;", "&quot;B&quot;"] {
        assert!(shown.text().contains(part), "{part} in {}", shown.text());
    }
    assert!(page(&proxy, "/").await.text().contains("registries differ"));
    proxy.stop().await;
}

#[tokio::test]
async fn urls_that_are_not_published_are_on_no_page() {
    let registry = FakeRegistry::start(vec![Entry::new("a/b", "1.0.0")]).await;
    let setup = Setup::new().settings("[provenance]\npublish_urls = false").registry("acme", &registry.url());
    let proxy = setup.start_ready().await;
    proxy.until_answered("/server/a/b", 200).await;
    let host = registry.url().split('/').nth(2).expect("a host").to_owned();
    for target in ["/", "/server/a/b", "/status"] {
        assert!(!page(&proxy, target).await.text().contains(&host), "{target}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn problems_of_pages_are_as_they_are_described() {
    let proxy = proxy().await;
    let description = Description::of(&proxy).await;
    for (path, target, status) in [
        ("/", "/", 200),
        ("/", "/?cursor=none", 400),
        ("/", "/?type=both", 422),
        ("/server/{serverName}", "/server/com.acme/search", 200),
        ("/server/{serverName}", "/server/com.acme/nobody", 404),
        ("/server/{serverName}", "/server/%ZZ", 400),
        ("/status", "/status", 200),
    ] {
        let reply = send_with(proxy.address(), Method::GET, target, &HTML).await;
        assert_eq!(reply.status, status, "{target}");
        description.check(path, &Method::GET, target, &reply);
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_page_shows_what_only_the_registries_know_yet() {
    let (alpha, beta, proxy) = crate::read_through::start("").await;
    alpha.set_entries(vec![Entry::new("com.example/new", "0.1.0").server("title", "Brand New")]);
    let shown = page(&proxy, "/server/com.example/new").await;
    assert!(shown.text().contains("<h1><bdi>Brand New</bdi></h1>"), "{}", shown.text());
    assert!(shown.header("cache-status").contains("fwd=miss"), "{:?}", shown.headers);
    let missing = proxy.get_with("/server/com.example/nobody", &HTML).await;
    assert_eq!((missing.status, missing.header("content-type")), (404, "text/html; charset=utf-8"));
    proxy.stop().await;
    drop((alpha, beta));
}
