// A medium into Orthanc: every file that is DICOM goes to Orthanc's own /instances, announced study by study.
"use strict";

const GIB = 2 ** 30;
const HEAD_BYTES = 132;
const HEADER_BYTES = 2 ** 18; // where the study's UID lies nearly always; else the whole file is read
const MAX_IMAGE_BYTES = GIB;
const MAX_ZIP_FILES = 1_000_000;
const MAX_ZIP_RATIO = 200;
const RETRY_MS = [1000, 3000, 10000];
const NAMES_SHOWN = 5;

const form = document.getElementById("import");
const part = (name) => document.getElementById(`import-${name}`);
const say = (key, why) => form.dataset[key].replace("{why}", () => why);

class Refused extends Error {} // of one file
class Stopped extends Error {} // of the whole import

// --- is this file DICOM? by its content, never by its name ----------------------------------------------

const VRS = "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split(" ");
const DIRECTORY = "1.2.840.10008.1.3.10"; // a DICOMDIR
const letters = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));

// Transfer syntax of a data set without preamble, told by its first element; "" for meta information.
function bareSyntax(head) {
  const [a, b, c, d] = head;
  const explicit = VRS.includes(letters(head, 4, 6));
  const short = head[6] === 0 && head[7] === 0;
  const open = head.subarray(4, 8).every((byte) => byte === 255);
  if (a === 2 && b === 0 && d === 0 && (explicit || short)) return "";
  if (a === 0 && b === 8 && c === 0 && explicit) return "1.2.840.10008.1.2.2";
  if (a !== 8 || b !== 0 || d !== 0) return null;
  if (explicit) return "1.2.840.10008.1.2.1";
  return short || open ? "1.2.840.10008.1.2" : null;
}

function withPreamble(bytes) {
  const whole = new Uint8Array(HEAD_BYTES + bytes.length);
  whole.set([68, 73, 67, 77], HEAD_BYTES - 4); // DICM
  whole.set(bytes, HEAD_BYTES);
  return whole;
}

// Which image a file is; {} for a DICOMDIR, null for what is not DICOM.
async function imageIn(blob) {
  const head = new Uint8Array(await blob.slice(0, HEAD_BYTES).arrayBuffer());
  const marked = letters(head, HEAD_BYTES - 4, HEAD_BYTES) === "DICM";
  const syntax = marked ? undefined : bareSyntax(head);
  if (syntax === null) return null;
  if (blob.size > MAX_IMAGE_BYTES) {
    if (marked) throw new Refused(say("large"));
    return null;
  }
  for (const size of [HEADER_BYTES, blob.size]) {
    const bytes = new Uint8Array(await blob.slice(0, size).arrayBuffer());
    try {
      const options = { untilTag: "x0020000d", ...(syntax && { TransferSyntaxUID: syntax }) };
      const header = dicomParser.parseDicom(syntax === "" ? withPreamble(bytes) : bytes, options);
      if (header.string("x00020002") === DIRECTORY) return {};
      const uids = ["x00080016", "x00080018", "x0020000d"].map((tag) => header.string(tag));
      if (uids.every(Boolean) && (marked || /^[0-9.]{5,64}$/.test(uids[0]))) {
        return { uid: uids[1], study: uids[2], patient: header.string("x00100020") ?? "" };
      }
    } catch {
      // Cut off, or no DICOM: the parser throws whatever it stumbles over.
    }
    if (size >= blob.size) break;
  }
  if (marked) throw new Refused(say("damaged"));
  return null;
}

// --- folders and ZIPs ----------------------------------------------------------------------------------

async function isZip(blob) {
  const head = new Uint8Array(await blob.slice(0, 64).arrayBuffer());
  const first = letters(head, 30, 64);
  // Programs (Java) and documents (Office, OpenDocument) are ZIPs too.
  const program = ["META-INF/", "[Content_Types].xml", "mimetype"].some((name) => first.startsWith(name));
  return letters(head, 0, 4) === "PK\x03\x04" && !program;
}

