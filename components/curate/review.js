const find = (id) => document.getElementById(id);
const parsed = (id) => JSON.parse(find(id).textContent);
const bar = find("bar");
const link = bar.querySelector("a");
const text = bar.querySelector("textarea");
const mover = find("move");
const help = find("help");
const earlier = parsed("earlier");
const labels = parsed("labels");
// A page that programs/review serves; as a file it hands decisions over by its export.
const served = document.querySelector("meta[name=review]") !== null;

// Cards of photos in the order of the page. A photo may have several.
const cards = Array.from(document.querySelectorAll(".photo"));
const placeOf = new Map(cards.map((card, place) => [card, place]));
const keyOfOne = (label, sha) => label + "/" + sha;
const foundIn = (card) => card.dataset.found || labels[card.dataset.class];
const keyOf = (card) => keyOfOne(foundIn(card), card.dataset.sha);
const nameOf = (card) => card.querySelector("h3").textContent;
const cardsOf = new Map();
for (const card of cards) {
  const key = keyOf(card);
  if (cardsOf.has(key)) cardsOf.get(key).push(card);
  else cardsOf.set(key, [card]);
}

const decided = new Map(); // by key; an entry of decisions.json
const past = []; // for each step that can be undone: keys with what they had before, and the card
let current = null; // the card that keys are about
let moving = []; // the cards that the open dialog is about
let unsaved = false;
let address = "";

function content() {
  const entries = Array.from(decided.entries()).sort((a, b) => (a[0] < b[0] ? -1 : 1));
  return JSON.stringify({ ...earlier, decisions: entries.map((pair) => pair[1]) }, null, 1) + "\n";
}

function put(key, one) {
  if (one) decided.set(key, one);
  else decided.delete(key);
}

function entry(card, decision, to) {
  const one = { label: foundIn(card), source_sha256: card.dataset.sha, decision };
  return to ? { ...one, to } : one;
}

// What is shown of a card.

function showCard(card) {
  const one = decided.get(keyOf(card));
  for (const value of ["keep", "drop", "move"]) {
    card.classList.toggle(value, Boolean(one) && one.decision === value);
  }
  for (const button of card.querySelectorAll(".choice button")) {
    const chosen = Boolean(one) && one.decision === button.value;
    button.setAttribute("aria-pressed", chosen);
    if (button.value !== "move") continue;
    const word = chosen ? "→ " + one.to : "move…";
    button.textContent = word;
    button.setAttribute("aria-label", word + " " + nameOf(card));
  }
}

// What is left to decide: of a photo in two classes one decision settles its whole group.

const asking = Array.from(document.querySelectorAll("[data-asks]"), (section) => ({
  places: document.querySelectorAll('.left[data-of="' + section.id + '"]'),
  units: Array.from(section.querySelectorAll(".group")).flatMap((group) => {
    const members = Array.from(group.querySelectorAll(".photo"));
    return section.id === "in_two_classes" ? [members] : members.map((card) => [card]);
  }),
}));

const isLeft = (unit) => !unit.some((card) => decided.has(keyOf(card)));

