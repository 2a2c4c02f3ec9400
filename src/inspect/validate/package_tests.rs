use super::*;

fn parsed(kind: PackageType, text: &str) -> Option<(String, Option<String>)> {
    Package::parse(kind, text).map(|package| (package.identifier, package.version))
}

#[test]
fn packages_are_read_as_their_registries_name_them() {
    use PackageType::{Cargo, Jsr, Npm, Nuget, Oci, Pypi};
    for (kind, text, identifier, version) in [
        (Npm, "server", "server", None),
        (Npm, "@Scope/Server@1.2.0-rc.1", "@scope/server", Some("1.2.0-rc.1")),
        (Npm, "server@latest", "server", Some("latest")),
        (Npm, "npm:@scope/server@1", "@scope/server", Some("1")),
        (Npm, "alias@npm:server@2", "server", Some("2")),
        (Pypi, "MCP_Server..Fetch", "mcp-server-fetch", None),
        (Pypi, "mcp[cli,dev] == 1.2.0", "mcp", Some("1.2.0")),
        (Pypi, "mcp@1.2", "mcp", Some("1.2")),
        (Pypi, "mcp>=1.2,<2 ; python_version>'3.9'", "mcp", Some(">=1.2,<2")),
        (Oci, "redis", "docker.io/library/redis", None),
        (Oci, "mcp/fetch:1.2", "docker.io/mcp/fetch", Some("1.2")),
        (Oci, "index.docker.io/mcp/fetch", "docker.io/mcp/fetch", None),
        (Oci, "GHCR.io/owner/name:v1@sha256:ab12", "ghcr.io/owner/name", Some("v1@sha256:ab12")),
        (Oci, "ghcr.io/owner/name@sha256:ab12", "ghcr.io/owner/name", Some("sha256:ab12")),
        (Npm, "server@>=1.2 <2", "server", Some(">=1.2 <2")),
        (Npm, "server@1.2 - 1.4", "server", Some("1.2 - 1.4")),
        (Npm, "server@1.x || 3.x", "server", Some("1.x || 3.x")),
        (Oci, "localhost:5000/name", "localhost:5000/name", None),
        (Oci, "registry.acme.example:8443/team/name:2", "registry.acme.example:8443/team/name", Some("2")),
        (Nuget, "Acme.Mcp@1.0.0", "acme.mcp", Some("1.0.0")),
        (Cargo, "mcp_server@1", "mcp-server", Some("1")),
        (Jsr, "@scope/name@1", "@scope/name", Some("1")),
    ] {
        let expected = Some((identifier.to_owned(), version.map(str::to_owned)));
        assert_eq!(parsed(kind, text), expected, "{kind:?} {text}");
    }
}

#[test]
fn what_names_no_package_is_none() {
    use PackageType::{Cargo, Jsr, Npm, Nuget, Oci, Pypi};
    for (kind, text) in [
        (Npm, ""),
        (Npm, "./server"),
        (Npm, "owner/repository"),
        (Npm, "github:owner/repository"),
        (Npm, "name@https://example.com/x.tgz"),
        (Pypi, "git+https://github.com/owner/repository"),
        (Pypi, "name @ git+https://github.com/owner/repository"),
        (Pypi, "./wheel.whl"),
        (Pypi, "wheel-1.0-py3-none-any.whl"),
        (Pypi, "server.py"),
        (Oci, "Owner/Name"),
        (Oci, "name:a b"),
        (Oci, "$IMAGE"),
        (Nuget, "--yes"),
        // An argument is no part of a version.
        (Npm, "@scope/pkg@1.0.0 --api-key sk-s3cret"),
        (Npm, "pkg@1.0.0 sk-s3cret"),
        (Npm, "pkg@--token"),
        (Npm, "pkg@1.0.0;s3cret"),
        (Pypi, "pkg==1.0 --token s3cret"),
        (Pypi, "pkg==1.0 s3cret"),
        (Pypi, "pkg@1.0 $TOKEN"),
        (Nuget, "Pkg@1.0.0 --token s3cret"),
        (Cargo, "pkg@1.0.0 --token s3cret"),
        (Jsr, "@scope/pkg@1.0.0 --token s3cret"),
        (Jsr, "@scope/pkg@s3cret?x=/y"),
        (Oci, "name:1.0 --token s3cret"),
        (Oci, "name@sha 256:ab12"),
        (Oci, "name@sha256:ab12 s3cret"),
    ] {
        assert_eq!(parsed(kind, text), None, "{kind:?} {text}");
    }
    assert_eq!(parsed(Npm, &"x".repeat(MAX_BYTES + 1)), None);
}

#[test]
fn options_say_which_package_registry_is_asked() {
    use PackageType::{Npm, Pypi};
    let hosts = |hosts: &[&str]| Origin::Others(hosts.iter().map(ToString::to_string).collect());
    assert_eq!(Npm.origin([]), Origin::Unsaid);
    assert_eq!(Npm.origin(["https://registry.npmjs.org/"]), Origin::Usual);
    assert_eq!(Pypi.origin(["https://pypi.org/simple", "mine=https://a.example/simple"]), hosts(&["a.example"]));
    assert_eq!(Pypi.origin(["https://a.example https://b.example", "./dir"]), hosts(&["a.example", "b.example"]));
    for (origin, listed, is_other) in [
        (Origin::Unsaid, Some("a.example"), false),
        (Origin::Usual, Some("a.example"), true),
        (Origin::Usual, None, false),
        (hosts(&["a.example"]), Some("a.example"), false),
        (hosts(&["a.example"]), None, true),
        (hosts(&["a.example", "b.example"]), Some("a.example"), true),
    ] {
        assert_eq!(origin.is_other_than(listed), is_other, "{origin:?} {listed:?}");
    }
}

#[test]
fn a_listed_package_may_have_its_version_and_its_host_beside_it() {
    let listed = |kind, identifier, version, base| Package::listed(kind, identifier, version, base).expect("a package");
    let image = listed("docker", "owner/name", Some("1.2"), Some("https://ghcr.io"));
    assert_eq!((image.key().as_str(), image.version.as_deref()), ("oci:ghcr.io/owner/name", Some("1.2")));
    assert_eq!(image.path_of_image(), Some("owner/name"));
    let image = listed("oci", "docker.io/owner/name:1.3", None, None);
    assert_eq!((image.key().as_str(), image.version.as_deref()), ("oci:docker.io/owner/name", Some("1.3")));
    assert_eq!(Package::listed("unheard-of", "x", None, None), None);
    assert_eq!(Package::listed("npm", "x", Some("1.0.0 --token s3cret"), None), None);
    assert_eq!(PackageType::Npm.unusual_host("https://registry.npmjs.org/"), None);
    assert_eq!(PackageType::Npm.unusual_host("https://npm.acme.example/x"), Some("npm.acme.example".to_owned()));
}
