//! The dashboard, as far as it can be told without a browser: for whom it is, what it shows, and that nothing that
//! registries wrote gets out of its text. `.ci/browser` looks at it with one.

use http::Method;
use serde_json::json;

use crate::support::entry::{Entry, keys_of, numbered};
use crate::support::http::{Reply, send, send_with};
use crate::support::proxy::{Proxy, Setup};
use crate::support::raw::nobody;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

const LISTEN: &str = "[admin]\nlisten = \"127.0.0.1:0\"";
/// What browsers send.
const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const PAGES: [&str; 5] =
    ["/", "/dashboard/registries/alpha", "/dashboard/changes", "/dashboard/conflicts", "/dashboard/duplicates"];

async fn get(proxy: &Proxy, target: &str) -> Reply {
    send_with(proxy.admin(), Method::GET, target, &[BROWSER]).await
}

/// A page that must be there.
async fn page(proxy: &Proxy, target: &str) -> String {
    let reply = get(proxy, target).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/html; charset=utf-8"), "{target}");
    reply.text().to_owned()
}

/// Waits until a page has all of these in it.
async fn until_shown(proxy: &Proxy, target: &str, parts: &[&str]) -> String {
    eventually("the page showed it", async || {
        let page = page(proxy, target).await;
        let missing: Vec<_> = parts.iter().filter(|part| !page.contains(**part)).collect();
        if missing.is_empty() { Ok(page) } else { Err(format!("{missing:?} in {page}")) }
    })
    .await
}

