// A reader's word on a case, by keyboard: chosen, sent once, kept until the server has it, and on to the next.
"use strict";

const ANSWER_WITHIN_MS = 8000;
const SHOWN_KEPT = 2000;
// A key pressed twice must not speak of a case that has only just come up.
const LOOK_FIRST_MS = 600;

const form = () => document.querySelector("form.review");
const words = (root, key, figures = {}) =>
  Object.entries(figures).reduce((text, [name, value]) => text.replace(`{${name}}`, () => value), root.dataset[key]);

// --- what the browser keeps, in this tab alone unless said otherwise ---------------------------------

const kept = (key, otherwise, storage = sessionStorage) => JSON.parse(storage.getItem(key) ?? otherwise);
const keep = (key, value, storage = sessionStorage) => storage.setItem(key, JSON.stringify(value));
const draftKey = (series) => `triage.draft.${series}`;

// What another login left unsent in this tab is neither shown to this one nor sent by it.
const everybodys = () => kept("triage.unsent", "{}");
const myKey = (series) => `${document.body.dataset.login} ${series}`;
const unsent = () =>
  Object.fromEntries(
    Object.values(everybodys())
      .filter((record) => record.login === document.body.dataset.login)
      .map((record) => [record.series, record]),
  );
function setUnsent(series, record) {
  const all = everybodys();
  if (record) all[myKey(series)] = record;
  else delete all[myKey(series)];
  keep("triage.unsent", all);
  showUnsent();
}

// Whoever saw the machine's answer in this browser does not read that case blind any more.
const shownKey = (login) => `triage.shown.${login}`;
const wasShown = (panel) => kept(shownKey(panel.dataset.login), "[]", localStorage).includes(panel.dataset.series);
function noteShown(panel) {
  const all = kept(shownKey(panel.dataset.login), "[]", localStorage).filter((id) => id !== panel.dataset.series);
  keep(shownKey(panel.dataset.login), [...all, panel.dataset.series].slice(-SHOWN_KEPT), localStorage);
}

// What the reader wants, whatever it was based on: sent again it is the same request.
const intent = (body) => JSON.stringify({ ...body, based_on: "", request_id: "" });

// --- the review being made ------------------------------------------------------------------------------

class Panel {
  constructor(root) {
    this.root = root;
    this.data = root.dataset;
    this.comment = root.querySelector("textarea");
    this.reasons = root.querySelector(".reasons");
    this.choice = null; // { action, urgency, reason }
    this.findings = {};
    this.busy = false;
    this.blind = Boolean(this.data.blind) && !wasShown(root);
    if (!this.data.blind) noteShown(root);
    this.restore();
    root.hidden = false;
    setTimeout(() => (this.data.settled = "1"), LOOK_FIRST_MS);
    root.addEventListener("click", (event) => this.click(event));
    root.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.comment.addEventListener("input", () => this.show());
    if (this.data.blind && !this.blind) this.say("seenBefore");
  }

  say(key, figures) {
    this.root.querySelector("[role=status]").textContent = key ? words(this.root, key, figures) : "";
  }

  restore() {
    const draft = kept(draftKey(this.data.series), "null");
    if (draft) {
      this.choice = draft.choice;
      // What is not the machine's answer any more is the reader's own.
      this.findings = draft.findings;
      if (this.choice?.action === "confirm" && this.choice.urgency !== this.data.machine) {
        this.choice.action = "relabel";
        // What they confirmed said that there is blood: the server would have noted it of a confirmation.
        if (draft.bleeds) this.findings.haemorrhage ??= true;
      }
      this.comment.value = draft.comment;
    }
    this.show();
  }

  show() {
    const { choice, root } = this;
    for (const button of root.querySelectorAll("[data-urgency]")) {
      button.setAttribute("aria-pressed", choice?.urgency === button.dataset.urgency);
    }
    for (const button of root.querySelectorAll("[data-reason]")) {
      button.setAttribute("aria-pressed", choice?.reason === button.dataset.reason);
    }
    for (const button of root.querySelectorAll("[data-finding]")) {
      const state = { true: "present", false: "absent" }[this.findings[button.dataset.finding]] ?? "unsaid";
      button.dataset.state = state;
      button.setAttribute("aria-label", button.dataset[state]);
    }
    const send = root.querySelector("[type=submit]");
    send.disabled = !choice || this.busy;
    send.firstChild.textContent = `${words(root, "send", { what: this.what() }).trim()} `;
    const draft = { choice, findings: this.findings, comment: this.comment.value, bleeds: Boolean(this.data.bleeds) };
    if (choice || draft.comment || Object.keys(this.findings).length) keep(draftKey(this.data.series), draft);
    else sessionStorage.removeItem(draftKey(this.data.series));
  }

