// What grows older by itself is written here, so that the server has nothing to send while only time passes.
"use strict";

{
  const spans = JSON.parse(document.body.dataset.spans);
  let answered = document.body.dataset.now; // on the server's own clock
  let ahead = Date.parse(answered) - Date.now();
  let known = ""; // the name of what is shown

  function span(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const [inSeconds, inMinutes, inHours, inDays] = spans;
    if (whole < 60) return inSeconds.replace("{count}", whole);
    if (whole < 3600) return inMinutes.replace("{count}", Math.floor(whole / 60));
    const minutes = String(Math.floor((whole % 3600) / 60)).padStart(2, "0");
    if (whole < 48 * 3600) return inHours.replace("{hours}", Math.floor(whole / 3600)).replace("{minutes}", minutes);
    return inDays.replace("{count}", Math.floor(whole / 86400));
  }

  function write(element, words) {
    if (element.textContent !== words) element.textContent = words;
  }

  function show() {
    const now = Date.now() + ahead;
    for (const time of document.querySelectorAll("time.age-of")) write(time, span((now - Date.parse(time.dateTime)) / 1000));
    const clock = document.querySelector(".clock");
    if (clock) write(clock, clock.dataset.words.replace("{time}", `${answered.slice(11, 19)} UTC${answered.slice(-6)}`));
  }

  document.addEventListener("htmx:config:request", (event) => {
    if (known) event.detail.ctx.request.headers["If-None-Match"] = known;
  });
  document.addEventListener("htmx:after:swap", (event) => {
    const answer = event.detail?.ctx?.response;
    const time = answer?.headers.get("Triage-Time");
    if (time && (answer.status === 200 || answer.status === 304)) {
      answered = time;
      ahead = Date.parse(time) - Date.now();
      known = answer.headers.get("ETag") ?? "";
    }
    show();
  });
  setInterval(show, 1000);
}
