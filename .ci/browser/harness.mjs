// What journeys are made with: a proxy over registries of the journey's own, a browser, and what is asked of every page.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const OFFICIAL = "io.modelcontextprotocol.registry/official";
// Nothing but pages of ours: no updates, no synchronisation, no pages of its own.
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-domain-reliability",
  "--disable-features=OptimizationHints,Translate,MediaRouter", "--no-proxy-server",
  "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"];

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

// One version of a server, as a registry lists it.
export function entry(name, version, server = {}, official = {}) {
  const time = "2026-01-01T00:00:00Z";
  const block = { status: "active", statusChangedAt: time, publishedAt: time, updatedAt: time, isLatest: true, ...official };
  return { server: { name, description: `What ${name} does`, version, ...server }, _meta: { [OFFICIAL]: block } };
}

export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// A proxy that runs.
class Proxy {
  constructor(base, admin, child, directory) {
    Object.assign(this, { base, admin, child, directory });
  }

  log() { return readFileSync(path.join(this.directory, "log"), "utf8"); }

  async stop() {
    // One that has ended by itself says so no more.
    const isRunning = this.child.exitCode === null && this.child.signalCode === null;
    if (isRunning) {
      const ended = new Promise((resolve) => this.child.once("exit", resolve));
      this.child.kill("SIGTERM");
      await ended;
    }
    const log = this.log();
    rmSync(this.directory, { recursive: true });
    assert.ok(isRunning, `the proxy ended by itself:\n${log}`);
    assert.ok(!log.includes("panicked"), `a request handler panicked:\n${log}`);
  }
}

export class Harness {
  static async start(tools, binary, screenshots) {
    const require = createRequire(path.resolve(tools, "package.json"));
    const { chromium } = require("playwright-core");
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGUMENTS });
    const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
    return Object.assign(new Harness(), { browser, axe, binary, screenshots, proxies: [], troubles: [], page: null });
  }

  // Starts a proxy. `files` are registries that are files: their entries by their names; `settings` more of the
  // configuration, in TOML; `token` what the admin listener wants to be shown. Resolves when each registry has been tried.
  async proxy({ files = {}, settings = "", admin = false, token, ready = true }) {
    const directory = mkdtempSync(path.join(os.tmpdir(), "browser-"));
    const [listen, adminListen] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    if (token) writeFileSync(path.join(directory, "token"), token);
    let configuration = `[server]\nlisten = "${listen}"\n[admin]\nlisten = "${admin ? adminListen : "off"}"\n` +
      (token ? `token_file = "token"\n` : "") +
      `[store]\npath = "off"\n[network]\nproxy = "off"\n[health]\ninterval = "200ms"\n`;
    for (const [name, entries] of Object.entries(files)) {
      writeFileSync(path.join(directory, `${name}.json`), JSON.stringify({ servers: entries }));
      configuration += `[[registries]]\nname = "${name}"\nfile = "${name}.json"\n`;
    }
    writeFileSync(path.join(directory, "proxy.toml"), configuration + settings);
    const log = openSync(path.join(directory, "log"), "w");
    const child = spawn(this.binary, ["serve", "--config", "proxy.toml"], { cwd: directory, stdio: ["ignore", log, log] });
    const proxy = new Proxy(`http://${listen}`, `http://${adminListen}`, child, directory);
    this.proxies.push(proxy);
    await this.until(`${proxy.base}${ready ? "/readyz" : "/livez"}`, (answer) => answer.status === 200, () => proxy.log());
    return proxy;
  }

  // Asks until an answer is as described.
  async until(url, holds, explain = () => "") {
    const deadline = Date.now() + 30_000;
    let last;
    while (Date.now() < deadline) {
      try {
        const answer = await fetch(url);
        last = { status: answer.status, text: await answer.text() };
        if (holds(last)) return last;
      } catch (error) {
        last = error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${url} did not become as it should: ${JSON.stringify(last)} ${explain()}`);
  }

  // Opens a new page in a context of its own. What a page does that it may not do fails the step: asking others,
  // breaking its policy, errors, dialogs.
  //
  // `script` is whether scripts run; "missing" keeps ours from being loaded, so that axe, which is one, can look.
  async open(url, { viewport = DESKTOP, scheme = "light", script = true, headers, permissions = [], credentials } = {}) {
    await this.page?.context().close();
    const context = await this.browser.newContext({ viewport, colorScheme: scheme, javaScriptEnabled: script !== false,
      reducedMotion: "reduce", extraHTTPHeaders: headers, permissions, httpCredentials: credentials });
    const page = this.page = await context.newPage();
    if (script === "missing") await page.route("**/assets/*.js*", (route) => route.abort());
    const origin = new URL(url).origin;
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== origin) this.troubles.push(`asked ${request.url()}`);
    });
    page.on("pageerror", (error) => this.troubles.push(`error: ${error.message}`));
    page.on("dialog", (dialog) => { this.troubles.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
    page.on("console", (message) => {
      // That an answer is no 200 is said there, too.
      const isStatus = message.text().startsWith("Failed to load resource: the server responded with a status of");
      if (message.type() === "error" && !isStatus && script !== "missing") this.troubles.push(`console: ${message.text()}`);
    });
    await page.goto(url);
    return page;
  }

  // Nothing that may not happen has happened in this step.
  done() {
    assert.deepEqual(this.troubles, []);
  }

  forget() {
    this.troubles = [];
  }

  // What is asked of every page: no finding of axe, or of these of its rules; nothing wider than the screen; one
  // heading of the first rank.
  async audit(page = this.page, rules = undefined) {
    if (!await page.evaluate(() => "axe" in globalThis)) await page.evaluate(this.axe);
    const { violations, width, headings } = await page.evaluate(async (rules) => ({
      violations: (await globalThis.axe.run(document, { resultTypes: ["violations"], ...(rules && { runOnly: rules }) })).violations,
      width: [document.documentElement.scrollWidth, document.documentElement.clientWidth],
      headings: document.querySelectorAll("h1").length,
    }), rules);
    const told = violations.map(({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes.slice(0, 5).map((node) => `${node.html} ${node.failureSummary ?? ""}`).join("; ")}`);
    assert.deepEqual(told, [], `axe finds something at ${page.url()}`);
    assert.ok(width[0] <= width[1], `${page.url()} is wider than the screen: ${width}`);
    assert.equal(headings, 1, `${page.url()} has ${headings} headings of the first rank`);
  }

  // Audits a page in every way in which it may be looked at, and keeps a picture of each. In the dark, only colours are
  // others.
  async auditAll(name, url, options = {}) {
    const page = await this.open(url, options);
    for (const [size, viewport] of [["desktop", DESKTOP], ["phone", PHONE]]) {
      await page.setViewportSize(viewport);
      for (const [scheme, rules] of [["light"], ["dark", ["color-contrast"]]]) {
        await page.emulateMedia({ colorScheme: scheme });
        await this.audit(page, rules);
        await this.shot(`${name}-${size}-${scheme}`);
      }
    }
    await this.open(url, { ...options, script: "missing" });
    await this.audit();
  }

  async shot(name, page = this.page) {
    await page.screenshot({ path: path.join(this.screenshots, `${name}.png`), fullPage: true });
  }

  async stop() {
    await this.browser.close();
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
  }
}
