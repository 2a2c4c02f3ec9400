// What those do who run the proxy: look at the registries, test one that is broken, refresh one, accept what is held back.
import assert from "node:assert/strict";
import http from "node:http";
import { DESKTOP, PHONE, entry } from "../harness.mjs";

// A registry that can be broken: `mode` is how it answers, `held` are the answers that wait to be let go.
class Registry {
  constructor(entries) {
    Object.assign(this, { entries, mode: "ok", holdsFrom: Infinity, held: [] });
    this.server = http.createServer((request, response) => this.answer(new URL(request.url, "http://a"), response));
  }

  static async start(entries) {
    const registry = new Registry(entries);
    await new Promise((resolve) => registry.server.listen(0, "127.0.0.1", resolve));
    registry.url = `http://127.0.0.1:${registry.server.address().port}/v0/servers`;
    registry.server.unref();
    return registry;
  }

  answer(url, response) {
    const [from, limit] = [Number(url.searchParams.get("cursor") ?? 0), Number(url.searchParams.get("limit") ?? 30)];
    const send = () => {
      const servers = url.searchParams.has("updated_since") ? [] : this.entries.slice(from, from + limit);
      const nextCursor = from + limit < this.entries.length && servers.length > 0 ? { nextCursor: `${from + limit}` } : {};
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ servers, metadata: { count: servers.length, ...nextCursor } }));
    };
    const isTest = limit === 3;
    if (this.mode === "hang" && isTest || this.holdsFrom <= from) return void this.held.push(send);
    if (this.mode === "broken") return void response.writeHead(500).end();
    if (this.mode === "not json") return void response.end("<html>hello</html>");
    send();
  }

  letGo() {
    Object.assign(this, { mode: "ok", holdsFrom: Infinity });
    for (const send of this.held.splice(0)) send();
  }
}

const many = (count, from = 0) => Array.from({ length: count }, (_, number) => entry(`com.acme/server-${String(from + number).padStart(4, "0")}`, "1.0.0"));
const registry = (name, url, health = "") => `[[registries]]\nname = "${name}"\nurl = "${url}"\n[registries.health]\n${health}\n`;
const SELDOM = 'interval = "1h"\ntimeout = "1s"\nunhealthy_after = 1\nhealthy_after = 1';
const OFTEN = "[refresh]\ninterval = \"200ms\"\nmax_rate = 1000\n";

// A client that is pointed at the proxy: what VS Code asks of it, and of every entry. The names that it is shown.
async function client(base) {
  assert.equal((await fetch(`${base}/v0.1/servers?limit=1`)).status, 200);
  const names = new Set();
  let cursor = "";
  for (let pages = 0; pages < 100; pages += 1) {
    const answer = await fetch(`${base}/v0.1/servers?limit=50&version=latest${cursor}`);
    assert.equal(answer.status, 200);
    const { servers, metadata } = await answer.json();
    for (const { server, _meta } of servers) {
      assert.ok(_meta && server.name && server.description && server.version, JSON.stringify(server));
      names.add(server.name);
    }
    if (!metadata.nextCursor) return names;
    cursor = `&cursor=${metadata.nextCursor}`;
  }
  throw new Error("a list without an end");
}

const card = (page, name) => page.locator(`#registry-${name}`);
const standing = (within, text) => within.locator(".standing", { hasText: text }).waitFor();