  what() {
    const chosen = this.choice?.reason ? `[data-reason="${this.choice.reason}"]` : `[data-urgency="${this.choice?.urgency}"]`;
    return this.root.querySelector(chosen)?.dataset.what ?? "";
  }

  choose(choice) {
    this.choice = choice;
    if (choice && !choice.reason) this.openReasons(false);
    this.show();
    if (!choice) this.say();
    else if (choice.urgency === "BLACK") this.say("black");
    else if (choice.urgency && choice.urgency !== "GREEN" && this.findings.haemorrhage === undefined && !this.confirmsBleed()) {
      // Without a word on blood the case teaches no network.
      this.say("bloodUnsaid", { what: this.what() });
    } else this.say("ready", { what: this.what() });
  }

  // The server takes it as a word on blood.
  confirmsBleed() {
    return this.choice?.action === "confirm" && Boolean(this.data.bleeds);
  }

  chooseUrgency(urgency) {
    this.choose({ action: "relabel", urgency, reason: null });
  }

  chooseReason(reason) {
    this.choose({ action: "exclude", urgency: null, reason });
    if (reason === "other" && !this.comment.value.trim()) {
      this.write();
      this.say("why");
    }
  }

  confirm() {
    const urgency = this.root.querySelector("[data-confirm]")?.dataset.confirm;
    if (this.busy || this.changed()) return;
    if (!urgency) {
      this.say("choose");
      return;
    }
    this.choose({ action: "confirm", urgency, reason: null });
    // A machine only suspects what a person's black says: never with one key.
    if (urgency !== "BLACK") this.send();
  }

  turn(finding) {
    const next = { undefined: true, true: false, false: undefined }[this.findings[finding]];
    const bleeds = [...this.root.querySelectorAll("[data-bleed]")].map((button) => button.dataset.finding);
    if (next === undefined) delete this.findings[finding];
    else this.findings[finding] = next;
    if (next && bleeds.includes(finding)) this.findings.haemorrhage = true;
    if (finding === "haemorrhage" && !next) {
      for (const bleed of bleeds) if (this.findings[bleed]) delete this.findings[bleed];
    }
    this.show();
    this.say();
    const button = this.root.querySelector(`[data-finding="${finding}"]`);
    this.root.querySelector("[role=status]").textContent = button.getAttribute("aria-label");
  }

  openReasons(open = this.reasons.hidden) {
    this.reasons.hidden = !open;
    this.root.querySelector("[data-exclude]").setAttribute("aria-expanded", open);
    if (open) this.reasons.scrollIntoView({ block: "nearest" });
  }

  write() {
    this.comment.focus();
    this.comment.scrollIntoView({ block: "center" });
  }