async function* filesOf(file) {
  const name = file.webkitRelativePath || file.name;
  if (!(await isZip(file))) {
    yield { name, size: file.size, open: async () => file };
    return;
  }
  const reader = new zip.ZipReader(new zip.BlobReader(file), { useWebWorkers: false });
  try {
    const entries = (await reader.getEntries()).filter((entry) => !entry.directory);
    refuseBombs(entries, file.size);
    for (const entry of entries) {
      yield { name: `${name}/${entry.filename}`, size: entry.compressedSize, open: () => unpacked(entry) };
    }
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(say("zipDamaged"));
  } finally {
    await reader.close();
  }
}

// Files that lie over each other, or a ZIP that grows beyond reason, were made to do harm.
function refuseBombs(entries, size) {
  const sum = (key) => entries.reduce((total, entry) => total + entry[key], 0);
  const grown = sum("uncompressedSize");
  if (entries.length > MAX_ZIP_FILES || sum("compressedSize") > size || (grown > GIB && grown > MAX_ZIP_RATIO * size)) {
    throw new Refused(say("zipBomb"));
  }
}

async function unpacked(entry) {
  if (entry.encrypted) throw new Refused(say("zipLocked"));
  if (entry.uncompressedSize > MAX_IMAGE_BYTES) throw new Refused(say("large"));
  let blob;
  try {
    blob = await entry.getData(new zip.BlobWriter(), { checkSignature: true });
  } catch {
    throw new Refused(say("zipDamaged"));
  }
  if (await isZip(blob)) throw new Refused(say("zipInside"));
  return blob;
}

// --- to the server ---------------------------------------------------------------------------------------

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

async function once(address, options) {
  try {
    const headers = { "X-Triage": "page", ...options.headers };
    const answer = await fetch(address, { method: "POST", ...options, headers });
    const text = await answer.text();
    return { status: answer.status, said: /^[{[]/.test(text) ? JSON.parse(text) : null };
  } catch (error) {
    if (options.signal.aborted) throw error;
    return { status: 0, said: null }; // the line broke, or the medium was taken out
  }
}

async function post(address, options) {
  for (const wait of [...RETRY_MS, null]) {
    const { status, said } = await once(address, options);
    if (status === 401) throw new Stopped(say("login"));
    if (said || ![0, 502, 503, 504].includes(status)) return { status, said };
    if (wait !== null) await pause(wait, options.signal);
  }
  throw new Stopped(say("away"));
}

async function announce(study, isNew, signal) {
  const { status, said } = await post(form.dataset.announce, {
    signal,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ study_instance_uids: [study], new: isNew }),
  });
  if (status !== 200) throw new Stopped(said?.message ?? say("away"));
  return said.studies[0].earlier;
}

// The series that an image is in already: what comes from a medium never replaces it. Orthanc is asked where it
// finds the patient's number as it is: ASCII without wildcards.
async function seriesOf(image, signal) {
  if (!/^[!-)+->@-[\]-~]+( +[!-)+->@-[\]-~]+)*$/.test(image.patient)) return null;
  const query = { PatientID: image.patient, StudyInstanceUID: image.study, SOPInstanceUID: image.uid };
  const { status, said } = await post(new URL("../tools/find", location.href), {
    signal,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ Level: "Instance", Query: query, Expand: true }),
  });
  return status === 200 ? (said?.[0]?.ParentSeries ?? null) : null;
}

async function store(blob, signal) {
  const address = new URL("../instances", location.href);
  const { status, said } = await post(address, { signal, headers: { "Content-Type": "application/dicom" }, body: blob });
  if (status === 200 && ["Success", "AlreadyStored"].includes(said?.Status)) return said;
  const error = said?.OrthancStatus;
  // Orthanc's numbers for what a full disk leads to: database, file, storage, SQLite.
  if (status === 507 || [11, 14, 19].includes(error) || (error >= 1000 && error < 1100)) throw new Stopped(say("full"));
  // What would end Orthanc is replaced by a few bytes that it refuses (plugin.py); what was sent is never so small.
  if (/size: (\d+) bytes/.exec(said?.Details)?.[1] < HEAD_BYTES) throw new Refused(say("nested"));
  // Orthanc speaks English alone; in other languages its number for the error has to do.
  const words = document.documentElement.lang === "en" ? (said?.Details ?? said?.Message) : error && `Orthanc ${error}`;
  throw new Refused(say("refused", words ?? status));
}

