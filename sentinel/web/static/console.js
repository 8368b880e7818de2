// What the pages do beyond links and forms: the queue is live, keys move through it, times stay right, records are copied.
// Without this file a reload shows the same.
"use strict";

const page = document.documentElement.dataset;
const skew = Number(page.now) - Date.now(); // the service's clock decides what "ago" means
const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const LOOK_EVERY = 30_000, LOOK_APART = 1_500;

// how long ago

function ago(moment) {
  const past = Date.now() + skew - moment;
  const way = past >= 0 ? "ago" : "in";
  for (const [unit, size, least] of [["Days", DAY, 2], ["Hours", HOUR, 1], ["Minutes", MINUTE, 1]]) {
    const n = Math.floor(Math.abs(past) / size);
    if (n >= least) return unit === "Days" && n > 60 ? "" : page[way + unit].replace("#", n);
  }
  return page.agoNow;
}

function refreshTimes() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = ago(Date.parse(time.dateTime));
    if (text && text !== time.textContent) time.textContent = text;
  }
}
setInterval(refreshTimes, 15_000);

// the live queue: look at the page again when told that something changed, and never move a row that is being read

const queue = document.getElementById("queue");
const live = document.getElementById("live");
const fresh = document.getElementById("fresh");
let seen = null; // the newest page that was fetched, not yet shown
let looking = false, told = false, lookedAt = 0;

const idsOf = (root) => [...root.querySelectorAll("#queue .row")].map((row) => row.dataset.id);

async function look() {
  lookedAt = Date.now();
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  seen = new DOMParser().parseFromString(await answer.text(), "text/html");
  replace("counters");
  updateRows();
  const shown = new Set(idsOf(document));
  const arrived = idsOf(seen).filter((id) => !shown.has(id)).length;
  if (arrived && !shown.size) show();
  else offer(arrived);
}

// At most one look at a time, not more often than every LOOK_APART ms, and one more when told meanwhile.
async function soon() {
  told = true;
  if (looking) return;
  looking = true;
  while (told) {
    await new Promise((wake) => setTimeout(wake, Math.max(200, lookedAt + LOOK_APART - Date.now())));
    told = false;
    try { await look(); } catch { /* the stream says when the service is back */ }
  }
  looking = false;
}

function replace(id) {
  const [here, there] = [document.getElementById(id), seen.getElementById(id)];
  if (here && there) here.replaceChildren(...document.importNode(there, true).childNodes);
}

// An alert that grew keeps its place.
function updateRows() {
  for (const row of document.querySelectorAll("#queue .row")) {
    const newer = seen.getElementById(row.id);
    if (newer && newer.dataset.version !== row.dataset.version && !row.contains(document.activeElement)) {
      row.replaceChildren(...document.importNode(newer, true).childNodes);
      row.dataset.version = newer.dataset.version;
    }
  }
}

function offer(n) {
  const button = fresh.querySelector("button");
  button.hidden = n === 0;
  button.querySelector("span").textContent = (n === 1 ? fresh.dataset.one : fresh.dataset.many).replace("#", n);
}

function show() {
  if (!seen) return;
  const before = new Set(idsOf(document));
  const focused = document.activeElement?.closest(".row")?.id;
  replace("queue");
  for (const row of document.querySelectorAll("#queue .row")) row.classList.toggle("new", before.size > 0 && !before.has(row.dataset.id));
  offer(0);
  const row = document.getElementById(focused) ?? document.querySelector("#queue .row");
  row?.querySelector("[data-row]").focus();
}

function follow() {
  const stream = new EventSource("/v1/alerts/stream");
  const state = (word, lost) => { live.hidden = false; live.textContent = word; live.classList.toggle("lost", lost); };
  stream.onopen = () => { state(live.dataset.live, false); soon(); };
  stream.onerror = () => state(live.dataset.lost, true);
  stream.onmessage = soon;
  stream.addEventListener("alert", soon);
  setInterval(() => { if (!document.hidden) soon(); }, LOOK_EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
  addEventListener("pagehide", () => stream.close());
}
if (queue && live) {
  fresh.querySelector("button").addEventListener("click", show);
  follow();
}

// keys

function move(step) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const at = rows.indexOf(document.activeElement);
  const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step];
  next?.focus();
  next?.closest(".row").scrollIntoView({ block: "nearest" });
}

const help = document.getElementById("keys");
const keys = {
  j: () => move(1),
  k: () => move(-1),
  ".": () => { if (fresh && !fresh.querySelector("button").hidden) show(); },
  u: () => document.querySelector("[data-up]")?.click(),
  "/": () => document.getElementById("search").focus(),
  "?": () => help.showModal(),
};

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("input, select, textarea, dialog[open]");
  const action = keys[event.key];
  if (!action || writing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  action();
});

for (const button of document.querySelectorAll("[data-keys]")) {
  button.hidden = false;
  button.addEventListener("click", () => help.showModal());
}

// filters, copies, print

for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", (event) => { if (event.target.matches("select")) form.requestSubmit(); });
}

for (const button of document.querySelectorAll(".copy")) {
  button.hidden = !navigator.clipboard; // browsers give it to secure pages alone
  const text = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = text; }, 1_500);
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
