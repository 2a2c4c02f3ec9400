// What the dashboard does besides being read: tests show their stages as they run, walks are asked for without leaving
// the page, and its parts follow what happens. Each page is whole without it.
"use strict";

{
  // From one look at the page to the next, in milliseconds: while something is under way, else, and while nobody answers.
  const SOON = 1000;
  const NOW_AND_THEN = 5000;
  const LATER = 15000;
  // How long after an action something may be under way that does not show yet.
  const AFTERMATH = 5000;
  // How long an answer may take.
  const PATIENCE = 10000;

  const MARKS = { ok: "✓", failed: "✕", running: "…", waiting: "·", none: "·" };
  const WORDS = { ok: "ok", failed: "failed", running: "running", waiting: "waiting", none: "not reached" };
  const NEXT = { network: "response", response: "format" };

  // A URL without the name and the password that the page was opened with: `fetch` refuses those. Browsers send them
  // all the same.
  function plain(address) {
    const url = new URL(address, document.baseURI);
    url.username = "";
    url.password = "";
    return url.href;
  }

  const part = (kind, name) => document.getElementById(`${kind}-${name}`);

  // Makes one node like another, and leaves alone what is so already: a selection stays, and bars move on.
  function become(node, other) {
    if (node.nodeType !== other.nodeType || node.nodeName !== other.nodeName) {
      node.replaceWith(document.importNode(other, true));
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE) {
      if (node.nodeValue !== other.nodeValue) node.nodeValue = other.nodeValue;
      return;
    }
    for (const { name } of [...node.attributes]) if (!other.hasAttribute(name)) node.removeAttribute(name);
    for (const { name, value } of other.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    const ours = [...node.childNodes];
    const theirs = [...other.childNodes];
    theirs.forEach((child, index) => {
      if (ours[index]) become(ours[index], child);
      else node.append(document.importNode(child, true));
    });
    for (const child of ours.slice(theirs.length)) child.remove();
  }

  // Follows what happens: asks for the page again, and takes over the parts that may change. Nobody looks, nobody asks.
  const page = {
    hurriesUntil: 0,

    plan(milliseconds) {
      clearTimeout(this.timer);
      if (!document.hidden) this.timer = setTimeout(() => this.follow(), milliseconds);
    },

    hurry() {
      this.hurriesUntil = Date.now() + AFTERMATH;
      this.plan(0);
    },

    async follow() {
      if (this.isAsking) return;
      this.isAsking = true;
      let wait = LATER;
      try {
        const answer = await fetch(plain(location.href), {
          headers: { accept: "text/html" },
          cache: "no-store",
          signal: AbortSignal.timeout(PATIENCE),
        });
        if (!answer.ok) throw Object.assign(new Error(), { status: answer.status });
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        tellTimes(fresh);
        this.take(fresh);
        this.knownAt = new Date();
        this.tellLost("");
        const isBusy = document.querySelector("progress, .asked") || Date.now() < this.hurriesUntil;
        wait = isBusy ? SOON : NOW_AND_THEN;
      } catch ({ status }) {
        const since = (this.knownAt ?? new Date(performance.timeOrigin)).toLocaleTimeString();
        const said = status ? `The proxy answers with status ${status}.` : "The proxy does not answer.";
        this.tellLost(`${said} This is what was known at ${since}.`);
      } finally {
        this.isAsking = false;
        this.plan(wait);
      }
    },

    take(fresh) {
      this.takeRegistries(fresh);
      for (const ours of document.querySelectorAll("[data-live]")) {
        const theirs = fresh.getElementById(ours.id);
        const isInUse = ours.contains(document.activeElement) || ours.getAttribute("aria-busy") === "true";
        if (theirs && !isInUse) become(ours, theirs);
      }
    },

    // Another configuration has other registries.
    takeRegistries(fresh) {
      const [ours, theirs] = [document, fresh].map((from) => from.getElementById("registries"));
      if (!ours || !theirs || ours.contains(document.activeElement)) return;
      const names = (list) => [...list.querySelectorAll("article")].map(({ id }) => id).join();
      if (names(ours) !== names(theirs)) ours.replaceChildren(...[...theirs.childNodes].map((node) => document.importNode(node, true)));
    },

    tellLost(text) {
      const lost = document.getElementById("lost");
      if (lost && lost.textContent !== text) lost.textContent = text;
    },
  };

  function tell(name, text) {
    const said = part("said", name);
    if (said) said.textContent = text;
  }

  function milliseconds(duration) {
    if (duration < 10) return `${duration.toFixed(1)} ms`;
    return duration < 1000 ? `${duration.toFixed(0)} ms` : `${(duration / 1000).toFixed(1)} s`;
  }

  function showStage(list, stage, state, { durationMs, reason } = {}) {
    const item = list?.querySelector(`[data-stage="${stage}"]`);
    if (!item) return;
    item.dataset.state = state;
    const texts = { mark: MARKS[state], outcome: WORDS[state], time: durationMs === undefined ? "" : milliseconds(durationMs), reason: reason ?? "" };
    for (const [kind, text] of Object.entries(texts)) item.querySelector(`.${kind}`).textContent = text;
  }

  const stateOf = (stage) => (stage.ok === null ? "none" : stage.ok ? "ok" : "failed");

  // The lines of a body, as they come.
  async function* lines(body) {
    let rest = "";
    const decoder = new TextDecoder();
    for (const reader = body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = parts.pop();
      yield* parts.filter((line) => line !== "").map((line) => JSON.parse(line));
    }
  }

  function showEvent(name, list, event) {
    switch (event.event) {
      case "attempt":
        for (const stage of ["network", "response", "format"]) showStage(list, stage, stage === "network" ? "running" : "waiting");
        tell(name, `Asking ${event.url}`);
        break;
      case "stage":
        showStage(list, event.stage, stateOf(event), event);
        if (event.ok && NEXT[event.stage]) showStage(list, NEXT[event.stage], "running");
        break;
      case "waiting":
        tell(name, "Still waiting for an answer.");
        break;
      case "result": {
        for (const stage of event.stages) showStage(list, stage.stage, stateOf(stage), stage);
        const failed = event.stages.find((stage) => stage.ok === false);
        tell(name, failed ? `Failed at ${failed.stage}: ${failed.reason}` : "Passed: network, response and format are ok.");
        break;
      }
    }
  }

  // Sends a form, and answers what came; what went wrong, whoever pressed the button is told.
  async function send(form, name, accept, take) {
    if (form.getAttribute("aria-busy") === "true") return;
    form.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(plain(form.action), { method: "POST", headers: { accept } });
      if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? `status ${answer.status}`);
      await take(answer);
    } catch (error) {
      tell(name, `That did not work: ${error.message}`);
    } finally {
      form.removeAttribute("aria-busy");
      page.hurry();
    }
  }

  async function test(form) {
    if (form.getAttribute("aria-busy") === "true") return;
    const name = form.dataset.test;
    const stages = part("stages", name);
    const list = stages?.querySelector(".steps");
    stages?.setAttribute("aria-busy", "true");
    for (const stage of ["network", "response", "format"]) showStage(list, stage, "waiting");
    tell(name, "Waiting for its turn.");
    await send(form, name, "application/x-ndjson", async (answer) => {
      for await (const event of lines(answer.body)) showEvent(name, list, event);
    });
    stages?.removeAttribute("aria-busy");
  }

  async function refresh(form) {
    const name = form.dataset.refresh;
    await send(form, name, "application/json", async () => {
      const asked = form.dataset.done;
      tell(name, asked);
      setTimeout(() => { if (part("said", name)?.textContent === asked) tell(name, ""); }, LATER);
      // What the page says of it goes; who stood on it shall not stand nowhere.
      if (form.closest("[data-live]")) document.querySelector(`form[data-test="${CSS.escape(name)}"] button`)?.focus();
    });
  }

  document.addEventListener("submit", (event) => {
    const { test: tested, refresh: refreshed } = event.target.dataset;
    if (tested === undefined && refreshed === undefined) return;
    event.preventDefault();
    if (tested === undefined) refresh(event.target);
    else test(event.target);
  });
  document.addEventListener("visibilitychange", () => page.plan(0));
  if (document.querySelector("[data-live]")) page.plan(document.querySelector("progress, .asked") ? SOON : NOW_AND_THEN);
}
