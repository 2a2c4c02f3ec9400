//! Verdicts where not all registries can be asked, and on documents that name what is not theirs.

use super::*;

fn verdict(catalog: &Arc<Catalog>, text: &str) -> Judged {
    judged(Arc::clone(catalog), text)[0].clone()
}

fn of_runner(catalog: &Arc<Catalog>, line: &str) -> Judged {
    verdict(catalog, &of_line(&line.replace("SELF", SELF)).to_string())
}

#[test]
fn only_a_registry_that_may_supply_a_name_leaves_it_unverified() {
    let acme = vec![("com.acme/search", "1.4.0", package("npm", "@acme/search", "1.4.0"), "active")];
    let sources = [source("official", false, &[], None), source("acme", true, &["com.acme/*"], Some(acme))];
    let catalog = Arc::new(merged(&sources));
    assert_eq!(verdict(&catalog, "com.acme/lost").verdict, Unknown, "official may not list it");
    assert_eq!(verdict(&catalog, "org.other/thing").verdict, Unverified);
    assert_eq!(of_runner(&catalog, "npx -y unheard-of").verdict, Unverified, "it may have any name");
}

#[test]
fn a_first_walk_that_has_not_ended_leaves_things_unverified() {
    let catalog = Arc::new(merged(&[Source { is_partial: true, ..source("official", true, &[], Some(official())) }]));
    assert_eq!(of_runner(&catalog, "npx -y SELF@2.0.0").verdict, Known);
    for line in ["npx -y unheard-of", "npx -y SELF@1.5.0", "uvx mcp-server-fecth"] {
        assert_eq!(of_runner(&catalog, line).verdict, Unverified, "{line}");
    }
    assert_eq!(verdict(&catalog, "org.other/thing").verdict, Unverified);
}

#[test]
fn what_looks_alike_may_be_listed_by_a_registry_that_is_down() {
    let found = of_runner(&catalog(), "uvx mcp-server-fecth");
    assert_eq!((found.verdict, &*found.candidates), (Unverified, &["io.example/fetch".to_owned()][..]));
    let evidence = found.evidence.join(" ");
    assert!(evidence.contains("edit") && evidence.contains("internal"), "{evidence}");
}

#[test]
fn a_version_that_a_registry_that_is_down_lists_is_unverified() {
    let mirror = vec![(FILES, "1.5.0", package("npm", SELF, "1.5.0"), "active")];
    let sources = [source("official", true, &[], Some(official())), source("mirror", false, &[], Some(mirror))];
    let catalog = Arc::new(merged(&sources));
    let found = of_runner(&catalog, "npx -y SELF@1.5.0");
    assert_eq!(found.verdict, Unverified);
    assert!(found.evidence.join(" ").contains("mirror"), "{found:?}");
    assert_eq!(verdict(&catalog, &format!("{FILES}@1.5.0")).verdict, Unverified);
    assert_eq!(of_runner(&catalog, "npx -y SELF@1.6.0").verdict, UnlistedVersion, "it is known what the mirror lists");
}

#[test]
fn a_document_is_not_known_for_a_package_of_others() {
    let document = |name: &str, identifier: &str| {
        let package = json!({"registryType": "npm", "identifier": identifier, "transport": {"type": "stdio"}});
        json!({"name": name, "version": "1.0.0", "description": "x", "packages": [package]}).to_string()
    };
    let whole = whole();
    let foreign = verdict(&whole, &document("com.evil/files", SELF));
    assert_eq!((foreign.verdict, &*foreign.candidates), (WrongSource, &[FILES.to_owned()][..]));
    assert!(foreign.evidence.join(" ").contains(FILES), "{foreign:?}");
    let alike = verdict(&whole, &document("com.acrne/search", "@acme/search"));
    assert_eq!((alike.verdict, &*alike.candidates), (LookAlike, &["com.acme/search".to_owned()][..]));
    assert_eq!(verdict(&whole, &document("com.evil/files", "unheard-of")).verdict, Unknown);
    assert_eq!(verdict(&catalog(), &document("com.evil/files", SELF)).verdict, Unverified, "one is down");
    assert_eq!(verdict(&whole, &document("com.acme/lost", "unheard-of")).verdict, Unknown);
}

#[test]
fn servers_of_one_publisher_do_not_pass_for_one_another() {
    let whole = whole();
    assert_eq!(verdict(&whole, "com.acme/serach").verdict, Unknown);
    assert_eq!(verdict(&whole, "com.acne/search").verdict, LookAlike);
    let url = |url: &str| verdict(&whole, &json!({"mcpServers": {"x": {"url": url}}}).to_string()).verdict;
    assert_eq!(url("https://weather.exarnple.com/sse"), LookAlike);
    assert_eq!(url("https://new.moved.example.com/other"), WrongSource, "its own host is listed");
}

#[test]
fn a_variable_that_cannot_be_read_hides_no_package() {
    let server = json!({"packages": [{
        "registryType": "npm", "identifier": "lenient-tool", "transport": {"type": "stdio"},
        "environmentVariables": [{"name": 1}, {"name": "KEY", "isRequired": true, "isSecret": true}]
    }]});
    let rows = vec![("com.example/lenient", "1.0.0", server, "active")];
    let catalog = Arc::new(merged(&[source("official", true, &[], Some(rows))]));
    let found = of_runner(&catalog, "npx -y lenient-tool");
    assert_eq!(found.verdict, WrongSource);
    assert!(found.evidence.join(" ").contains("KEY"), "{found:?}");
}

#[test]
fn what_is_no_version_is_not_shown() {
    let text = json!({"configured": [
        {"packages": [{"type": "npm", "identifier": "x", "version": "1.0.0 --token s3cret"}]},
        {"name": "com.acme/search", "version": "s3cret s3cret"},
    ]});
    for found in judged(whole(), &text.to_string()) {
        assert_eq!(found.verdict, Unknown, "{found:?}");
        assert!(!format!("{found:?}").contains("s3cret"), "{found:?}");
    }
}
