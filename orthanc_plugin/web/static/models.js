// Changes of the model in service: asked before, sent with what was seen, refused in words.
"use strict";

const words = () => document.querySelector("main.models").dataset;
const make = (name, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(name), attributes);
  element.append(...children);
  return element;
};

// Outside the living part, which is exchanged every two seconds.
function ask(button) {
  const { order, question, basedOn } = button.dataset;
  const said = words();
  const reason = make("input", { name: "reason", maxLength: 500, autocomplete: "off" });
  const trouble = make("p");
  trouble.setAttribute("role", "alert");
  const title = make("h2", { id: "asking", textContent: question });
  const yes = make("button", { type: "submit", value: "yes", textContent: said.confirm });
  const no = make("button", { type: "button", textContent: said.cancel });
  const form = make(
    "form",
    {},
    title,
    make("label", {}, said.reason, reason),
    trouble,
    make("div", { className: "answers" }, no, yes),
  );
  const dialog = make("dialog", { className: "asking" }, form);
  dialog.setAttribute("aria-labelledby", "asking");
  dialog.addEventListener("close", () => dialog.remove());
  no.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    yes.disabled = true;
    trouble.textContent = await send(order, { reason: reason.value, based_on: basedOn }, said.failed);
    yes.disabled = false;
    if (trouble.textContent === "") dialog.close();
    document.getElementById("living").dispatchEvent(new Event("visible-again"));
  });
  document.body.append(dialog);
  dialog.showModal();
}

// What went wrong; nothing when nothing did.
async function send(address, body, failed) {
  try {
    const headers = { "Content-Type": "application/json", "X-Triage": "page" };
    const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
    return answer.ok ? "" : `${failed} ${(await answer.json()).message}`;
  } catch {
    return failed;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-order]");
  if (button) ask(button);
});
