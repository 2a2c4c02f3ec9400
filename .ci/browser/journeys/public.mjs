// What anybody does on the public listener: search, look at a server, take its configuration, and be told what is wrong.
import assert from "node:assert/strict";
import { DESKTOP, PHONE, entry, freePort } from "../harness.mjs";

const HOSTILE = "com.evil/<img src=x onerror=alert(1)>\u202egnp.\u200b";

const SEARCH = {
  title: "Acme Search", repository: { url: "https://code.example.com/acme/search", source: "github", subfolder: "mcp" },
  websiteUrl: "https://acme.example.com/search",
  packages: [
    { registryType: "npm", identifier: "@acme/search", version: "1.1.0", transport: { type: "stdio" },
      packageArguments: [{ type: "named", name: "--root", isRequired: true, valueHint: "folder", description: "Where to look" }],
      environmentVariables: [
        { name: "ACME_KEY", isRequired: true, isSecret: true, description: "The key of your account" },
        { name: "ACME_REGION", description: "Where your data is", choices: ["eu", "us"], default: "eu" }] },
    { registryType: "oci", identifier: "ghcr.io/acme/search:1.1.0", transport: { type: "stdio" },
      environmentVariables: [{ name: "ACME_KEY", isRequired: true, isSecret: true }] }],
  remotes: [{ type: "streamable-http", url: "https://mcp.acme.example.com/mcp",
    headers: [{ name: "Authorization", value: "Bearer {token}", isRequired: true, isSecret: true, description: "Your token" }] }],
};

const evil = {
  title: "</title><script>alert(1)</script>", description: "\"><svg onload=alert(1)> \u202e reversed",
  websiteUrl: "javascript:alert(1)", repository: { url: "https://user:password@evil.example/", source: "x" },
  icons: [{ src: "https://evil.example/pixel.png" }],
  packages: [{ registryType: "npm", identifier: "--call=id", version: "$(id)", transport: { type: "stdio" } },
    { registryType: "npm", identifier: "evil", version: "1.0.0", transport: { type: "stdio" },
      packageArguments: [{ type: "positional", value: "</script><script>alert(1)</script>" }, { type: "positional", value: "'; $(id) #" }],
      environmentVariables: [{ name: "A", value: "\"><b>", description: "<script>alert(1)</script>" }] }],
  remotes: [{ type: "sse", url: "javascript:alert(1)" }, { type: "sse", url: "https://evil.example/${HOME}" }],
};

function acme() {
  const many = Array.from({ length: 70 }, (_, number) => entry(`com.example/server-${String(number).padStart(2, "0")}`, "1.0.0",
    number % 2 ? { remotes: [{ type: "streamable-http", url: `https://mcp.example.com/${number}` }] } : {}));
  return [...many, entry("com.acme/search", "1.1.0", SEARCH, { publishedAt: "2026-03-02T09:00:00Z", updatedAt: "2026-03-04T09:00:00Z" }),
    entry("com.acme/search", "1.0.0", { title: "Acme Search" }, { isLatest: false }), entry("com.acme/old", "1.0.0", {}, { status: "deprecated" }),
    entry("com.acme/gone", "1.0.0", SEARCH, { status: "deleted" }), entry(HOSTILE, "1.0.0", evil), entry("Salesforce DX MCP", "1.0.0")];
}

// A registry that lists one of them otherwise.
const other = () => [entry("com.acme/search", "1.1.0", { ...SEARCH, title: "Another Search", packages: [] })];

const path = (name) => `/server/${encodeURIComponent(name)}`;