  click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const { confirm, urgency, finding, reason } = button.dataset;
    if (confirm) this.confirm();
    else if (urgency) this.chooseUrgency(urgency);
    else if (finding) this.turn(finding);
    else if (reason) this.chooseReason(reason);
    else if ("exclude" in button.dataset) this.openReasons();
    else if ("help" in button.dataset) showKeys();
    else if ("lookAgain" in button.dataset) location.reload();
    // After a click by mouse Enter is to send, not to press the same button again.
    if (event.detail) button.blur();
  }

  async send() {
    const { choice, data } = this;
    if (this.busy || this.changed()) return;
    if (!choice) {
      this.say("choose");
      return;
    }
    if (choice.reason === "other" && !this.comment.value.trim()) {
      this.write();
      this.say("why");
      return;
    }
    const body = {
      ...choice,
      findings: this.findings,
      comment: this.comment.value.trim(),
      blind: this.blind,
      based_on: data.basedOn,
      request_id: crypto.getRandomValues(new Uint32Array(4)).join("-"),
    };
    const what = { what: this.what(), who: data.who };
    const said = words(this.root, "sent", what);
    const record = { series: data.series, body, said, what: `${what.what}, ${what.who}`, address: new URL(data.address, location.href).pathname, login: data.login, page: location.pathname };
    const waiting = unsent()[data.series];
    if (!waiting || intent(waiting.body) !== intent(body)) setUnsent(data.series, record);
    await this.deliver(unsent()[data.series]);
  }

  async deliver(record) {
    this.busy = true;
    this.root.querySelector("fieldset").disabled = true;
    this.show();
    this.say("sending");
    const outcome = await deliver(this.data.series, record);
    if (outcome.done) return; // on the way to the next page
    this.busy = false;
    this.root.querySelector("fieldset").disabled = false;
    this.show();
    if (outcome.conflict) {
      refresh();
      if (!this.changed()) this.say("refused", { why: outcome.why });
    } else if (outcome.refused) this.say("refused", { why: outcome.why });
    else this.say(outcome.login ? "loginLost" : "unsent");
  }

  // Is the case still as it was when this panel was made? If not, the reader is told what is new.
  changed() {
    const now = document.getElementById(`standing-${this.data.series}`);
    const sending = this.busy || unsent()[this.data.series];
    const box = this.root.querySelector(".changed");
    if (!now || sending || now.dataset.basedOn === this.data.basedOn) return !box.hidden;
    const news = [...now.querySelector("template").content.children].filter((line) => {
      const { change, number } = line.dataset;
      if (change === "said") return Number(number) > Number(this.data.said);
      return change !== "any" && now.dataset[change] !== this.data[change];
    });
    const lines = this.data.blind || !news.length ? [now.querySelector("template").content.querySelector("[data-change=any]")] : news;
    box.querySelector("div").replaceChildren(...lines.map((line) => line.cloneNode(true)));
    box.hidden = false;
    this.say();
    return true;
  }
}

// --- to the server --------------------------------------------------------------------------------------

// The same request again is known by its name: it is never recorded twice.
async function deliver(series, record) {
  let answer;
  try {
    answer = await fetch(record.address, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Triage": "page" },
      body: JSON.stringify(record.body),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  } catch {
    return {};
  }
  if (answer.status === 401) return { login: true };
  if (answer.status >= 500) return {};
  const said = await answer.json().catch(() => ({}));
  setUnsent(series, null);
  if (answer.status !== 201) {
    return { refused: true, conflict: answer.status === 409, why: said.message ?? answer.status };
  }
  sessionStorage.removeItem(draftKey(series));
  keep("triage.sent", { said: record.said, page: record.page });
  if (panel?.data.series !== series) location.reload();
  else if (panel.data.blind) location.replace(location.pathname + location.search);
  else document.querySelector("form.review [data-next]").click();
  return { done: true };
}

const refresh = () => document.getElementById("living").dispatchEvent(new Event("visible-again"));

async function sendAgain(series) {
  const record = unsent()[series];
  if (!record) return;
  if (panel?.data.series === series) await panel.deliver(record);
  else if (!(await deliver(series, record)).done) showUnsent();
}

function showUnsent() {
  const banner = document.getElementById("unsent");
  const lines = Object.entries(unsent())
    .filter(([series]) => !(panel?.busy && panel.data.series === series))
    .map(([series, record]) => {
      const line = document.createElement("p");
      const again = document.createElement("button");
      const key = document.createElement("kbd");
      key.textContent = "R";
      again.type = "button";
      again.append(`${banner.dataset.again} `, key);
      again.addEventListener("click", () => sendAgain(series));
      line.append(words(banner, "words", { what: record.what }), " ", again);
      return line;
    });
  banner.replaceChildren(...lines);
  banner.hidden = !lines.length;
}

// What was sent last, said on the page that came next, with a way back to it.
function showSent() {
  const sent = kept("triage.sent", "null");
  sessionStorage.removeItem("triage.sent");
  if (!sent) return;
  const flash = document.getElementById("flash");
  const line = [sent.said];
  if (sent.page !== location.pathname) {
    const back = document.createElement("a");
    const key = document.createElement("kbd");
    key.textContent = "U";
    back.href = sent.page;
    back.dataset.backToSent = "";
    back.append(`${flash.dataset.return} `, key);
    line.push(" ", back);
  }
  // A moment later, or screen readers take it for part of the page and stay silent.
  setTimeout(() => flash.replaceChildren(...line), 100);
}

// --- the panel of the page ------------------------------------------------------------------------------

let panel = null;

function start() {
  const root = form();
  if (!root) panel = null;
  else if (panel?.root !== root) panel = new Panel(root);
  else panel.changed();
}

document.addEventListener("htmx:after:swap", start);
start();
showSent();
showUnsent();
