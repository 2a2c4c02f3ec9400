// Runs the journeys: each a file in `journeys` that exports a function of the harness.
//
// Usage: node run.mjs TOOLS PROXY_BINARY [DIRECTORY_FOR_SCREENSHOTS] [JOURNEY…]
import { mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { Harness } from "./harness.mjs";

const [tools, binary, screenshots = path.join(tools, "screenshots"), ...wanted] = process.argv.slice(2);
if (!binary) throw new Error("usage: run PROXY_BINARY [DIRECTORY_FOR_SCREENSHOTS] [JOURNEY…]");
mkdirSync(screenshots, { recursive: true });
// A journey that hangs shall fail, not wait.
setTimeout(() => { console.error("the journeys took longer than four minutes"); process.exit(1); }, 240_000).unref();

const folder = new URL("./journeys/", import.meta.url);
const journeys = readdirSync(folder).filter((name) => name.endsWith(".mjs")).map((name) => name.slice(0, -4)).sort();
let failed = 0, passed = 0;
for (const name of journeys.filter((name) => wanted.length === 0 || wanted.includes(name))) {
  const { default: steps } = await import(new URL(`${name}.mjs`, folder));
  const harness = await Harness.start(tools, path.resolve(binary), screenshots);
  try {
    for (const [what, step] of Object.entries(await steps(harness))) {
      const started = Date.now();
      try {
        await step();
        harness.done();
        passed += 1;
        console.log(`ok ${name}: ${what} (${Date.now() - started} ms)`);
      } catch (error) {
        failed += 1;
        console.error(`FAILED ${name}: ${what}\n${error.stack}`);
        await harness.shot(`failed-${name}-${failed}`).catch(() => {});
        harness.forget();
      }
    }
  } finally {
    await harness.stop();
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
