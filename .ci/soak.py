#!/usr/bin/env python3
"""The proxy under full load while everything around it changes: wrk at the public listener, three registries that
change, fail and recover at random, and a configuration that is rewritten every few seconds.

    .ci/soak.py BINARY SHARED [--seconds N] [--seed N]

It ends badly on a failed request, on an answer that differs from the model that is kept here, on memory that grows, and
on a proxy that does not come back to exactly what the registries list once they are left alone. wrk is a package of
that name."""

import argparse
import json
import os
import pathlib
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

OFFICIAL = "io.modelcontextprotocol.registry/official"
PROVENANCE = "mcp-registry-proxy/provenance"
REGISTRIES = ["alpha", "beta", "gamma"]
# What a registry may do wrong, and what the fake one needs to know for it.
FAULTS = [
    {"fault": "status", "status": 500}, {"fault": "status", "status": 403}, {"fault": "hang", "seconds": 3},
    {"fault": "slow_drip", "pause": 0.05}, {"fault": "reset"}, {"fault": "truncated"}, {"fault": "wrong_length"},
    {"fault": "html"}, {"fault": "garbage"}, {"fault": "not_utf8"}, {"fault": "empty_list"},
    {"fault": "no_servers_key"}, {"fault": "servers_object"}, {"fault": "cursor_loop"}, {"fault": "repeated_page"},
    {"fault": "gzip_bomb", "mebibytes": 64}, {"fault": "deep_nesting"}, {"fault": "huge_entry", "bytes": 1 << 20},
    {"fault": "redirect_loop"}, {"fault": "redirect", "to": "http://169.254.169.254/latest/meta-data/"},
    {"fault": "rate_limited", "seconds": 1}, {"fault": "duplicate_keys"}, {"fault": "half_crawl"},
    {"fault": "close_before_response"}, {"fault": "lying_count"},
]
# How long something that is no longer true may still be served: a registry that has been down for a while leaves the
# configuration and comes back to it, and until it has been asked its last good listing counts; and what a machine under
# full load adds to that.
LAG = 120.0
RELOAD_SECONDS = 5.0
GROWTH = 1.10
SLACK_KIB = 16 << 10
# What the answers of three registries may take while they arrive (docs/limits.md, "Memory under attack").
PEAK_KIB = 3 * (144 << 10)
LUA = """
local paths = {
  "/v0.1/servers?limit=50&version=latest", "/v0.1/servers", "/v0/servers?limit=100", "/servers?search=alpha",
  "/v0.1/servers?registry=alpha&limit=10", "/v0.1/servers/com.alpha%2Fsteady-0/versions/latest",
  "/v0.1/servers/com.alpha%2Fsteady-1/versions", "/v0.1/servers/com.alpha%2Fsteady-2/versions/1.0.0",
  "/registries", "/registries/alpha", "/readyz", "/livez", "/v0.1/servers?updated_since=2020-01-01T00:00:00Z",
}
local encodings = { "identity", "gzip", "br", "zstd" }
local at = 0
request = function()
  at = at + 1
  return wrk.format("GET", paths[at % #paths + 1], { ["Accept-Encoding"] = encodings[at % #encodings + 1] })
end
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url, timeout=30):
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)


def post(url, body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


class Model:
    """What each registry has ever listed under a key, and from when to when that was true."""

    def __init__(self):
        self.guard = threading.Lock()
        # (registry, name, version) -> [(content, status, from, until)]
        self.truths = {}

    def put(self, registry, name, version, content, status="active"):
        now = time.monotonic()
        with self.guard:
            truths = self.truths.setdefault((registry, name, version), [])
            self._close(truths, now)
            truths.append((content, status, now, None))

    def drop(self, registry, name, version):
        with self.guard:
            self._close(self.truths[(registry, name, version)], time.monotonic())

    @staticmethod
    def _close(truths, now):
        if truths and truths[-1][3] is None:
            content, status, since, _ = truths[-1]
            truths[-1] = (content, status, since, now)

    def was_true(self, registry, name, version, content, now):
        with self.guard:
            truths = self.truths.get((registry, name, version), [])
            return any(known == content and (until is None or now - until < LAG) for known, _, _, until in truths)

    def present(self, registry):
        with self.guard:
            return {(name, version): truths[-1][0] for (of, name, version), truths in self.truths.items()
                    if of == registry and truths and truths[-1][3] is None and truths[-1][1] != "deleted"}


class Registry:
    """A fake registry, and what changes in it."""

    def __init__(self, name, shared, directory, model, chance):
        self.name, self.model, self.chance, self.port = name, model, chance, free_port()
        self.moving = {}
        corpus = [self.entry(f"com.{name}/steady-{n}", "1.0.0", "steady") for n in range(120)]
        corpus += [self.entry(f"com.shared/both-{n}", "1.0.0", f"as {name} has it") for n in range(20)]
        path = directory / f"{name}.json"
        path.write_text(json.dumps({"servers": corpus}))
        tool = shared / "tools" / "fake_registry.py"
        self.child = subprocess.Popen([sys.executable, tool, "--port", str(self.port), "--corpus", path],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{self.port}"

    def entry(self, name, version, content):
        self.model.put(self.name, name, version, content)
        stamp = "2026-01-01T00:00:00Z"
        official = {"status": "active", "statusChangedAt": stamp, "publishedAt": stamp, "updatedAt": stamp,
                    "isLatest": True}
        return {"server": {"name": name, "description": content, "version": version}, "_meta": {OFFICIAL: official}}

    def change(self):
        kind = self.chance.choice(["publish", "publish", "rewrite", "silent", "delete", "remove"])
        if kind == "publish" or not self.moving:
            name = f"com.{self.name}/moving-{self.chance.randrange(40)}"
            version = f"1.{self.chance.randrange(5)}.0"
            self.publish(name, version)
            return
        name, version = self.chance.choice(sorted(self.moving))
        if kind == "delete":
            # Before it can be seen; what is deleted is not listed.
            self.model.put(self.name, name, version, self.moving[(name, version)], "deleted")
            post(self.base + "/__status", {"name": name, "version": version, "status": "deleted"})
            del self.moving[(name, version)]
        elif kind == "remove":
            post(self.base + "/__remove", {"name": name, "version": version})
            self.model.drop(self.name, name, version)
            del self.moving[(name, version)]
        else:
            self.publish(name, version, silently=kind == "silent")

    def publish(self, name, version, silently=False):
        content = f"{self.name} {self.chance.getrandbits(48):x}"
        self.model.put(self.name, name, version, content)
        meta = {"updatedAt": "2026-01-01T00:00:00Z"} if silently else {}
        body = {"server": {"name": name, "description": content, "version": version}, "meta": meta}
        post(self.base + "/__publish", body)
        self.moving[(name, version)] = content

    def break_it(self, fault):
        post(self.base + "/__fault", fault)

    def heal(self):
        post(self.base + "/__fault", {"fault": "none"})


class Failure(Exception):
    pass


class Soak:
    def __init__(self, arguments):
        self.arguments, self.chance = arguments, random.Random(arguments.seed)
        self.stop, self.problems = threading.Event(), []
        self.walks = self.changes = self.outages = self.reloads = 0
        self.memory = []

    def run(self):
        with tempfile.TemporaryDirectory() as directory:
            self.directory = pathlib.Path(directory)
            self.model = Model()
            shared = pathlib.Path(self.arguments.shared).resolve()
            self.registries = [Registry(name, shared, self.directory, self.model, random.Random(f"{self.arguments.seed} {name}"))
                               for name in REGISTRIES]
            self.port, self.admin = free_port(), free_port()
            self.base = f"http://127.0.0.1:{self.port}"
            self.configuration = self.directory / "proxy.toml"
            self.configure(0)
            log = open(self.directory / "log", "wb")
            self.proxy = subprocess.Popen([self.arguments.binary, "serve", "--config", self.configuration],
                                          cwd=self.directory, stderr=log)
            try:
                self.wait_until("the proxy is ready", lambda: get(self.base + "/readyz"))
                self.wait_until("everything is listed", self.is_exact)
                self.soak()
            except (Failure, AssertionError, OSError) as problem:
                self.problems.append(f"{type(problem).__name__}: {problem}")
            finally:
                for child in [self.proxy, *(registry.child for registry in self.registries)]:
                    child.send_signal(signal.SIGTERM)
                code = self.proxy.wait(timeout=60)
                if code != 0:
                    self.problems.append(f"the proxy ended with {code}")
                text = (self.directory / "log").read_text(errors="replace")
                self.problems += [line for line in text.splitlines() if "panicked" in line][:5]
                if self.problems:
                    print("\n".join(text.splitlines()[-40:]))

    def configure(self, turn):
        """Another valid configuration each time, and now and then one that is refused."""
        if turn % 7 == 6:
            text = "[cache]\nmax_age = \"soon\"\n"
        else:
            order = self.registries if turn % 2 == 0 else [self.registries[0], self.registries[2], self.registries[1]]
            # The first one stays: its last good listing is served whatever happens to it.
            text = f"""
