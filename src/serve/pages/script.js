// What pages do besides being read: copying, saying how long ago something was, and searching as one types. Each page
// is whole without it.
"use strict";

const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const distances = new Intl.RelativeTimeFormat("en");

// How long ago an instant was, in words.
function distance(date) {
  const seconds = (date.getTime() - Date.now()) / 1000;
  if (Math.abs(seconds) < 5) return "just now";
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return distances.format(Math.trunc(seconds / length), unit);
}

function tellTimes(within) {
  for (const time of within.querySelectorAll("time[data-since], time[data-ago]")) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    if ("ago" in time.dataset) {
      time.textContent = distance(date);
    } else if (!time.dataset.since) {
      time.dataset.since = "told";
      const ago = document.createElement("span");
      ago.className = "soft";
      ago.textContent = ` (${distance(date)})`;
      time.after(ago);
    }
  }
}

// What screen readers say aloud, without anything that moves.
function say(text) {
  const region = document.getElementById("said");
  if (region) region.textContent = text;
}

async function copy(button) {
  const text = document.getElementById(button.dataset.copy)?.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https there is no clipboard: what is selected can be copied by hand.
    getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
    button.textContent = "Selected";
    say("Selected. Press Control C to copy.");
    return;
  }
  button.textContent = "Copied";
  say("Copied to the clipboard.");
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function enliven(within) {
  tellTimes(within);
  for (const button of within.querySelectorAll("button[data-copy]")) button.hidden = false;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[data-copy]");
  if (button) copy(button);
});

// A form whose answer stands in `.results` of the same page: its results follow what is typed and chosen.
class Search {
  constructor(form) {
    this.form = form;
    this.box = form.querySelector("input[type=search]");
    this.asked = this.query();
    form.addEventListener("input", () => this.soon(250));
    form.addEventListener("change", () => this.soon(0));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.soon(0); });
  }

  // What the form asks for; what is empty is left out.
  query() {
    const pairs = [...new FormData(this.form)].filter(([, value]) => value !== "");
    return new URLSearchParams(pairs).toString();
  }

  soon(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), milliseconds);
  }

  async ask() {
    clearTimeout(this.timer);
    const query = this.query();
    if (query === this.asked) return;
    this.asked = query;
    this.waiting?.abort();
    const waiting = this.waiting = new AbortController();
    const target = location.pathname + (query && `?${query}`);
    const results = document.querySelector(".results");
    results.setAttribute("aria-busy", "true");
    try {
      // Whole, and without the name and the password that the page may have been opened with: `fetch` refuses those.
      const answer = await fetch(location.origin + target, { headers: { accept: "text/html" }, signal: waiting.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector(".results");
      // What has no results is a page of its own: a problem, and what to do about it.
      if (!fresh) return void location.assign(target);
      results.replaceWith(fresh);
      enliven(fresh);
      history.replaceState(null, "", target);
      say([...fresh.querySelectorAll(".heading > *")].map((part) => part.textContent).join(": "));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.asked = null;
      results.setAttribute("aria-busy", "false");
      say("The search could not be answered.");
    }
  }
}

enliven(document);
const form = document.querySelector("form[data-live]");
if (form) new Search(form);
setInterval(() => tellTimes(document), 30000);