#[tokio::test]
async fn every_page_is_there_for_those_who_run_the_proxy_and_for_nobody_else() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 3)).await;
    let proxy = Setup::new().settings(LISTEN).registry("alpha", &alpha.url()).start_ready().await;
    for target in PAGES {
        let reply = get(&proxy, target).await;
        assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"), "{target}");
        // Under `no-referrer`, browsers send forms with `Origin: null`.
        assert_eq!(reply.header("referrer-policy"), "same-origin", "{target}");
        assert!(reply.text().contains("<meta name=\"referrer\" content=\"same-origin\">"), "{target}");
        let policy = reply.header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{target}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{target}: {policy}");
        let head = send(proxy.admin(), Method::HEAD, target).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{target}");
        assert_eq!(send(proxy.admin(), Method::POST, target).await.status, 405, "{target}");
        // What is at the root in public is another page.
        let public = proxy.get_with(target, &[BROWSER]).await;
        let is_dashboard = String::from_utf8_lossy(&public.body).contains("dashboard.js");
        assert!(target == "/" || public.status == 404, "{target}: {}", public.status);
        assert!(!is_dashboard, "{target} is in public");
    }
    let shown = page(&proxy, "/").await;
    for asset in ["assets/dashboard.css", "assets/dashboard.js"] {
        let mut links = shown.split('"').filter(|link| link.starts_with(&format!("./{asset}?")));
        let link = links.next().unwrap_or_else(|| panic!("{asset} in {shown}"));
        let target = &link[1..];
        assert_eq!(get(&proxy, target).await.status, 200, "{target}");
        assert_eq!(proxy.get(target).await.status, 404, "{target} is in public");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_browser_is_asked_for_the_token_and_keeps_to_its_own_origin() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let setup = Setup::new().settings(&format!("{LISTEN}\ntoken_file = \"token\"\n")).registry("alpha", &alpha.url());
    std::fs::write(setup.path("token"), "first\n").expect("a writable directory");
    let proxy = setup.start_ready().await;
    let token = ("authorization", "Basic YW55Ym9keTpmaXJzdA==");
    for target in ["/", "/dashboard/changes", "/assets/dashboard.js"] {
        let refused = get(&proxy, target).await;
        assert_eq!(refused.status, 401, "{target}");
        assert!(refused.header("www-authenticate").contains("Basic realm="), "{target}");
        assert_eq!(send_with(proxy.admin(), Method::GET, target, &[BROWSER, token]).await.status, 200, "{target}");
        let stranger = [BROWSER, token, ("host", "evil.example")];
        assert_ne!(send_with(proxy.admin(), Method::GET, target, &stranger).await.status, 200, "{target}");
    }
    let ours = format!("http://{}", proxy.admin());
    for (origin, status) in [(&*ours, 303), ("http://evil.example", 403), ("null", 403)] {
        for action in ["test", "refresh", "refresh?accept=true"] {
            let target = format!("/registries/alpha/{action}");
            let form = [BROWSER, token, ("origin", origin), ("content-type", "application/x-www-form-urlencoded")];
            assert_eq!(
                send_with(proxy.admin(), Method::POST, &target, &form).await.status,
                status,
                "{origin} {target}"
            );
            let without = [BROWSER, ("origin", origin)];
            assert_ne!(
                send_with(proxy.admin(), Method::POST, &target, &without).await.status,
                303,
                "{origin} {target}"
            );
        }
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_that_breaks_and_recovers_shows_it() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 3)).await;
    let settings = format!("{LISTEN}\n[health]\ninterval = \"1h\"\nunhealthy_after = 1\nhealthy_after = 1");
    let setup = Setup::new().settings(&settings).registry("alpha", &alpha.url());
    let proxy = setup.registry("gone", &nobody().await).start_ready().await;
    let shown = until_shown(&proxy, "/", &["1 unhealthy, 1 healthy", "serving 3 servers in 3 versions"]).await;
    for part in ["id=\"registry-alpha\"", "id=\"registry-gone\"", "Test connection", "no connection: ", "not reached"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let test = async || {
        let reply = send_with(proxy.admin(), Method::POST, "/registries/alpha/test", &[BROWSER]).await;
        let path = reply.header("location").to_owned();
        assert_eq!((reply.status, &*path), (303, "../../dashboard/registries/alpha"));
        path.replace("../..", "")
    };
    alpha.always(Behaviour::status(500));
    let broken = page(&proxy, &test().await).await;
    for part in ["Unhealthy", "Not served", "answered with status 500", "1 of 2 failed", "✕ failed: response"] {
        assert!(broken.contains(part), "{part} in {broken}");
    }
    alpha.behave();
    let repaired = page(&proxy, &test().await).await;
    assert!(repaired.contains("Healthy") && !repaired.contains("Not served"), "{repaired}");
    until_shown(&proxy, "/", &["1 unhealthy, 1 healthy", "serving 3 servers"]).await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_walk_in_progress_has_a_bar() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 250)).await;
    let settings = format!("{LISTEN}\n[refresh]\ninterval = \"1h\"");
    let proxy = Setup::new().settings(&settings).registry("alpha", &alpha.url()).start_ready().await;
    proxy.until_listed(&keys_of(&numbered("com.alpha", 250))).await;
    assert!(!page(&proxy, "/").await.contains("<progress"));
    alpha.when(Seen::has_cursor, Behaviour::Hold);
    let asked = send_with(proxy.admin(), Method::POST, "/registries/alpha/refresh", &[BROWSER]).await;
    assert_eq!(asked.status, 303);
    let bar = "<progress aria-label=\"Full walk\" max=\"250\" value=\"100\">";
    for target in ["/", "/dashboard/registries/alpha"] {
        until_shown(&proxy, target, &[bar, "1 page, 100 versions of about 250"]).await;
    }
    alpha.let_go().await;
    eventually("the bar went away", async || {
        let page = page(&proxy, "/").await;
        check(!page.contains("<progress"), page)
    })
    .await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_list_that_is_held_back_says_what_it_lacks_and_can_be_accepted() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 80)).await;
    let settings = format!("{LISTEN}\n[refresh]\ninterval = \"1h\"");
    let proxy = Setup::new().settings(&settings).registry("alpha", &alpha.url()).start_ready().await;
    proxy.until_listed(&keys_of(&numbered("com.alpha", 80))).await;
    alpha.set_entries(numbered("com.alpha", 20));
    send(proxy.admin(), Method::POST, "/registries/alpha/refresh").await;
    let parts =
        ["List held back", "listed 20 versions", "lacks 60</strong> of the 80", "Accept the list of 20 versions"];
    until_shown(&proxy, "/", &parts).await;
    let detail = page(&proxy, "/dashboard/registries/alpha").await;
    assert!(
        detail.contains("server-<wbr>0020") || detail.contains("server-0020"),
        "the first one that it lacks: {detail}"
    );
    assert!(!detail.contains("server-0019") && detail.contains("and more"), "{detail}");
    let form = "/registries/alpha/refresh?accept=true";
    assert!(detail.contains(&format!("action=\"../..{form}\"")), "{detail}");
    assert_eq!(send_with(proxy.admin(), Method::POST, form, &[BROWSER]).await.status, 303);
    proxy.until_listed(&keys_of(&numbered("com.alpha", 20))).await;
    assert!(!page(&proxy, "/").await.contains("List held back"));
    proxy.stop().await;
}

