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
        ["dashboard-conflicts", at("/dashboard/conflicts")]]) await harness.auditAll(name, url);
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
      for (const [link, heading] of [["Changes", "Changes"], ["Conflicts", "Conflicts"], ["Duplicates", "Duplicates"], ["Registries", "Registries"]]) {
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
