#!/usr/bin/env python3
"""Generated requests against the running proxy: it answers as its own description says, and as the official API's
description of the read routes says.

Usage: schemathesis.py PROXY_BINARY

Schemathesis comes from PyPI into a virtual environment under `target`. What it leaves out, `schemathesis.toml` says,
with reasons.
"""
import contextlib, json, os, pathlib, signal, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

BINARY, HERE = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(__file__).resolve().parent
VERSION = "4.32.5"
ENVIRONMENT = HERE.parent / "target" / "ci-tools" / f"schemathesis-{VERSION}"
OFFICIAL = "io.modelcontextprotocol.registry/official"
# The same requests every time: a failure can be looked at again, and nothing fails that passed before.
OPTIONS = ["--generation-deterministic", "--max-examples", "50", "--checks", "all", "--no-color",
           "--continue-on-failure", "--request-timeout", "10", "--workers", "1"]
# A third of the time for the same: a unit test holds that these paths have the routes and the description of theirs
# under /v0.1.
ALIASES = ["--exclude-path-regex", "^/(v0|servers)(/|$)"]


def install():
    """The command, installed unless it is there."""
    command = ENVIRONMENT / "bin" / "schemathesis"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        subprocess.run([ENVIRONMENT / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check",
                        f"schemathesis=={VERSION}"], check=True)
    return command


def entry(name, version, official=None, **server):
    time = "2026-01-01T00:00:00Z"
    block = {"status": "active", "statusChangedAt": time, "publishedAt": time, "updatedAt": time, "isLatest": True}
    return {"server": {"name": name, "description": f"What {name} does", "version": version, **server},
            "_meta": {OFFICIAL: block | (official or {})}}


def entries():
    """Few, and unlike each other. All of them are what the official registry could list."""
    remote = {"type": "streamable-http", "url": "https://mcp.example.com/{tenant}",
              "headers": [{"name": "Authorization", "isRequired": True, "isSecret": True}],
              "variables": {"tenant": {"description": "The tenant", "choices": ["a", "b"]}}}
    package = {"registryType": "npm", "identifier": "@example/tool", "version": "1.2.3", "transport": {"type": "stdio"},
               "runtimeArguments": [{"type": "named", "name": "--port", "default": "80", "isRepeated": False}],
               "environmentVariables": [{"name": "TOKEN", "isSecret": True, "format": "string"}]}
    return [
        # The description's own example.
        entry("com.example.search/code", "1.0.0"),
        entry("com.example/remote", "1.0.0", remotes=[remote], title="Remote"),
        entry("com.example/package", "1.0.0", packages=[package], repository={"url": "https://example.com", "source": "github"}),
        entry("com.example/package", "1.1.0+build.5", packages=[package], websiteUrl="https://example.com/"),
        entry("com.example/neither", "2025.06.18", repository={}, _meta={}),
        entry("com.example/deprecated", "0.1.0", {"status": "deprecated", "statusMessage": "Use another"}),
        entry("com.example/deleted", "0.1.0", {"status": "deleted"}),
        entry("com.example/icons", "1.0.0", icons=[{"src": "https://example.com/i.png", "mimeType": "image/png", "sizes": ["48x48"]}]),
        *(entry(f"com.example/server-{number:03}", "1.0.0") for number in range(120)),
    ]


@contextlib.contextmanager
def proxy():
    """A proxy over a small registry in a file, at the URL that this yields."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = "{}:{}".format(*probe.getsockname())
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        (directory / "servers.json").write_text(json.dumps({"servers": entries()}))
        (directory / "proxy.toml").write_text(
            f'[server]\nlisten = "{listen}"\n[admin]\nlisten = "off"\n[store]\npath = "off"\n'
            '[[registries]]\nname = "acme"\nfile = "servers.json"\n')
        log = open(directory / "log", "w+")
        child = subprocess.Popen([BINARY, "serve", "--config", "proxy.toml"], cwd=directory, stderr=log)
        try:
            wait_until_ready(f"http://{listen}", child)
            yield f"http://{listen}"
            assert child.poll() is None, "the proxy has ended"
            log.seek(0)
            assert "panicked" not in log.read(), "a request handler panicked"
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(30)


def wait_until_ready(base, child):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(f"{base}/readyz", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise SystemExit("the proxy did not become ready")


def run(command, what, location, base, *options):
    print(f"-- {what}", flush=True)
    configuration = HERE / "schemathesis.toml"
    arguments = ["--config-file", configuration, "run", *OPTIONS, *options, "--url", base, location]
    # It keeps what it found in the working directory, and would begin with that the next time.
    with tempfile.TemporaryDirectory() as directory:
        return subprocess.run([command, *arguments], cwd=directory, timeout=300).returncode == 0


def main():
    command, official = install(), HERE / "official-openapi.yaml"
    with proxy() as base:
        own = f"{base}/openapi.yaml"
        good = [run(command, "the proxy's own description", own, base, "--phases", "examples,coverage"),
                run(command, "the same, other requests", own, base, "--phases", "fuzzing", *ALIASES),
                run(command, "the official API's read routes", official, base, "--phases", "examples,coverage,fuzzing")]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    main()
