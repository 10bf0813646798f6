const filter = document.getElementById("filter");
const groups = Array.from(document.querySelectorAll(".group"));
function apply() {
  const answer = filter.querySelector("input:checked").value;
  const chosen = filter.querySelector("select").value;
  let total = 0, shown = 0;
  for (const group of groups) {
    let visible = 0;
    for (const card of group.querySelectorAll(".card")) {
      const fits = answer === "all" || card.classList.contains(answer);
      card.hidden = !(fits && (chosen === "all" || chosen === group.id));
      visible += card.hidden ? 0 : 1;
      total += 1;
    }
    group.hidden = visible === 0;
    shown += visible;
  }
  document.getElementById("count").textContent = shown + " of " + total + " photos shown";
}
filter.addEventListener("change", apply);
for (const part of filter.querySelectorAll("[hidden]")) part.hidden = false;
filter.hidden = false;
apply();
