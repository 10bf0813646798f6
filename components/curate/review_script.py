"""Style and script of the review page."""

CSS = """
.photo h4 { margin: 0; font-size: .9rem; line-height: 1.25; overflow-wrap: anywhere; }
.photo p { margin: .25rem 0; font-size: .8rem; line-height: 1.35; }
.photo b { font-weight: 600; }
.photo.used { border-top: 4px solid var(--right); }
.photo.drop { border: 2px solid var(--wrong); }
.photo.drop img { opacity: .35; }
.photo.keep { border: 2px solid var(--right); }
.group { margin: 0 0 1rem; }
.group + .group { border-top: 1px solid var(--line); padding-top: .75rem; }
.choice { display: flex; gap: .4rem; }
.choice button {
  flex: 1; min-height: 2rem; padding: .2rem .5rem; font: inherit; cursor: pointer;
  color: var(--ink); background: var(--card); border: 1px solid var(--muted); border-radius: 8px;
}
.choice button[aria-pressed=true] { color: var(--card); font-weight: 600; }
.choice button[value=keep][aria-pressed=true] { background: var(--right); }
.choice button[value=drop][aria-pressed=true] { background: var(--wrong); }
.decide { position: sticky; top: auto; bottom: .5rem; box-shadow: 0 2px 12px rgb(0 0 0 / .2); }
.decide output { margin-left: 0; }
.export { font-weight: 600; }
.export[aria-disabled=true] { color: var(--muted); pointer-events: none; text-decoration: none; }
.decide details[open] { flex-basis: 100%; }
.decide textarea { width: 100%; font: .8rem ui-monospace, monospace; background: var(--page); }
.decide textarea { color: var(--ink); border: 1px solid var(--line); }
@media (max-width: 30rem) {
  .decide { position: sticky; flex-wrap: nowrap; gap: .6rem; padding: .3rem .7rem; }
  .decide { font-size: .85rem; line-height: 1.25; }
  .decide:has(details[open]) { flex-wrap: wrap; }
  .decide label { flex: 1 1 0; min-width: 4.5rem; min-height: 2.5rem; }
  .decide select { width: 100%; min-height: 2.2rem; }
  .decide output { flex: 0 1 5.4rem; }
  .decide .spare { display: none; }
  .decide summary { padding-block: .6rem; white-space: nowrap; }
}
"""

# Decisions are kept by class and hash, so that a photo that is shown twice is decided once, and
# those about photos that this page does not show are exported with the others.
SCRIPT = """
const bar = document.getElementById("bar");
const link = bar.querySelector("a");
const earlier = JSON.parse(document.getElementById("earlier").textContent);
const labels = JSON.parse(document.getElementById("labels").textContent);
const keyOf = (label, sha) => label + "/" + sha;
const keyOfPhoto = (data) => keyOf(labels[data.class], data.sha);
const decided = new Map();
for (const one of earlier.decisions) {
  decided.set(keyOf(one.label, one.source_sha256), one);
}
const photos = Array.from(document.querySelectorAll(".photo"));
let exported = true;
let address = "";

function show() {
  const counts = { keep: 0, drop: 0 };
  for (const one of decided.values()) counts[one.decision] += 1;
  for (const photo of photos) {
    const one = decided.get(keyOfPhoto(photo.dataset));
    for (const value of ["keep", "drop"]) {
      photo.classList.toggle(value, Boolean(one) && one.decision === value);
    }
    for (const button of photo.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", Boolean(one) && one.decision === button.value);
    }
  }
  const entries = Array.from(decided.entries()).sort((a, b) => (a[0] < b[0] ? -1 : 1));
  const text = JSON.stringify({ ...earlier, decisions: entries.map((pair) => pair[1]) }, null, 1);
  bar.querySelector("output").textContent = counts.keep + " to keep, " + counts.drop + " to drop";
  bar.querySelector("textarea").value = text;
  link.setAttribute("aria-disabled", decided.size === 0 && earlier.decisions.length === 0);
  URL.revokeObjectURL(address);
  address = URL.createObjectURL(new Blob([text + "\\n"], { type: "application/json" }));
  link.href = address;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".choice button");
  if (!button) return;
  const data = button.closest(".photo").dataset;
  const key = keyOfPhoto(data);
  if (button.getAttribute("aria-pressed") === "true") {
    decided.delete(key);
  } else {
    const label = labels[data.class];
    decided.set(key, { label, source_sha256: data.sha, decision: button.value });
  }
  exported = false;
  show();
});
link.addEventListener("click", () => { exported = true; });
bar.querySelector("select").addEventListener("change", (event) => {
  for (const photo of photos) {
    photo.hidden = event.target.value !== "" && photo.dataset.class !== event.target.value;
  }
  for (const group of document.querySelectorAll(".group, .chapter")) {
    group.hidden = !group.querySelector(".photo:not([hidden])");
  }
});
window.addEventListener("beforeunload", (event) => { if (!exported) event.preventDefault(); });
for (const choice of document.querySelectorAll(".choice")) choice.hidden = false;
bar.hidden = false;
show();
"""