export default async function (harness) {
  const down = `[[registries]]\nname = "down"\nurl = "http://127.0.0.1:${await freePort()}/v0/servers"\n`;
  const proxy = await harness.proxy({ files: { acme: acme(), other: other() }, settings: down });
  const unusable = await harness.proxy({ settings: down });
  await harness.until(`${unusable.base}/registries/down`, (answer) => JSON.parse(answer.text).state === "unhealthy");
  const at = (target) => proxy.base + target;
  const names = (page) => page.locator(".cards .card h3").allInnerTexts();

  return {
    "every page is accessible, in light and dark, on a desktop and on a phone, with the script and without": async () => {
      for (const [name, url] of [
        ["browse", at("/")], ["found", at("/?search=acme")], ["nothing", at("/?search=nothing-is-called-so")],
        ["filtered", at("/?type=remote&registry=acme")], ["server", at("/server/com.acme/search")],
        ["plain", at(path("Salesforce DX MCP"))], ["deleted", at("/server/com.acme/gone")], ["hostile", at(path(HOSTILE))],
        ["status", at("/status")], ["not-listed", at("/server/com.acme/nobody")], ["unavailable", `${unusable.base}/`],
        ["wrong", at("/?type=both")],
      ]) await harness.auditAll(name, url);
    },

    "what is typed is searched, and the address, the results and the live region follow": async () => {
      const page = await harness.open(at("/"));
      await page.evaluate(() => { window.isSame = true; });
      assert.equal((await names(page)).length, 30);
      await page.getByRole("searchbox").pressSequentially("acme s", { delay: 20 });
      await page.waitForURL("**/?search=acme+s");
      assert.deepEqual(await names(page), ["Acme Search"]);
      assert.match(await page.locator("#said").textContent(), /1 server/);
      await page.getByRole("searchbox").fill("");
      await page.getByLabel("Kind").selectOption("remote");
      await page.waitForURL("**/?type=remote");
      await page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 30);
      assert.equal(await page.evaluate(() => window.isSame), true, "the page was not loaded again");
      await page.getByRole("searchbox").fill("nothing-is-called-so");
      await page.getByText("Nothing found").waitFor();
      await harness.audit();
    },

    "without a script, a form and links do the same": async () => {
      const page = await harness.open(at("/"), { script: false });
      await page.getByRole("searchbox").fill("acme");
      await page.getByRole("searchbox").press("Enter");
      await page.waitForURL("**search=acme*");
      assert.deepEqual(await names(page), ["com.acme/old", "Acme Search"]);
      await page.goto(at("/"));
      await page.getByRole("link", { name: "Next page" }).click();
      const second = await names(page);
      assert.equal(second.length, 30);
      await page.getByRole("link", { name: "Next page" }).click();
      assert.ok((await names(page)).length < 30 && await page.getByRole("link", { name: "Next page" }).count() === 0);
      await page.getByRole("link", { name: "First page" }).click();
      assert.equal(page.url(), at("/"));
      await page.goto(at("/server/com.acme/search"));
      await page.getByLabel("Version", { exact: true }).selectOption("1.0.0");
      await page.getByRole("button", { name: "Show" }).click();
      assert.equal(page.url(), at("/server/com.acme/search?version=1.0.0"));
      await page.getByText("Not the latest version").waitFor();
      assert.equal(await page.getByRole("button", { name: "Copy" }).count(), 0, "no button that does nothing");
    },

    "a server is found, looked at, and its configuration copied, by keyboard alone": async () => {
      const page = await harness.open(at("/"), { permissions: ["clipboard-read", "clipboard-write"] });
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
      await page.keyboard.press("Enter");
      assert.equal(await page.evaluate(() => document.activeElement.id), "content");
      await page.getByRole("searchbox").focus();
      await page.keyboard.type("acme search");
      await page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 1);
      await page.getByRole("link", { name: "Acme Search" }).focus();
      await page.keyboard.press("Enter");
      await page.waitForURL("**/server/com.acme/search");
      const claude = page.locator("summary", { hasText: "Claude Code" }).first();
      await claude.focus();
      await page.keyboard.press("Enter");
      const snippet = page.locator("details[open] pre").nth(1);
      await snippet.waitFor();
      const copy = page.locator("details[open] button").nth(1);
      await copy.focus();
      await page.keyboard.press("Enter");
      await page.getByText("Copied", { exact: true }).waitFor();
      const copied = await page.evaluate(() => navigator.clipboard.readText());
      assert.equal(copied, await snippet.textContent());
      assert.equal(JSON.parse(copied).mcpServers.search.env.ACME_KEY, "${ACME_KEY}");
    },

    "what is wrong with registries, and over a server, is told": async () => {
      const page = await harness.open(at("/"));
      await page.getByText("Not everything is here").waitFor();
      await page.getByRole("link", { name: "How the registries fare" }).click();
      await page.waitForURL("**/status");
      assert.ok(await page.getByText("unhealthy").count() > 0 && await page.getByText("network").count() > 0);
      await page.goto(at("/server/com.acme/search"));
      await page.getByRole("heading", { name: "Where registries disagree" }).waitFor();
      await page.getByText("/title", { exact: true }).waitFor();
      await page.getByText("required").first().waitFor();
      const missing = await page.goto(at("/server/com.acme/nobody"));
      assert.equal(missing.status(), 404);
      await page.getByRole("heading", { name: "Not listed" }).waitFor();
      const other = await harness.open(`${unusable.base}/`);
      assert.equal((await other.reload()).status(), 503);
      assert.match(await other.locator("main").innerText(), /down\s+unhealthy/);
    },

    "what strangers wrote is text, and leads nowhere that it should not": async () => {
      for (const viewport of [DESKTOP, PHONE]) {
        const page = await harness.open(at("/?search=evil"), { viewport });
        await page.locator(".cards .card a").click();
        await page.getByText("Look closely at the name").waitFor();
        for (const open of await page.locator("summary").all()) await open.click();
        const found = await page.evaluate(() => ({
          made: document.querySelectorAll("main img, main svg, main script, main b, main iframe").length,
          links: [...document.querySelectorAll("a")].map((link) => link.href).filter((href) => !href.startsWith(location.origin)),
          handlers: [...document.querySelectorAll("*")].filter((one) => [...one.attributes].some(({ name }) => name.startsWith("on"))).length,
        }));
        assert.deepEqual(found, { made: 0, links: [], handlers: 0 });
        assert.equal(await page.locator("pre", { hasText: "--call" }).count(), 0);
      }
    },
  };
}
