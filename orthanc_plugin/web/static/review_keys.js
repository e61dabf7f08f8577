// What each key does in a review, whose panel is made in review.js.
"use strict";

const dialog = () => document.getElementById("keys");
function showKeys() {
  if (dialog() && !dialog().open) dialog().showModal();
}

const follow = (selector) => document.querySelector(selector)?.click();

function enter(event) {
  // A control that has the focus does its own work.
  if (event.target.closest("a, button, summary, input")) return false;
  if (panel.changed()) panel.root.querySelector("[data-look-again]").click();
  else if (panel.data.given && !panel.choice) follow("form.review [data-next]");
  else if (!panel.data.settled) return true;
  else if (panel.choice) panel.send();
  else panel.confirm();
  return true;
}

function escape() {
  if (!panel || (panel.reasons.hidden && !panel.choice)) return false;
  panel.choose(null);
  panel.openReasons(false);
  return true;
}

function digit(number) {
  if (!panel.reasons.hidden) panel.root.querySelectorAll("[data-reason]")[number - 1]?.click();
  else panel.root.querySelectorAll("[data-urgency]")[number - 1]?.click();
}

function act(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const everywhere = {
    n: () => follow("[data-next]"),
    u: () => follow("[data-back-to-sent]"),
    b: () => follow("[data-blind]"),
    r: () => sendAgain(Object.keys(unsent())[0]),
    "?": showKeys,
  };
  if (everywhere[key]) return everywhere[key]() ?? true;
  if (!panel) return false;
  if (key === "Escape") return escape();
  if (key === "Enter") return enter(event);
  if (panel.busy) return false;
  if (key === "a") return (panel.data.settled && panel.confirm()) ?? true;
  if (key === "x") return panel.openReasons() ?? true;
  if (key === "c") return panel.write() ?? true;
  if (/^[1-5]$/.test(key)) return digit(Number(key)) ?? true;
  const finding = [...panel.root.querySelectorAll("[data-finding]")].find((b) => b.getAttribute("aria-keyshortcuts") === key.toUpperCase());
  if (finding) panel.turn(finding.dataset.finding);
  return Boolean(finding);
}

// Before the viewer's own keys: what is used here is not theirs.
document.addEventListener(
  "keydown",
  (event) => {
    if (event.altKey || event.metaKey || dialog()?.open) return;
    const writing = event.target.closest?.("textarea, .find input");
    if (writing) {
      if (event.key === "Escape") writing.blur();
      else if (event.key === "Enter" && event.ctrlKey && panel) panel.send();
      else return;
    } else if (event.ctrlKey || event.repeat || act(event) === false) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  { capture: true },
);
