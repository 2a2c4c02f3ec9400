use serde_json::{Value, json};

use super::*;
use crate::inspect::testing::{Listed, catalog};

fn walk(catalog: &Catalog, filter: &Filter, limit: usize) -> Vec<Value> {
    let (report, mut all, mut after) = (Report::of(catalog), Vec::new(), None);
    loop {
        let page = report.page(catalog, filter, after.as_ref(), limit);
        assert!(page.groups.len() <= limit);
        all.extend(page.groups.iter().map(|group| serde_json::to_value(group).expect("JSON")));
        match page.next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

fn of_one(listed: Vec<Listed>) -> Vec<Value> {
    walk(&catalog(&[("one", &[], true, listed)]), &Filter::default(), 100)
}

/// `kind grade: name, name`, the names in the order in which they are told.
fn told(groups: &[Value]) -> Vec<String> {
    let names = |group: &Value| {
        let servers = group["servers"].as_array().expect("servers").iter();
        servers.map(|server| server["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>().join(", ")
    };
    let text = |group: &Value, key: &str| group[key].as_str().expect("a text").to_owned();
    groups.iter().map(|group| format!("{} {}: {}", text(group, "kind"), text(group, "grade"), names(group))).collect()
}

fn numbered(count: usize, make: impl Fn(Listed, usize) -> Listed) -> Vec<Listed> {
    // None is like another one.
    let tail = |number: usize| blake3::hash(&number.to_le_bytes()).to_hex()[..16].to_owned();
    let name = |number| format!("com.publisher-{number}/{}", tail(number));
    (0..count).map(|number| make(Listed::new(&name(number), "1.0.0"), number)).collect()
}

#[test]
fn one_package_or_one_url_is_one_server_whatever_its_name() {
    let groups = of_one(vec![
        Listed::new("com.acme/search", "1.0.0").package("npm", "@acme/search").published_at(10),
        Listed::new("io.github.acme/finder", "1.0.0").package("npm", "@Acme/search").published_at(5),
        Listed::new("com.acme/hosted", "1.0.0").remote("https://mcp.acme.com/mcp"),
        Listed::new("net.mirror/acme", "1.0.0").remote("https://MCP.acme.com/mcp/"),
        Listed::new("org.other/thing", "1.0.0").package("npm", "thing").remote("https://thing.org/mcp"),
    ]);
    let expected =
        ["same certain: com.acme/hosted, net.mirror/acme", "same certain: io.github.acme/finder, com.acme/search"];
    assert_eq!(told(&groups), expected);
    let evidence = json!([{"basis": "package", "grade": "certain", "value": "npm:@acme/search",
                           "names": ["com.acme/search", "io.github.acme/finder"]}]);
    assert_eq!(groups[1]["evidence"], evidence);
    assert_eq!(groups[1]["servers"][0]["publishedAt"], "1970-01-01T00:00:05Z");
}

#[test]
fn evidence_joins_what_it_connects_and_a_group_is_as_sure_as_what_holds_it_together() {
    let groups = of_one(vec![
        Listed::new("com.acme/a", "1.0.0").package("npm", "a").remote("https://a.acme.com/mcp"),
        Listed::new("com.other/b", "1.0.0").package("npm", "a"),
        Listed::new("org.third/ccc", "1.0.0").remote("https://a.acme.com/mcp").repository("https://github.com/x/ccc"),
        Listed::new("net.fourth/my-ccc", "1.0.0").repository("https://github.com/x/ccc.git"),
    ]);
    assert_eq!(told(&groups), ["same likely: com.acme/a, com.other/b, net.fourth/my-ccc, org.third/ccc"]);
    let bases: Vec<_> = groups[0]["evidence"].as_array().expect("evidence").iter().map(|one| &one["basis"]).collect();
    assert_eq!(bases, ["remote", "package", "repository"]);
}

#[test]
fn what_many_share_is_no_evidence() {
    let kit = |listed: Listed, number: usize| {
        listed.with(
            "packages",
            json!([{"registryType": "pypi", "identifier": "clio-kit",
                    "packageArguments": [{"type": "positional", "value": format!("server-{number}")}]}]),
        )
    };
    assert_eq!(told(&of_one(numbered(16, kit))), [""; 0], "one package that is 16 servers");
    assert_eq!(told(&of_one(numbered(16, |listed, _| listed.package("pypi", "kit")))), [""; 0]);
    let monorepo = |listed: Listed, _| listed.repository("https://github.com/Dave-London/pare");
    assert_eq!(told(&of_one(numbered(26, monorepo))), [""; 0], "one repository of 26 servers");
    assert_eq!(told(&of_one(numbered(4, monorepo))), [""; 0]);
    let parts = |listed: Listed, number: usize| {
        let subfolder = format!("packages/{number}");
        listed.with("repository", json!({"url": "https://github.com/x/y", "source": "github", "subfolder": subfolder}))
    };
    assert_eq!(told(&of_one(numbered(2, parts))), [""; 0], "two parts of a repository are two things");
    assert_eq!(told(&of_one(numbered(40, |listed, _| listed.remote("https://gateway.com/mcp")))), [""; 0]);
}

#[test]
fn a_package_that_is_started_otherwise_and_a_shared_repository_are_weak() {
    let started = |name: &str, how: &str| {
        Listed::new(name, "1.0.0").with(
            "packages",
            json!([{"registryType": "npm", "identifier": "k", "packageArguments": [{"type": "positional", "value": how}]}]),
        )
    };
    assert_eq!(told(&of_one(vec![started("a/x", "one"), started("b/yyyy", "two")])), ["same weak: a/x, b/yyyy"]);
    let of = |name: &str| Listed::new(name, "1.0.0").repository("https://github.com/acme/toolbox");
    let groups = of_one(vec![of("com.acme/gmail"), of("ai.host/calendar")]);
    assert_eq!(told(&groups), ["same weak: ai.host/calendar, com.acme/gmail"]);
    let groups = of_one(vec![of("com.acme/acme-toolbox"), of("ai.host/toolbox")]);
    assert_eq!(told(&groups), ["same likely: ai.host/toolbox, com.acme/acme-toolbox"], "both are named after it");
    let common = |name: &str| Listed::new(name, "1.0.0").repository("https://github.com/acme/mcp-server");
    let groups = of_one(vec![common("com.acme/a-mcp-server"), common("ai.host/mcp-server")]);
    assert_eq!(told(&groups), ["same weak: ai.host/mcp-server, com.acme/a-mcp-server"], "many are named like it");
    let groups = of_one(vec![of("com.acme/gmail").package("npm", "gmail"), of("ai.host/maps").package("npm", "maps")]);
    assert_eq!(told(&groups), [""; 0], "two programs of one repository");
}

#[test]
fn names_that_differ_in_letter_case_alone_are_the_same() {
    let groups =
        of_one(vec![Listed::new("io.github.SceneView/mcp", "1.0.0"), Listed::new("io.github.sceneview/mcp", "1.0.0")]);
    assert_eq!(told(&groups), ["same likely: io.github.SceneView/mcp, io.github.sceneview/mcp"]);
    assert_eq!(groups[0]["evidence"][0]["basis"], "case");
}

#[test]
fn a_look_alike_is_told_of_the_more_established_one() {
    let listed = vec![
        Listed::new("com.microsoft/mcp", "1.0.0").published_at(10),
        Listed::new("com.rnicrosoft/mcp", "1.0.0").published_at(20),
        Listed::new("io.github.modelcontextprotocol/git", "1.0.0").published_at(30),
        Listed::new("io.github.modelcontextprotocl/git", "1.0.0").published_at(5),
        Listed::new("io.github.modelcontextprotocl/git", "1.1.0").published_at(6),
        Listed::new("com.example-one/search", "1.0.0"),
        Listed::new("com.example-one/search2", "1.0.0"),
    ];
    let established = vec![Listed::new("io.github.modelcontextprotocol/git", "1.0.0").published_at(30)];
    let catalog = catalog(&[("one", &[], true, listed), ("two", &[], true, established)]);
    let groups = walk(&catalog, &Filter::default(), 100);
    let expected = [
        "look-alike likely: com.microsoft/mcp, com.rnicrosoft/mcp",
        "look-alike likely: io.github.modelcontextprotocol/git, io.github.modelcontextprotocl/git",
    ];
    assert_eq!(told(&groups), expected, "more registries count for more than an old date");
    assert_eq!(groups[1]["evidence"][0]["basis"], "edits");
    assert_eq!(groups[1]["evidence"][0]["value"], "1");
    assert_eq!(groups[1]["servers"][0]["registries"], json!(["one", "two"]));
}

#[test]
fn names_of_one_namespace_are_look_alikes_only_where_no_registry_lists_both() {
    let (search, serach) = (|| Listed::new("com.acme/search", "1.0.0"), || Listed::new("com.acme/serach", "1.0.0"));
    assert_eq!(told(&of_one(vec![search(), serach()])), [""; 0]);
    let apart = catalog(&[("one", &[], true, vec![search()]), ("two", &[], true, vec![serach()])]);
    assert_eq!(told(&walk(&apart, &Filter::default(), 100)), ["look-alike weak: com.acme/search, com.acme/serach"]);
}

#[test]
fn look_alikes_are_found_among_many_names_wherever_the_edits_are() {
    let mut listed = numbered(300, |listed, _| listed);
    let pairs = [
        ("io.github.somebody-long/tool", "io.github.sombeody-long/tool"),
        ("io.github.abcdefgh/tools", "io.github.abcdefghi/toolz"),
        ("io.example.first.place/x", "io.exampel.first.place/x"),
        ("xcom.edge/server", "com.edge/server"),
    ];
    for (one, other) in pairs {
        listed.push(Listed::new(one, "1.0.0").published_at(1));
        listed.push(Listed::new(other, "1.0.0").published_at(2));
    }
    let found: Vec<String> = told(&of_one(listed)).into_iter().filter(|told| !told.contains("publisher")).collect();
    for (one, other) in pairs {
        assert!(found.iter().any(|told| told.ends_with(&format!(": {one}, {other}"))), "{one} {other}: {found:?}");
    }
    assert_eq!(found.len(), pairs.len());
}

#[test]
fn pages_and_filters_are_parts_of_the_same_list() {
    let listed = vec![
        Listed::new("a/x", "1.0.0").package("npm", "p"),
        Listed::new("b/y", "1.0.0").package("npm", "p"),
        Listed::new("com.microsoft/mcp", "1.0.0"),
        Listed::new("com.micros0ft/mcp", "1.0.0"),
        Listed::new("c/zz", "1.0.0").remote("https://z.com/mcp"),
    ];
    let catalog = catalog(&[
        ("one", &[], true, listed),
        ("two", &[], true, vec![Listed::new("d/w", "1").remote("https://z.com/mcp")]),
    ]);
    let all = walk(&catalog, &Filter::default(), 100);
    assert_eq!(all.len(), 3);
    for limit in 1..4 {
        assert_eq!(walk(&catalog, &Filter::default(), limit), all);
    }
    let count = |filter: Filter| walk(&catalog, &filter, 1).len();
    assert_eq!(count(Filter { kind: Some(Kind::LookAlike), ..Filter::default() }), 1);
    assert_eq!(count(Filter { grade: Some(Grade::Certain), ..Filter::default() }), 2);
    assert_eq!(count(Filter { name: Some("COM.*".into()), ..Filter::default() }), 1);
    assert_eq!(count(Filter { registry: Some("two".into()), ..Filter::default() }), 1);
    assert_eq!(count(Filter { registry: Some("nobody".into()), ..Filter::default() }), 0);
}

#[test]
fn a_group_holds_no_more_than_allowed_whoever_joins_it() {
    // Each shares a URL with the next one, and so all are joined.
    let chain = |listed: Listed, number: usize| {
        let url = |number: usize| json!({"type": "sse", "url": format!("https://link-{number}.com/mcp")});
        listed.with("remotes", json!([url(number), url(number + 1)]))
    };
    let groups = of_one(numbered(100, chain));
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0]["servers"].as_array().map(Vec::len), Some(MAX_MEMBERS));
    assert_eq!(groups[0]["furtherServers"], 36);
    assert_eq!(groups[0]["evidence"].as_array().map(Vec::len), Some(MAX_MEMBERS));
}