export default async function (harness) {
  const acme = await Registry.start(many(600));
  const slow = await Registry.start(many(400, 2000));
  const collapsed = await Registry.start(many(80, 5000));
  const gone = `http://127.0.0.1:1/a-rather-long-path/that-goes-on/and-on/and-on/until-it-does-not-fit-on-a-phone-any-more/v0/servers`;
  const files = { curated: [entry("com.acme/server-0001", "1.0.0", { description: "Another one" }), { server: { name: "broken" } }] };
  const proxy = await harness.proxy({ admin: true, files, settings: OFTEN + registry("acme", acme.url, SELDOM) +
    registry("slow", slow.url, SELDOM) + registry("collapsed", collapsed.url, SELDOM) + registry("gone", gone, SELDOM) });
  const at = (target) => proxy.admin + target;
  const twenty = await harness.proxy({ admin: true, files: Object.fromEntries(Array.from({ length: 20 }, (_, number) =>
    [`registry-${number}`, [entry(`com.example/server-${number}`, "1.0.0")]])) });
  const guarded = await harness.proxy({ admin: true, token: "secret", files });
  const state = (name, holds) => harness.until(at(`/registries/${name}`), (answer) => holds(JSON.parse(answer.text)));
  await state("acme", ({ counts }) => counts.versions === 600);
  await state("slow", ({ counts }) => counts.versions === 400);
  await state("collapsed", ({ counts }) => counts.versions === 80);
  const post = (target) => fetch(at(target), { method: "POST" });

  return {
    "every page is accessible, in light and dark, on a desktop and on a phone, with the script and without": async () => {
      collapsed.entries = many(20, 5000);
      await post("/registries/collapsed/refresh");
      await state("collapsed", ({ held }) => held);
      slow.holdsFrom = 200;
      await post("/registries/slow/refresh");
      await state("slow", ({ syncs }) => syncs.full?.versions === 200);
      for (const [name, url] of [["dashboard", at("/")], ["dashboard-held", at("/dashboard/registries/collapsed")],
        ["dashboard-conflicts", at("/dashboard/conflicts")], ["dashboard-browse", at("/browse")]]) await harness.auditAll(name, url);
      // What else there is, once each: half of it on a phone, in the dark.
      for (const [index, [name, url]] of [
        ["healthy", at("/dashboard/registries/acme")], ["walking", at("/dashboard/registries/slow")],
        ["unhealthy", at("/dashboard/registries/gone")], ["file", at("/dashboard/registries/curated")],
        ["changes", at("/dashboard/changes")], ["duplicates", at("/dashboard/duplicates")],
        ["unknown", at("/dashboard/registries/nobody")], ["twenty", `${twenty.admin}/`],
      ].entries()) {
        await harness.open(url, index % 2 === 0 ? {} : { viewport: PHONE, scheme: "dark" });
        await harness.audit();
        await harness.shot(`dashboard-${name}`);
      }
      slow.letGo();
      await state("slow", ({ syncs }) => !syncs.full);
    },

    "a registry that hangs shows its stages one by one, is dropped with its reason, and comes back": async () => {
      const page = await harness.open(at("/"));
      const acmes = card(page, "acme");
      await standing(acmes, "● Healthy");
      acme.mode = "hang";
      const button = acmes.getByRole("button", { name: "Test connection" });
      await button.focus();
      await page.keyboard.press("Enter");
      await acmes.locator("[data-stage=response][data-state=running]").waitFor();
      await acmes.locator("[data-stage=network][data-state=ok]").waitFor();
      await harness.shot("journey-test-running");
      await acmes.locator("[data-stage=response][data-state=failed]").waitFor();
      await acmes.getByText("no complete answer within 1 s").first().waitFor();
      await standing(acmes, "▲ Unhealthy");
      await standing(acmes, "Not served");
      await page.locator("#summary", { hasText: "2 unhealthy" }).waitFor();
      await harness.until(`${proxy.base}/v0.1/servers?registry=acme`, (answer) => JSON.parse(answer.text).servers.length === 0);
      assert.equal(await button.evaluate((element) => element === document.activeElement), true, "the focus has moved");
      await harness.audit();
      await harness.shot("journey-unhealthy");
      // Somebody else finds it repaired; the page follows by itself.
      acme.letGo();
      await post("/registries/acme/test");
      await standing(acmes, "● Healthy");
      await acmes.getByText("Not served").waitFor({ state: "detached" });
      await page.locator("#summary", { hasText: "1 unhealthy" }).waitFor();
      assert.equal(await button.evaluate((element) => element === document.activeElement), true, "the focus has moved");
    },

    "a registry breaks, is dropped and repaired, and a client sees the others all along": async () => {
      const [lost, kept] = ["com.acme/server-0002", "com.acme/server-2000"];
      const page = await harness.open(at("/"));
      for (const name of ["acme", "slow", "curated"]) await standing(card(page, name), "● Healthy");
      await standing(card(page, "gone"), "▲ Unhealthy");
      const shows = async () => { const names = await client(proxy.base); return [names.has(lost), names.has(kept)]; };
      const untilShown = async (expected) => {
        for (const deadline = Date.now() + 10_000; ;) {
          const shown = await shows();
          if (String(shown) === String(expected)) return;
          assert.ok(Date.now() < deadline, `a client sees ${shown}, not ${expected}`);
        }
      };
      await untilShown([true, true]);
      acme.mode = "broken";
      const acmes = card(page, "acme");
      await acmes.getByRole("button", { name: "Test connection" }).click();
      await standing(acmes, "▲ Unhealthy");
      await standing(acmes, "Not served");
      await acmes.getByText("answered with status 500").first().waitFor();
      await untilShown([false, true]);
      await page.getByRole("link", { name: "acme", exact: true }).click();
      await page.locator(".steps", { hasText: "answered with status 500" }).waitFor();
      acme.letGo();
      await page.getByRole("button", { name: "Test connection" }).click();
      await page.locator("#said-acme", { hasText: "Passed" }).waitFor();
      await standing(page, "● Healthy");
      await untilShown([true, true]);
    },

    "a page of another origin can ask for nothing": async () => {
      const target = at("/registries/acme/test");
      const form = `<!doctype html><title>Win</title><form method="post" action="${target}"><button>Win</button></form>`;
      const stranger = http.createServer((_, response) => response.setHeader("content-type", "text/html").end(form));
      await new Promise((resolve) => stranger.listen(0, "127.0.0.1", resolve));
      stranger.unref();
      const tested = async () => JSON.parse((await state("acme", () => true)).text).lastCheck.at;
      const before = await tested();
      const page = await harness.open(`http://127.0.0.1:${stranger.address().port}/`);
      const answered = page.waitForResponse((response) => response.url() === target);
      await page.getByRole("button").click();
      assert.equal((await answered).status(), 403);
      assert.deepEqual(harness.troubles.filter((trouble) => !trouble.startsWith(`asked ${proxy.admin}/`)), []);
      harness.forget();
      assert.equal(await tested(), before);
    },

    "a page whose token was asked for works as any other": async () => {
      const page = await harness.open(`${guarded.admin}/`, { credentials: { username: "anybody", password: "secret" } });
      await card(page, "curated").getByRole("button", { name: "Test connection" }).click();
      await page.locator("#said-curated", { hasText: "Passed" }).waitFor();
      const followed = await page.waitForResponse((response) => response.request().resourceType() === "fetch");
      assert.equal(followed.status(), 200);
      await page.waitForFunction(() => document.getElementById("lost").textContent === "");
    },

    "a test says where it fails": async () => {
      const page = await harness.open(at("/dashboard/registries/slow"));
      slow.mode = "not json";
      await page.getByRole("button", { name: "Test connection" }).click();
      await page.locator("[data-stage=format][data-state=failed]").waitFor();
      assert.match(await page.locator("#said-slow").textContent(), /^Failed at format: /);
      slow.letGo();
      await page.getByRole("button", { name: "Test connection" }).click();
      await page.locator("#said-slow", { hasText: "Passed" }).waitFor();
      await standing(page, "● Healthy");
      await harness.audit();
    },

    "a walk that is asked for has a bar that moves, and goes away": async () => {
      const page = await harness.open(at("/"));
      const slows = card(page, "slow");
      slow.holdsFrom = 100;
      await slows.getByRole("button", { name: "Refresh now" }).click();
      const bar = slows.getByRole("progressbar", { name: "Full walk" });
      await bar.waitFor();
      await page.waitForFunction((bar) => bar.value === 100 && bar.max === 400, await bar.elementHandle());
      await harness.shot("journey-walking");
      slow.holdsFrom = 300;
      for (const send of slow.held.splice(0)) send();
      await page.waitForFunction((bar) => bar.value === 300, await bar.elementHandle());
      slow.letGo();
      await bar.waitFor({ state: "detached" });
    },

    "what is held back can be accepted": async () => {
      const page = await harness.open(at("/"));
      const its = card(page, "collapsed");
      await its.getByText("lacks 60").waitFor();
      await its.getByRole("button", { name: "Accept the list of 20 versions" }).click();
      // The button goes with what it is about; who stood on it stands beside that.
      await its.getByText("List held back").waitFor({ state: "detached" });
      await state("collapsed", ({ counts, held }) => counts.versions === 20 && !held);
      const test = its.getByRole("button", { name: "Test connection" });
      assert.equal(await test.evaluate((element) => element === document.activeElement), true);
    },

    "a proxy that does not answer is said not to": async () => {
      const page = await harness.open(at("/"));
      harness.done();
      await page.route("**/*", (route) => route.abort());
      await page.getByText("The proxy does not answer.").waitFor({ timeout: 15_000 });
      await page.unroute("**/*");
      harness.forget();
      // Whoever comes back to the page finds it asking again.
      await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
      await page.waitForFunction(() => document.getElementById("lost").textContent === "");
    },

    "the same is done by forms where there is no script": async () => {
      const page = await harness.open(at("/"), { script: false });
      const press = async (name, button) => {
        await card(page, name).getByRole("button", { name: button }).click();
        await page.waitForURL(`**/dashboard/registries/${name}`);
      };
      slow.mode = "broken";
      await press("slow", "Test connection");
      await standing(page, "▲ Unhealthy");
      await standing(page, "Not served");
      await page.locator(".steps", { hasText: "answered with status 500" }).waitFor();
      slow.letGo();
      await page.getByRole("button", { name: "Test connection" }).click();
      await standing(page, "● Healthy");
      await page.getByRole("link", { name: "All registries" }).click();
      slow.holdsFrom = 100;
      await press("slow", "Refresh now");
      await state("slow", ({ syncs }) => syncs.full?.versions === 100);
      await page.reload();
      assert.equal(await page.getByRole("progressbar").getAttribute("value"), "100");
      slow.letGo();
      await state("slow", ({ syncs }) => !syncs.full);
    },

    "the pages lead to one another, and back": async () => {
      const page = await harness.open(at("/"), { viewport: PHONE });
      for (const [link, heading] of [["Servers", "MCP servers"], ["Changes", "Changes"], ["Conflicts", "Conflicts"], ["Duplicates", "Duplicates"], ["Registries", "Registries"]]) {
        await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: link }).click();
        await page.getByRole("heading", { level: 1, name: heading }).waitFor();
      }
      await page.setViewportSize(DESKTOP);
      await page.getByRole("link", { name: "gone", exact: true }).click();
      await page.getByRole("heading", { level: 1, name: "gone" }).waitFor();
      await page.getByRole("link", { name: "All registries" }).click();
      await page.getByRole("heading", { level: 1, name: "Registries" }).waitFor();
    },
  };
}
