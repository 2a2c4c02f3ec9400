#!/usr/bin/env python3
"""Runs the commands of README.md and docs/, as they stand there, against the binary: .ci/documents.py BINARY

Each line of each `sh` block is run by bash, in one directory with a copy of config/ and the files that the examples name,
while the proxy that README.md starts is running. Two things differ from what a reader does: `cargo run --release --` is
the binary, and tests of the registries are a second apart. What is not run is listed below with the reason.
Python's standard library only."""
import json, os, pathlib, re, shutil, signal, subprocess, sys, tempfile, time, urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What is run elsewhere, or needs what a machine of CI lacks.
NOT_HERE = {
    "cargo test": "the tests of .ci/run",
    "cargo bench": "takes a machine that nobody else uses; built by clippy",
    "apt-get install": "what the benchmark needs",
    "docker ": "needs an engine; .ci/deploy checks the files",
    "kubectl ": "needs a cluster; .ci/deploy checks the files",
    "systemctl ": "needs systemd; .ci/deploy checks the files",
    "sudo ": "as the line above",
}
# Registries that cannot be reached fail, and what is configured in the examples is not all listed.
MAY_FIND = re.compile(r"mcp-registry-proxy(\.exe)? (test|validate)\b|-- test\b")

EXAMPLES = {
    ".cursor/mcp.json": {"mcpServers": {"code": {"url": "https://mcp.search.example.com/code"}}},
    ".vscode/mcp.json": {"servers": {"fetch": {"type": "stdio", "command": "npx", "args": ["-y", "@example/fetch"]}}},
    ".mcp.json": {"mcpServers": {"fetch": {"command": "npx", "args": ["-y", "@example/fetch"]}}},
}


def commands():
    """Each command of the manual with its page."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.S | re.M):
            for line in block.replace("\\\n", " ").splitlines():
                if line.split("#")[0].strip():
                    yield page.name, line.strip()


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read()


def until(what, condition, limit=60):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"it took more than {limit} s until {what}")


def state_of_quickstart():
    registries = json.loads(get("http://127.0.0.1:8080/registries"))["registries"]
    return next(r["state"] for r in registries if r["name"] == "quickstart")


class Reader:
    """Does what the pages say, in a directory of its own."""

    def __init__(self, binary, directory):
        self.directory = directory
        self.proxy = None
        (directory / "bin").mkdir()
        (directory / "bin" / "mcp-registry-proxy").symlink_to(binary)
        shutil.copytree(ROOT / "config", directory / "config")
        # Without the registry that is not here: what fails for lack of a network is seen with the README's own file.
        quickstart = (directory / "config" / "quickstart.toml").read_text()
        alone = quickstart.split("[[registries]]")[2].replace("quickstart-servers", "config/quickstart-servers")
        (directory / "proxy.toml").write_text("[[registries]]" + alone)
        for name, content in EXAMPLES.items():
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content))
        self.environment = os.environ | {
            "PATH": f"{directory / 'bin'}:{os.environ['PATH']}",
            "HOME": str(directory),
            "MCP_REGISTRY_PROXY__HEALTH__INTERVAL": "1s",
            "NO_PROXY": "*",
        }

    def run(self, page, line):
        command = line.replace("cargo run --release --", "mcp-registry-proxy")
        if re.match(r"mcp-registry-proxy serve\b", command):
            return self.serve(command)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], cwd=self.directory, env=self.environment, timeout=120,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        allowed = {0, 1} if MAY_FIND.search(line) else {0}
        shown = (done.stdout + done.stderr)[-2000:]
        if done.returncode not in allowed:
            sys.exit(f"{page}: `{line}` ended with {done.returncode}:\n{shown}")
        if command.startswith("curl") and '"status":4' in done.stdout.replace(" ", ""):
            sys.exit(f"{page}: `{line}` was answered with\n{shown}")
        if command.startswith("mv config/quickstart-servers"):
            expected = "unhealthy" if line.endswith("away") else "healthy"
            until(f"the registry is {expected}", lambda: state_of_quickstart() == expected)
        return None

    def serve(self, command):
        if self.proxy is None:
            log = (self.directory / "serve.log").open("w")
            self.proxy = subprocess.Popen(command.split(), cwd=self.directory, env=self.environment, stderr=log)
            until("the proxy is ready", lambda: get("http://127.0.0.1:8080/readyz"))
            return
        # The second start of a page that has one: it is the same proxy.
        get("http://127.0.0.1:8080/livez")

    def stop(self):
        if self.proxy is not None:
            self.proxy.send_signal(signal.SIGTERM)
            if self.proxy.wait(30) != 0:
                sys.exit("the proxy did not stop as it should")


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    ran = 0
    with tempfile.TemporaryDirectory() as directory:
        reader = Reader(binary, pathlib.Path(directory))
        try:
            for page, line in commands():
                elsewhere = next((why for start, why in NOT_HERE.items() if line.startswith(start)), None)
                if elsewhere:
                    print(f"not run here ({elsewhere}): {line}")
                    continue
                reader.run(page, line)
                print(f"{page}: {line}")
                ran += 1
        finally:
            if reader.proxy is not None and reader.proxy.poll() is None and sys.exc_info()[0]:
                reader.proxy.kill()
        reader.stop()
    if ran < 12:
        sys.exit(f"only {ran} commands were found")
    print(f"{ran} commands of the manual did what they should")


if __name__ == "__main__":
    main()