/// Names, versions, values and errors of registries are text; their credentials are nowhere.
#[tokio::test]
async fn nothing_that_registries_wrote_becomes_markup() {
    let evil = "<script>alert(1)</script>";
    let hostile = |description: &str| {
        Entry::new("com.evil/\"><script>alert(1)</script>", "1.0.0\"><script>alert(1)</script>")
            .server("description", description)
            .server("websiteUrl", "javascript:alert(1)")
    };
    let broken = Entry::new(&format!("com.evil/{evil}"), evil).official("publishedAt", evil);
    let alpha = FakeRegistry::start(vec![hostile(evil), broken.clone()]).await;
    let beta = FakeRegistry::start(vec![hostile("'\"><img src=x onerror=alert(1)>")]).await;
    let secret = alpha.url().replace("http://", "http://canary-user:canary-password@") + "?key=canary-key";
    let setup = Setup::new().settings(LISTEN).registry("alpha", &secret).registry("beta", &beta.url());
    let proxy = setup.start_ready().await;
    until_shown(&proxy, "/dashboard/conflicts", &["different content", "&lt;script&gt;"]).await;
    until_shown(&proxy, "/dashboard/registries/alpha", &["Refused entries"]).await;
    for target in PAGES {
        let shown = page(&proxy, target).await;
        assert!(!shown.contains("<script>") && !shown.contains("<img src=x"), "{target}: {shown}");
        assert!(!shown.contains("canary"), "{target}: {shown}");
        assert!(!shown.contains("href=\"javascript:"), "{target}: {shown}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn what_happened_is_told_a_page_at_a_time() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let settings = format!("{LISTEN}\n[refresh]\nfull_interval = \"100ms\"");
    let proxy = Setup::new().settings(&settings).registry("alpha", &alpha.url()).start_ready().await;
    until_shown(&proxy, "/dashboard/changes", &["reset"]).await;
    alpha.set_entries(numbered("com.alpha", 71));
    let newest = until_shown(&proxy, "/dashboard/changes", &["server-0070", "Next page"]).await;
    assert_eq!(newest.matches("<tr").count(), 51, "a head and fifty events");
    let next = newest.split("href=\"").find(|link| link.contains("before=")).and_then(|link| link.split('"').next());
    let next = next.expect("a link").replace("../", "/");
    let older = page(&proxy, &next).await;
    assert!(older.contains("reset") && older.contains("First page") && !older.contains("Next page"), "{older}");
    let other = page(&proxy, "/dashboard/changes?registry=other").await;
    assert!(other.contains("reset") && !other.contains("server-0070"), "resets concern everyone: {other}");
    proxy.stop().await;
}

#[tokio::test]
async fn where_there_is_nothing_to_show_a_page_says_so() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let proxy = Setup::new().settings(LISTEN).registry("alpha", &alpha.url()).start_ready().await;
    for (target, status, part) in [
        ("/dashboard/registries/nobody", 404, "No registry of that name is configured"),
        ("/dashboard/conflicts?cursor=x", 400, "Invalid cursor parameter"),
        ("/dashboard/changes?before=x", 422, "validation failed"),
    ] {
        let reply = get(&proxy, target).await;
        assert_eq!((reply.status, reply.header("content-type")), (status, "text/html; charset=utf-8"), "{target}");
        assert!(reply.text().contains(part) && reply.text().contains("All registries"), "{target}: {}", reply.text());
    }
    assert_eq!(get(&proxy, "/dashboard/nothing").await.status, 404);
    proxy.stop().await;
}

