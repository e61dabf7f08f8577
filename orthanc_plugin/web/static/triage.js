// What htmx does not do: say when the server is silent, walk and search the list by keyboard, scroll slices.
"use strict";

const SILENT_AFTER_MS = 7000;
let lastAnswer = Date.now();

// --- is the page fresh? ---------------------------------------------------------------------------

function watchFreshness() {
  const banner = document.getElementById("stale");
  banner.classList.remove("unwatched");
  banner.hidden = true;
  banner.textContent = "";
  document.addEventListener("htmx:after:swap", (event) => {
    // Error answers are never swapped in, yet htmx reports them here too.
    const answer = event.detail?.ctx?.response;
    if (answer && (answer.status === 200 || answer.status === 304)) lastAnswer = Date.now();
    showFreshness(banner);
    for (const viewer of document.querySelectorAll(".viewer")) startViewer(viewer);
    showReruns();
  });
  setInterval(() => showFreshness(banner), 1000);
  document.addEventListener("visibilitychange", () => {
    // Browsers slow hidden tabs down: look again at once.
    if (!document.hidden) document.getElementById("living").dispatchEvent(new Event("visible-again"));
  });
}

function showFreshness(banner) {
  const silent = Date.now() - lastAnswer > SILENT_AFTER_MS;
  if (banner.hidden === silent) {
    const time = new Date(lastAnswer).toLocaleTimeString("sv");
    banner.textContent = silent ? banner.dataset.words.replace("{time}", time) : "";
    banner.hidden = !silent;
    document.documentElement.classList.toggle("is-stale", silent);
    if (silent) document.title = "⚠ " + document.title.replace(/^⚠ /, "");
  }
}

// --- images that are not there (any more) ---------------------------------------------------------

// Errors of images do not bubble, hence the capture.
document.addEventListener("error", (event) => event.target.classList?.add("missing"), true);
document.addEventListener("load", (event) => event.target.classList?.remove("missing"), true);

// --- the list by keyboard -------------------------------------------------------------------------

function walkList(event) {
  const door = { "/": ".find [type=search]", "[": ".parts [rel=prev]", "]": ".parts [rel=next]", Escape: ".find [data-whole]" }[event.key];
  if (door) {
    const there = document.querySelector(door);
    if (there) event.preventDefault();
    if (event.key === "/") there?.select();
    else there?.click();
    return;
  }
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  const rows = [...document.querySelectorAll(".cases > .case .open")].filter((row) => row.checkVisibility());
  if (!step || !rows.length) return;
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1);
  event.preventDefault();
  rows[next].focus({ preventScroll: true });
  rows[next].closest(".case").scrollIntoView({ block: "nearest" });
}

// --- slices -----------------------------------------------------------------------------------------

const viewers = new WeakMap();

function startViewer(root) {
  if (viewers.has(root)) return;
  const data = root.dataset;
  const image = root.querySelector(".stage img");
  const caption = root.querySelector("[data-caption-text]");
  const slider = root.querySelector("input[type=range]");
  const last = Number(data.slices) - 1;
  const keys = data.keys ? data.keys.split(",").map(Number) : [];
  const windows = [...root.querySelectorAll("[data-window]")];
  const loaded = new Map();
  let number = Number(data.number);
  let chosen = data.window;
  let wheel = 0;

  const address = (n) => `${data.source}${n}.png?window=${chosen}&v=${data.version}`;
  const load = (n) => {
    if (n < 0 || n > last || loaded.has(address(n))) return;
    const ahead = new Image();
    ahead.src = address(n);
    loaded.set(address(n), ahead);
  };

  function show() {
    const word = windows.find((w) => w.dataset.window === chosen).firstChild.textContent.trim();
    image.src = address(number);
    image.alt = data.alt.replace("{number}", number).replace("{window}", word);
    caption.textContent = data.caption.replace("{number}", number);
    caption.classList.toggle("key", keys.includes(number));
    slider.value = number;
    slider.setAttribute("aria-valuetext", caption.textContent);
    const mark = (link, on) => (on ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current"));
    for (const link of windows) mark(link, link.dataset.window === chosen);
    for (const link of root.querySelectorAll("[data-number]")) mark(link, Number(link.dataset.number) === number);
    for (let ahead = 1; ahead <= 4; ahead += 1) {
      load(number + ahead);
      load(number - ahead);
    }
  }

  const viewer = {
    move(step) {
      number = Math.min(Math.max(number + step, 0), last);
      show();
    },
    go(to) {
      number = to;
      show();
    },
    window(name) {
      chosen = name;
      show();
    },
    nextWindow(step) {
      const names = windows.map((link) => link.dataset.window);
      viewer.window(names.at((names.indexOf(chosen) + step) % names.length));
    },
    nextKey() {
      if (keys.length) viewer.go(keys[(keys.indexOf(number) + 1) % keys.length]);
    },
  };
  viewers.set(root, viewer);

  root.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const { window: name, number: to, step } = link.dataset;
    if (name) viewer.window(name);
    else if (to) viewer.go(Number(to));
    else if (step) viewer.move(Number(step));
    else return;
    event.preventDefault();
  });
  slider.addEventListener("input", () => viewer.go(Number(slider.value)));
  root.querySelector(".stage").addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      wheel += event.deltaY;
      if (Math.abs(wheel) < 30) return;
      viewer.move(wheel > 0 ? -1 : 1);
      wheel = 0;
    },
    { passive: false },
  );
  show();
}

function steerViewer(event, root) {
  const viewer = viewers.get(root);
  const act = {
    ArrowUp: () => viewer.move(1),
    ArrowRight: () => viewer.move(1),
    ArrowDown: () => viewer.move(-1),
    ArrowLeft: () => viewer.move(-1),
    PageUp: () => viewer.move(5),
    PageDown: () => viewer.move(-5),
    w: () => viewer.nextWindow(1),
    W: () => viewer.nextWindow(-1),
    k: viewer?.nextKey,
    Escape: () => document.querySelector("[data-back]")?.click(),
  }[event.key];
  if (!viewer || !act) return;
  event.preventDefault();
  act();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // Who writes, writes.
  if (event.target.closest?.("textarea, select, input:not([type=range])") || document.querySelector("dialog[open]")) return;
  const viewer = document.querySelector(".viewer");
  if (viewer) steerViewer(event, viewer);
  else walkList(event);
});

// --- judging again --------------------------------------------------------------------------------

function showReruns() {
  for (const button of document.querySelectorAll("[data-rerun]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-rerun]");
  if (!button) return;
  button.disabled = true;
  try {
    const headers = { "Content-Type": "application/json", "X-Triage": "page" };
    const answer = await fetch(button.dataset.rerun, { method: "POST", headers, body: "{}" });
    const problem = answer.ok ? "" : (await answer.json()).message;
    button.textContent = answer.ok ? button.dataset.done : button.dataset.failed + problem;
  } catch {
    button.textContent = button.dataset.failed;
  }
});

watchFreshness();
for (const viewer of document.querySelectorAll(".viewer")) startViewer(viewer);
showReruns();