[server]
listen = "127.0.0.1:{self.port}"
[admin]
listen = "127.0.0.1:{self.admin}"
[refresh]
interval = "1s"
full_interval = "5s"
max_rate = 500
[health]
interval = "500ms"
timeout = "{2 + turn % 3}s"
[cache]
max_age = "{1 + turn % 5}s"
[limits]
request_timeout = "3s"
[network]
proxy = "off"
[store]
path = "store"
[log]
level = "{"info" if turn % 3 else "warn"}"
"""
            for registry in order:
                if registry.name == "gamma" and turn % 5 == 4:
                    continue
                text += f'[[registries]]\nname = "{registry.name}"\nurl = "{registry.base}/v0.1/servers"\n'
                if registry.name == "beta" and turn % 4 == 3:
                    text += 'exclude = ["com.beta/steady-1*"]\n'
                if registry.name == "alpha":
                    text += '[registries.health]\nwhen_unhealthy = "serve-stale"\n'
        new = self.configuration.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.configuration)

    def soak(self):
        print(f"seed {self.arguments.seed}: {self.arguments.seconds} s under load", flush=True)
        script = self.directory / "mix.lua"
        script.write_text(LUA)
        wrk = subprocess.Popen(["wrk", "-t1", "-c64", f"-d{self.arguments.seconds}s", "--timeout", "20s", "--latency",
                                "-s", script, self.base], stdout=subprocess.PIPE, text=True)
        workers = [threading.Thread(target=self.guarded, args=(work,), daemon=True)
                   for work in (self.change, self.fail, self.reload, self.walk, self.watch_memory)]
        for worker in workers:
            worker.start()
        output, _ = wrk.communicate(timeout=self.arguments.seconds + 60)
        self.stop.set()
        for worker in workers:
            worker.join(timeout=60)
        print(output)
        self.judge(output)
        for registry in self.registries:
            registry.heal()
        self.configure(0)
        self.wait_until("the proxy lists exactly what the registries do, once they are left alone", self.is_exact, 120)

    def guarded(self, work):
        try:
            while not self.stop.is_set():
                work()
        except Exception as problem:  # pylint: disable=broad-except
            self.problems.append(f"{work.__name__}: {type(problem).__name__}: {problem}")
            self.stop.set()

    def change(self):
        self.chance.choice(self.registries).change()
        self.changes += 1
        self.stop.wait(self.chance.uniform(0.02, 0.2))

    def fail(self):
        registry = self.chance.choice(self.registries)
        registry.break_it(self.chance.choice(FAULTS))
        self.outages += 1
        self.stop.wait(self.chance.uniform(0.5, 6))
        registry.heal()
        self.stop.wait(self.chance.uniform(0.2, 4))

    def reload(self):
        self.stop.wait(RELOAD_SECONDS)
        self.reloads += 1
        self.configure(self.reloads)

    def walk(self):
        """Follows the list to its end and holds every entry against the model."""
        seen, cursor = [], ""
        while True:
            page = get(f"{self.base}/v0.1/servers?limit=100{cursor}")
            now = time.monotonic()
            for entry in page["servers"]:
                self.check(entry, now)
                seen.append((entry["server"]["name"], entry["server"]["version"]))
            following = page["metadata"].get("nextCursor")
            if not following:
                break
            cursor = "&cursor=" + urllib.request.quote(following)
        if seen != sorted(set(seen)):
            raise Failure("a walk repeats entries or is out of order")
        missing = {(f"com.alpha/steady-{n}", "1.0.0") for n in range(120)} - set(seen)
        if missing:
            raise Failure(f"a walk lacks {sorted(missing)[:3]}, which were there throughout")
        self.walks += 1

    def check(self, entry, now):
        server, provenance = entry["server"], entry["_meta"][PROVENANCE]
        key = (server["name"], server["version"])
        if not self.model.was_true(provenance["registry"], *key, server["description"], now):
            raise Failure(f"{key} is served as {server['description']!r} from {provenance['registry']}, "
                          "which has not been true of late")

    def watch_memory(self):
        status = pathlib.Path(f"/proc/{self.proxy.pid}/status").read_text()
        self.memory.append(int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)))
        self.stop.wait(1)

    def is_exact(self):
        listed, cursor = {}, ""
        while True:
            page = get(f"{self.base}/v0.1/servers?limit=100{cursor}")
            listed |= {(entry["server"]["name"], entry["server"]["version"]): entry["server"]["description"]
                       for entry in page["servers"]}
            if not page["metadata"].get("nextCursor"):
                break
            cursor = "&cursor=" + urllib.request.quote(page["metadata"]["nextCursor"])
        expected = {}
        for registry in self.registries:
            expected = self.model.present(registry.name) | expected
        if listed != expected:
            keys = sorted(set(listed.items()) ^ set(expected.items()))
            raise Failure(f"{len(keys)} differences, such as {keys[:3]}")
        return True

    @staticmethod
    def wait_until(what, holds, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return holds()
            except (OSError, Failure) as problem:
                if deadline < time.monotonic():
                    raise Failure(f"it never happened that {what}: {problem}") from problem
            time.sleep(0.2)

    def judge(self, output):
        bad = re.findall(r"^.*(?:Non-2xx|Socket errors).*$", output, re.MULTILINE)
        self.problems += [f"failed requests: {line.strip()}" for line in bad]
        third = len(self.memory) // 3
        if third >= 10:
            middle, last = (statistics.median(part) for part in (self.memory[third:2 * third], self.memory[2 * third:]))
            print(f"memory: {middle:.0f} KiB in the middle third, {last:.0f} KiB in the last, "
                  f"{max(self.memory)} KiB at most")
            if last > middle * GROWTH + SLACK_KIB:
                self.problems.append(f"memory grows: from {middle} KiB to {last} KiB")
            if max(self.memory) > middle + PEAK_KIB:
                self.problems.append(f"memory at its peak is {max(self.memory)} KiB")
        print(f"{self.walks} walks, {self.changes} changes, {self.outages} outages, {self.reloads} reloads")
        if not (self.walks and self.changes and self.outages and self.reloads):
            self.problems.append("it did too little to tell anything")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("shared")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    soak = Soak(parser.parse_args())
    soak.run()
    for problem in soak.problems:
        print(f"FAILED: {problem}")
    print("soak failed" if soak.problems else "soak passed")
    sys.exit(1 if soak.problems else 0)


if __name__ == "__main__":
    main()
