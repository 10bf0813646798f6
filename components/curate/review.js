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
  address = URL.createObjectURL(new Blob([text + "\n"], { type: "application/json" }));
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
link.addEventListener("click", () => {
  exported = true;
});
bar.querySelector("select").addEventListener("change", (event) => {
  for (const photo of photos) {
    photo.hidden = event.target.value !== "" && photo.dataset.class !== event.target.value;
  }
  for (const group of document.querySelectorAll(".group, .chapter")) {
    group.hidden = !group.querySelector(".photo:not([hidden])");
  }
});
addEventListener("beforeunload", (event) => {
  if (!exported) event.preventDefault();
});
for (const choice of document.querySelectorAll(".choice")) choice.hidden = false;
bar.hidden = false;
show();
