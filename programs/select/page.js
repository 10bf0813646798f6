const find = (id) => document.getElementById(id);
const parsed = (id) => JSON.parse(find(id).textContent);
const bar = find("bar");
const link = bar.querySelector("a");
const other = find("other");
const help = find("help");
const added = other.querySelector("input");
const head = parsed("earlier"); // of answers.json, without answers
const labels = parsed("labels"); // of the model, and new ones after them
// A page that programs/review serves; as a file it hands answers over by its export.
const served = document.querySelector("meta[name=review]") !== null;

const cards = Array.from(document.querySelectorAll(".photo"));
const placeOf = new Map(cards.map((card, place) => [card, place]));
const cardOf = new Map(cards.map((card) => [card.dataset.sha, card]));
const nameOf = (card) => card.querySelector("h2").textContent;
const NONE = ""; // the label of a photo that is left out

const answers = new Map(); // label by SHA-256
const past = []; // of each step that can be undone: the card, and what it had before
let current = null; // the card that keys are about
let unsaved = false;
let address = "";

function content() {
  const entries = Array.from(answers, ([sha256, label]) => ({ sha256, label }));
  entries.sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  return JSON.stringify({ ...head, answers: entries }, null, 1) + "\n";
}

// Names of classes, by the rules of components/common/dataset/photo.py.

const keyOf = (label) =>
  label.normalize("NFC").toLowerCase().replace(/[\s_]+/g, " ").replace(/(?<!\d) | (?!\d)/g, "");

function objection(label) {
  if (!label) return "Type a name.";
  if (label.startsWith(".")) return "A name cannot begin with a dot.";
  if (/[/\\]/.test(label)) return "A name cannot hold a slash or a backslash.";
  if (/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(label)) return "Only printable characters.";
  if (Array.from(label).length > 100 || new TextEncoder().encode(label).length > 255) {
    return "That is too long.";
  }
  return "";
}

function know(label) {
  const same = labels.find((one) => keyOf(one) === keyOf(label));
  if (!same) labels.push(label);
  return same || label;
}

// What is shown.

function showCard(card) {
  const label = answers.get(card.dataset.sha);
  card.classList.toggle("keep", Boolean(label));
  card.classList.toggle("drop", label === NONE);
  card.querySelector(".label").textContent = label === undefined
    ? "undecided"
    : label || "left out";
  const guessed = card.querySelector('button[value="' + CSS.escape("=" + label) + '"]') !== null;
  for (const button of card.querySelectorAll(".choice button")) {
    const chosen = {
      none: label === NONE,
      other: Boolean(label) && !guessed,
    }[button.value] ?? button.value === "=" + label;
    button.setAttribute("aria-pressed", chosen);
  }
}

function showCounts() {
  const out = Array.from(answers.values()).filter((label) => label === NONE).length;
  const left = cards.filter((card) => !answers.has(card.dataset.sha)).length;
  bar.querySelector("output").textContent = (answers.size - out) + " labelled, " + out +
    " left out";
  find("next").textContent = left ? left + " left" : "none left";
  find("next").disabled = left === 0;
  find("undo").disabled = past.length === 0;
  link.setAttribute("aria-disabled", answers.size === 0);
  find("numbers").textContent = labels.slice(0, 9)
    .map((label, place) => (place + 1) + "\u00a0" + label).join(", ");
}

let silence = 0;

function say(words) {
  const said = bar.querySelector(".said");
  said.textContent = words;
  clearTimeout(silence);
  silence = setTimeout(() => {
    said.textContent = "";
  }, 5000);
}

// Answering, and taking back.

function put(card, label) {
  if (label === undefined) answers.delete(card.dataset.sha);
  else answers.set(card.dataset.sha, label);
  showCard(card);
  showCounts();
  unsaved = true;
  if (served) save();
}

function answer(card, label) {
  const before = answers.get(card.dataset.sha);
  past.push({ card, before });
  put(card, label === before ? undefined : label); // once more: undecided
  if (label === before) say("Undecided: " + nameOf(card));
  else say(label === NONE ? "Left out: " + nameOf(card) : nameOf(card) + " → " + label);
}

function undo() {
  const last = past.pop();
  if (!last) {
    say("Nothing to undo");
    return;
  }
  put(last.card, last.before);
  go(last.card);
  say("Undone");
}

function ask(card) {
  mark(card);
  find("other-what").textContent = nameOf(card) + " shows";
  other.querySelector(".problem").textContent = "";
  added.value = "";
  const rows = labels.map((label, place) => {
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.value = String(place);
    if (place < 9) {
      const key = document.createElement("kbd");
      key.textContent = String(place + 1);
      button.append(key, " ");
    }
    button.append(label);
    row.append(button);
    return row;
  });
  find("classes").replaceChildren(...rows);
  other.showModal();
}

// Going from photo to photo.

function mark(card) {
  const before = current || cards[0];
  before.tabIndex = -1;
  before.classList.remove("current");
  for (const button of before.querySelectorAll(".choice button")) button.tabIndex = -1;
  current = card;
  card.tabIndex = 0;
  card.classList.add("current");
  for (const button of card.querySelectorAll(".choice button")) button.tabIndex = 0;
}