function showCounts() {
  const counts = { keep: 0, drop: 0, move: 0 };
  for (const one of decided.values()) counts[one.decision] += 1;
  bar.querySelector("output").textContent = counts.keep + " to keep, " + counts.drop +
    " to drop, " + counts.move + " to move";
  const left = new Set();
  for (const section of asking) {
    const open = section.units.filter(isLeft).flat();
    for (const card of open) left.add(keyOf(card));
    for (const place of section.places) {
      place.textContent = open.length ? ", " + open.length + " left" : ", all decided";
    }
  }
  find("next").textContent = left.size ? left.size + " left" : "none left";
  find("next").disabled = left.size === 0;
  find("undo").disabled = past.length === 0;
  link.setAttribute("aria-disabled", decided.size === 0 && earlier.decisions.length === 0);
  if (bar.querySelector("details").open) text.value = content();
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

// Deciding, and taking back.

function change(pairs) {
  for (const [key, one] of pairs) {
    put(key, one);
    for (const card of cardsOf.get(key) || []) showCard(card);
  }
  showCounts();
  unsaved = true;
  if (served) save();
}

function decide(pairs, words) {
  past.push({ before: pairs.map(([key]) => [key, decided.get(key)]), card: current });
  change(pairs);
  say(words);
}

function undo() {
  const last = past.pop();
  if (!last) {
    say("Nothing to undo");
    return;
  }
  change(last.before);
  if (last.card) go(last.card);
  say("Undone");
}

const offers = (card, value) =>
  card.querySelector('.choice button[value="' + value + '"]') !== null;
const told = (some) => (some.length === 1 ? nameOf(some[0]) : some.length + " photos");

function press(some, value) {
  const able = some.filter((card) => offers(card, value));
  if (!able.length) {
    say(value === "keep" ? "Already used: nothing to keep" : "Nothing to decide here");
    return;
  }
  const isSo = (card) => decided.has(keyOf(card)) && decided.get(keyOf(card)).decision === value;
  const again = able.every(isSo); // pressed once more: neither
  const one = (card) => (again ? undefined : entry(card, value));
  const words = (value === "keep" ? "Keep " : "Drop ") + told(able);
  decide(able.map((card) => [keyOf(card), one(card)]), again ? "Not: " + words : words);
}

function moveTo(some, label) {
  const able = some.filter((card) => offers(card, "move"));
  if (!able.length) {
    say("This one cannot be moved");
    return;
  }
  // Back where it was found, nothing is to be moved.
  const one = (card) => (label === foundIn(card) ? undefined : entry(card, "move", label));
  const pairs = able.map((card) => [keyOf(card), one(card)]);
  const stays = pairs.every((pair) => !pair[1] && !decided.has(pair[0]));
  if (stays) say("It is in this class already");
  else decide(pairs, told(able) + " → " + label);
}

function ask(some) {
  moving = some.filter((card) => offers(card, "move"));
  if (!moving.length) {
    say("This one cannot be moved");
    return;
  }
  find("move-what").textContent = "Move " + told(moving) + " to";
  mover.showModal();
}

const groupOf = (card) => Array.from(card.closest(".group").querySelectorAll(".photo"));
const groupHas = (card, value) =>
  card.closest(".group").querySelector('.all button[value="' + value + '"]') !== null;

function withGroup(card, value) {
  if (!groupHas(card, value)) say("Not possible for the whole group");
  else if (value === "move") ask(groupOf(card));
  else press(groupOf(card), value);
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

function sideways(step) {
  let place = current ? placeOf.get(current) + step : 0;
  while (cards[place] && cards[place].hidden) place += step;
  if (cards[place]) go(cards[place]);
}

const visible = (list) => Array.from(list.children).filter((card) => !card.hidden);

function upOrDown(step) {
  const row = visible(current.parentElement);
  const columns = getComputedStyle(current.parentElement).gridTemplateColumns.split(" ").length;
  const place = row.indexOf(current);
  const column = place % columns;
  if (row[place + step * columns]) {
    go(row[place + step * columns]);
    return;
  }
  if (step > 0 && place - column + columns < row.length) {
    go(row.at(-1));
    return;
  }
  const lists = Array.from(
    document.querySelectorAll(".photo:not([hidden])"),
    (card) => card.parentElement,
  );
  const others = Array.from(new Set(lists));
  const next = others[others.indexOf(current.parentElement) + step];
  if (!next) return;
  const there = visible(next);
  const start = step > 0 ? 0 : Math.floor((there.length - 1) / columns) * columns;
  go(there[Math.min(start + column, there.length - 1)]);
}

function nextLeft() {
  const open = asking.flatMap((section) => section.units.filter(isLeft).flat())
    .filter((card) => !card.hidden);
  const from = current ? placeOf.get(current) : -1;
  const card = open.find((one) => placeOf.get(one) > from) || open[0];
  if (card) go(card);
  else say("Nothing is left to decide");
}

// Keys and buttons.

const ARROWS = {
  ArrowRight: () => sideways(1),
  ArrowLeft: () => sideways(-1),
  ArrowDown: () => upOrDown(1),
  ArrowUp: () => upOrDown(-1),
};
const KEYS = { n: nextLeft, u: undo, "?": () => help.showModal() };
const OF_A_CARD = {
  k: (card) => press([card], "keep"),
  d: (card) => press([card], "drop"),
  m: (card) => ask([card]),
  K: (card) => withGroup(card, "keep"),
  D: (card) => withGroup(card, "drop"),
  M: (card) => withGroup(card, "move"),
};

function act(event) {
  const inCard = event.target.closest(".photo");
  if (event.key in KEYS) return KEYS[event.key];
  if (event.key in ARROWS) {
    // Elsewhere these scroll the page.
    const starts = event.key === "ArrowRight" && event.target === document.body;
    return inCard || starts ? ARROWS[event.key] : null;
  }
  if (!current) return null;
  if (event.key in OF_A_CARD) return () => OF_A_CARD[event.key](current);
  const label = /^[1-9]$/.test(event.key) ? labels[Number(event.key) - 1] : null;
  return label ? () => moveTo([current], label) : null;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const target = event.target;
  if (target.closest("input, select, textarea")) return;
  if (target.closest("dialog")) {
    if (mover.open && /^[1-9]$/.test(event.key) && labels[Number(event.key) - 1]) {
      event.preventDefault();
      mover.close();
      moveTo(moving, labels[Number(event.key) - 1]);
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
  if (card) mark(card);
  const some = card ? [card] : Array.from(button.closest(".group").querySelectorAll(".photo"));
  const pressed = button.getAttribute("aria-pressed") === "true";
  if (button.value !== "move") press(some, button.value);
  else if (pressed) moveTo(some, foundIn(card));
  else ask(some);
});
mover.querySelector("ol").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  mover.close();
  moveTo(moving, labels[button.value]);
});
find("undo").addEventListener("click", undo);
find("next").addEventListener("click", nextLeft);
find("keys").addEventListener("click", () => help.showModal());
bar.querySelector("select").addEventListener("change", (event) => {
  for (const card of cards) {
    card.hidden = event.target.value !== "" && card.dataset.class !== event.target.value;
  }
  for (const group of document.querySelectorAll(".group, .chapter")) {
    group.hidden = !group.querySelector(".photo:not([hidden])");
  }
});

// Handing the decisions over: as a file, or to the server.

bar.querySelector("details").addEventListener("toggle", showCounts);
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

async function refusal(answer) {
  const kind = answer.headers.get("Content-Type") || "";
  return kind.startsWith("text/plain") ? await answer.text() : "status " + answer.status;
}

async function save() {
  if (saving) return; // the one under way goes on with what is new
  saving = true;
  let problem = "";
  while (unsaved && !problem) {
    unsaved = false;
    try {
      const headers = { "Content-Type": "application/json", "If-Match": revision };
      const answer = await fetch("decisions", { method: "PUT", headers, body: content() });
      if (answer.ok) revision = answer.headers.get("ETag");
      else problem = await refusal(answer);
    } catch {
      problem = "the program that serves this page does not answer: start it again, or export";
    }
  }
  if (problem) unsaved = true;
  saving = false;
  find("saved").textContent = problem ? "Not saved: " + problem : "Saved";
  find("saved").classList.toggle("problem", problem !== "");
  // On a telephone the word "Saved" has no room of its own.
  if (!problem && getComputedStyle(find("saved")).display === "none") say("Saved");
}

async function load() {
  const answer = await fetch("decisions");
  if (!answer.ok) throw new Error(await refusal(answer));
  revision = answer.headers.get("ETag");
  const saved = await answer.json(); // null where nothing was saved yet
  return (saved || earlier).decisions;
}

function start(entries) {
  decided.clear();
  for (const one of entries) decided.set(keyOfOne(one.label, one.source_sha256), one);
  for (const key of decided.keys()) {
    for (const card of cardsOf.get(key) || []) showCard(card);
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
    start(earlier.decisions);
    find("saved").textContent = "Not loaded: " + error.message;
  });
} else {
  start(earlier.decisions);
}