#[tokio::test]
async fn what_became_of_the_configuration_is_shown_in_full() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let setup = || Setup::new().settings(LISTEN).registry("alpha", &alpha.url());
    let proxy = setup().start_ready().await;
    proxy.rewrite("[cache]\nmax_age = \"canary-value\"");
    until_shown(&proxy, "/", &["A changed configuration was refused", "canary-value"]).await;
    proxy.reconfigure(Setup::new().settings("[admin]\nlisten = \"127.0.0.1:1\"").registry("alpha", &alpha.url()));
    let pending = until_shown(&proxy, "/", &["wait for a restart", "admin.listen"]).await;
    assert!(!pending.contains("was refused"), "{pending}");
    proxy.until_configuration("it waits", |state| state["pending"] == json!(["admin.listen"])).await;
    proxy.stop().await;
}

#[tokio::test]
async fn the_list_of_servers_is_beside_the_dashboard_and_pages_lead_back_to_it() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 40)).await;
    let proxy = Setup::new().settings(LISTEN).registry("alpha", &alpha.url()).start_ready().await;
    proxy.until_listed(&keys_of(&numbered("com.alpha", 40))).await;
    let first = until_shown(&proxy, "/browse", &["<h1>MCP servers</h1>", "40 servers", "Next page"]).await;
    assert!(first.contains("href=\"./browse\" aria-current=\"page\">Servers</a>"), "{first}");
    let next = first.split("href=\"?cursor=").nth(1).and_then(|rest| rest.split('"').next()).expect("a next page");
    let next = page(&proxy, &format!("/browse?cursor={next}")).await;
    assert!(next.contains("href=\"./browse\">First page</a>"), "{next}");
    // The same path is another page on either listener, also when it is asked for again.
    let server = "/server/com.alpha/server-0001";
    for _ in 0..3 {
        let here = page(&proxy, server).await;
        assert!(here.contains("<a href=\"../../browse\">All servers</a>"), "{here}");
        let public = proxy.get_with(server, &[BROWSER]).await;
        assert!(public.text().contains("<a href=\"../../\">All servers</a>"), "{}", public.text());
        assert!(!public.text().contains("/browse\""), "{}", public.text());
    }
    let missing = get(&proxy, "/server/com.alpha/nobody").await;
    assert!(missing.text().contains("href=\"../../browse\">Search all servers</a>"), "{}", missing.text());
    let wrong = get(&proxy, "/browse?type=both").await;
    assert_eq!((wrong.status, wrong.header("content-type")), (422, "text/html; charset=utf-8"));
    assert_eq!(proxy.get("/browse").await.status, 404, "the list is at the root in public");
    proxy.stop().await;
}

#[tokio::test]
async fn what_is_refused_leads_nowhere_and_is_listed_with_its_registry() {
    let (ours, theirs) = (FakeRegistry::start(numbered("com.acme", 2)).await, FakeRegistry::start(Vec::new()).await);
    theirs.set_entries([numbered("com.acme", 3), numbered("com.other", 1)].concat());
    let claims = format!("url = {:?}\nnamespaces = [\"com.acme/*\"]", ours.url());
    let setup = Setup::new().settings(LISTEN).registry_with("ours", &claims).registry("theirs", &theirs.url());
    let proxy = setup.start_ready().await;
    let target = "/dashboard/conflicts?registry=theirs";
    let shown = until_shown(&proxy, target, &[">refused</span>", "server-0002"]).await;
    assert!(!shown.contains("server-0002?version"), "nobody serves it: {shown}");
    assert!(shown.contains("server-0000?version"), "that one is served: {shown}");
    let detail = until_shown(&proxy, "/dashboard/registries/theirs", &["Refused entries"]).await;
    assert!(detail.contains("only other registries claim: ours"), "{detail}");
    assert!(detail.contains("id=\"refused\" data-live"), "{detail}");
    proxy.stop().await;
}