// --- one import ------------------------------------------------------------------------------------------

class Import {
  constructor(files, isNew) {
    this.files = files;
    this.isNew = isNew;
    this.abort = new AbortController();
    this.counts = { stored: 0, known: 0, other: 0, refused: 0 };
    this.announced = new Map(); // by study: does it go to the earlier ones?
    this.studies = new Set();
    this.series = new Set();
    this.reasons = new Map(); // names by reason
    this.bytes = 0;
    this.allBytes = files.reduce((sum, file) => sum + file.size, 0);
  }

  // How it ended, in words.
  async run() {
    try {
      for (const file of this.files) await this.bringIn(file);
    } catch (error) {
      if (this.abort.signal.aborted) return say("cancelled");
      return say("stopped", error instanceof Stopped ? error.message : error.name);
    }
    if (this.counts.refused) return say("partly");
    return say(this.studies.size ? "done" : "nothing");
  }

  async bringIn(file) {
    const before = this.bytes;
    try {
      for await (const item of filesOf(file)) {
        part("file").textContent = item.name;
        await this.dealWith(item);
        this.bytes += item.size;
        this.show();
      }
    } catch (error) {
      this.refuse(file.webkitRelativePath || file.name, error);
    }
    this.bytes = before + file.size;
    this.show();
  }

  async dealWith(item) {
    try {
      const blob = await item.open();
      const image = await imageIn(blob);
      if (image === null) this.counts.other += 1;
      if (!image?.study) return;
      const { study } = image;
      const { signal } = this.abort;
      if (!this.announced.has(study)) this.announced.set(study, await announce(study, this.isNew, signal));
      const known = await seriesOf(image, signal);
      const said = known ? { ParentSeries: known } : await store(blob, signal);
      this.studies.add(study);
      this.series.add(said.ParentSeries);
      this.counts[said.Status === "Success" ? "stored" : "known"] += 1;
    } catch (error) {
      this.refuse(item.name, error);
    }
  }

  refuse(name, error) {
    // A file that is gone or may not be read comes as an error of the browser's own.
    const readable = !(error instanceof DOMException) || this.abort.signal.aborted;
    if (!(error instanceof Refused) && readable) throw error;
    const why = error instanceof Refused ? error.message : say("unreadable");
    this.counts.refused += 1;
    this.reasons.set(why, [...(this.reasons.get(why) ?? []), name]);
  }

  show() {
    const earlier = [...this.studies].filter((study) => this.announced.get(study)).length;
    const studies = this.studies.size;
    const counts = { ...this.counts, studies, series: this.series.size, earlier, queued: studies - earlier };
    for (const [key, count] of Object.entries(counts)) form.querySelector(`[data-count=${key}]`).textContent = count;
    part("bar").value = this.allBytes ? this.bytes / this.allBytes : 1;
    const lines = [...this.reasons].map(([why, names]) => {
      const line = document.createElement("li");
      const more = names.length > NAMES_SHOWN ? ", …" : "";
      line.textContent = `${names.length} × ${why}: ${names.slice(0, NAMES_SHOWN).join(", ")}${more}`;
      return line;
    });
    part("reasons").replaceChildren(...lines);
  }
}

// --- the form --------------------------------------------------------------------------------------------

let running = null;

async function start(event) {
  event.preventDefault();
  const files = [...part("folder").files, ...part("files").files];
  const choice = form.querySelector("fieldset");
  part("progress").hidden = false;
  if (!files.length) {
    part("state").textContent = say("choose");
    return;
  }
  running = new Import(files, part("new").checked);
  part("state").textContent = say("sending");
  choice.disabled = true;
  part("cancel").hidden = false;
  part("cancel").focus();
  running.show();
  try {
    part("state").textContent = await running.run();
  } finally {
    running = null;
    choice.disabled = false;
    part("cancel").hidden = true;
    part("file").textContent = "";
    part("state").focus();
  }
}

if (form) {
  form.hidden = false;
  form.addEventListener("submit", start);
  part("cancel").addEventListener("click", () => running?.abort.abort());
  window.addEventListener("beforeunload", (event) => running && event.preventDefault());
}