function go(card) {
  mark(card);
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const place = current ? placeOf.get(current) + step : 0;
  if (cards[place]) go(cards[place]);
  else if (step > 1 && current) go(cards.at(-1));
}

function columns() {
  return getComputedStyle(cards[0].parentElement).gridTemplateColumns.split(" ").length;
}

function nextLeft() {
  const open = cards.filter((card) => !answers.has(card.dataset.sha));
  const from = current ? placeOf.get(current) : -1;
  const card = open.find((one) => placeOf.get(one) > from) || open[0];
  if (card) go(card);
  else say("Nothing is left to decide");
}

// Keys and buttons.

const ARROWS = {
  ArrowRight: () => move(1),
  ArrowLeft: () => move(-1),
  ArrowDown: () => move(columns()),
  ArrowUp: () => move(-columns()),
};
const KEYS = { n: nextLeft, u: undo, "?": () => help.showModal() };

function act(event) {
  if (event.key in KEYS) return KEYS[event.key];
  if (event.key in ARROWS) {
    // Elsewhere these scroll the page.
    const starts = event.key === "ArrowRight" && event.target === document.body;
    return event.target.closest(".photo") || starts ? ARROWS[event.key] : null;
  }
  if (!current) return null;
  if (event.key === "d") return () => answer(current, NONE);
  if (event.key === "m") return () => ask(current);
  const label = /^[1-9]$/.test(event.key) ? labels[Number(event.key) - 1] : undefined;
  return label ? () => answer(current, label) : null;
}

function take(label) {
  other.close();
  if (answers.get(current.dataset.sha) !== label) answer(current, label);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const target = event.target;
  if (target.closest("input, select, textarea")) return;
  if (target.closest("dialog")) {
    const label = /^[1-9]$/.test(event.key) ? labels[Number(event.key) - 1] : undefined;
    if (other.open && label) {
      event.preventDefault();
      take(label);
    }
    return;
  }
  const action = act(event);
  if (!action) return;
  event.preventDefault();
  action();
});

document.addEventListener("focusin", (event) => {
  const card = event.target.closest(".photo");
  if (card && card !== current) mark(card);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest(".choice button");
  if (!button) return;
  const card = button.closest(".photo");
  mark(card);
  if (button.value === "other") ask(card);
  else answer(card, button.value === "none" ? NONE : button.value.slice(1));
});
find("classes").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) take(labels[Number(button.value)]);
});
find("new").addEventListener("submit", (event) => {
  event.preventDefault();
  const label = added.value.trim();
  const problem = objection(label);
  other.querySelector(".problem").textContent = problem;
  if (!problem) take(know(label));
});
find("undo").addEventListener("click", undo);
find("next").addEventListener("click", nextLeft);
find("keys").addEventListener("click", () => help.showModal());

// Handing the answers over: as a file, or to the server.

link.addEventListener("click", () => {
  URL.revokeObjectURL(address);
  address = URL.createObjectURL(new Blob([content()], { type: "application/json" }));
  link.href = address;
  if (!served) unsaved = false;
});
addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});

let revision = '""'; // of the file that the server has
let saving = false;

async function refusal(reply) {
  const kind = reply.headers.get("Content-Type") || "";
  return kind.startsWith("text/plain") ? await reply.text() : "status " + reply.status;
}

async function save() {
  if (saving) return; // the one under way goes on with what is new
  saving = true;
  let problem = "";
  while (unsaved && !problem) {
    unsaved = false;
    try {
      const headers = { "Content-Type": "application/json", "If-Match": revision };
      const reply = await fetch("decisions", { method: "PUT", headers, body: content() });
      if (reply.ok) revision = reply.headers.get("ETag");
      else problem = await refusal(reply);
    } catch {
      problem = "the program that serves this page does not answer: start it again, or export";
    }
  }
  if (problem) unsaved = true;
  saving = false;
  find("saved").textContent = problem ? "Not saved: " + problem : "Saved";
  find("saved").classList.toggle("problem", problem !== "");
}

async function load() {
  const reply = await fetch("decisions");
  if (!reply.ok) throw new Error(await refusal(reply));
  revision = reply.headers.get("ETag");
  const saved = await reply.json(); // null where nothing was saved yet
  return saved ? saved.answers : [];
}

function start(entries) {
  for (const { sha256, label } of entries) {
    if (label) know(label);
    answers.set(sha256, label);
    if (cardOf.has(sha256)) showCard(cardOf.get(sha256));
  }
  document.documentElement.classList.add("live");
  bar.hidden = false;
  showCounts();
}

link.href = "#bar";
if (cards.length) cards[0].tabIndex = 0;
if (served) {
  bar.querySelector(".as-file").hidden = true;
  bar.querySelector(".as-saved").hidden = false;
  load().then(start, (error) => {
    start([]);
    find("saved").textContent = "Not loaded: " + error.message;
  });
} else {
  start([]);
}
