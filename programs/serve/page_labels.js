// What visitors say their photos are: the share of right answers in this window, and, where the
// service keeps photos and the visitor agrees, the photos themselves.
globalThis.photoLabels = (({ $, make, named, fileNamed, percent }) => {
  // By the photo's file, in the order of labelling: the photo, what was said of it (null for none of
  // the classes), whether anything is said now, and as what the service keeps it (null: not at
  // all; undefined: that is not known).
  const records = new Map();
  const keeping = $("consent");
  const KEPT = "Kept for the next model.";
  let sending = Promise.resolve(); // one after another, in the order of what was said

  const agreed = () => Boolean(keeping && keeping.checked);
  const isRight = (one) => one.photo.answer.predicted === one.said;

  // Wilson's interval at 95 %, as the report has it (components/common/base/shares.py).
  function interval(count, total) {
    const z = 1.959963984540054;
    const middle = (count + z * z / 2) / (total + z * z);
    const half = z * Math.sqrt(count * (total - count) / total + z * z / 4) / (total + z * z);
    return [count ? middle - half : 0, count < total ? middle + half : 1];
  }

  // The question below an answer.
  function question(photo) {
    const answer = photo.answer;
    const id = `said-${photo.number}`;
    const record = records.get(photo.key);
    const known = record && record.given ? record : null;
    const select = make("select", { id: id }, make("option", { value: "" }, "not said"));
    answer.model.classes.forEach((label, place) => {
      select.append(make("option", { value: place }, label));
    });
    select.append(make("option", { value: "none" }, "none of these kinds"));
    const told = make("span", { class: "kept", role: "status" }, known ? known.told : "");
    const right = make("button", { type: "button" }, "The answer is right");
    const valueOf = (said) => said === null ? "none" : String(answer.model.classes.indexOf(said));
    if (known) {
      select.value = valueOf(known.said);
      known.place = told; // of its earlier card nothing is shown any more
    }
    const changed = () => {
      const value = select.value;
      if (value === "") forget(photo, told);
      else say(photo, value === "none" ? null : answer.model.classes[Number(value)], told);
    };
    select.addEventListener("change", changed);
    right.addEventListener("click", () => {
      select.value = valueOf(answer.predicted);
      changed();
    });
    return make(
      "div",
      { class: "say" },
      right,
      make("label", { for: id }, "It was a"),
      select,
      told,
    );
  }

  function say(photo, said, place) {
    const one = records.get(photo.key) || { told: "", kept: null };
    Object.assign(one, { photo, said, place, given: true });
    records.delete(photo.key);
    records.set(photo.key, one);
    put(one, "");
    settle(one);
    draw();
  }

  function forget(photo, place) {
    const one = records.get(photo.key);
    if (!one) return;
    Object.assign(one, { place, said: null, given: false });
    put(one, "");
    settle(one);
    draw();
  }

  function put(one, words) {
    one.told = words;
    one.place.textContent = words;
  }

  // See to it that the service keeps a photo as what was said of it, or no longer. What is to be done
  // is judged when its turn comes: more may have been said since.
  function settle(one) {
    sending = sending.then(async () => {
      const wanted = one.said !== null && agreed() ? one.said : null;
      if (wanted === one.kept) return put(one, wanted === null ? "" : KEPT);
      const query = wanted === null ? "" : `?consent=true&said=${encodeURIComponent(wanted)}`;
      put(one, wanted === null ? "Removing it…" : "Sending it…");
      one.kept = undefined;
      const form = new FormData();
      form.append("image", one.photo.file, "photo");
      try {
        const response = await fetch(`v1/corrections${query}`, { method: "POST", body: form });
        const answer = await response.json().catch(() => null);
        if (response.ok && answer) {
          one.kept = answer.kept ? wanted : null;
          put(one, answer.kept ? KEPT : "No longer kept.");
        } else {
          put(one, (answer && answer.message) || `The service failed (${response.status}).`);
        }
      } catch {
        put(one, "The service cannot be reached.");
      }
      draw();
    });
  }

  function draw() {
    const all = Array.from(records.values()).filter((one) => one.given).reverse();
    const counted = all.filter((one) => !one.photo.answer.learned_from);
    const right = counted.filter(isRight).length;
    const [low, high] = counted.length ? interval(right, counted.length) : [0, 1];
    const learned = all.length - counted.length;
    $("labels").hidden = !all.length;
    $("share").replaceChildren(
      ...(counted.length
        ? [
          make("strong", {}, `${right} of ${counted.length}`),
          ` answers are right: ${percent(right / counted.length)} (95 % interval ` +
          `${percent(low)} to ${percent(high)}).`,
        ]
        : ["No answer is counted yet."]),
      ...(learned ? [` ${learned} not counted: the model was trained on these photos.`] : []),
    );
    $("labelled").replaceChildren(...all.map(row));
  }

  function row(one) {
    const answer = one.photo.answer;
    const verdict = answer.learned_from ? "not counted" : isRight(one) ? "right" : "wrong";
    const said = one.said === null ? ["none of these kinds"] : named(one.said);
    const found = answer.predicted === null ? ["none of these"] : named(answer.predicted);
    const picture = one.photo.address
      ? [make("img", { src: one.photo.address, alt: "" })]
      : [make("span", { class: "blank" })];
    return make(
      "li",
      {},
      ...picture,
      make(
        "div",
        {},
        make("strong", { class: "name" }, make("bdi", {}, ...fileNamed(one.photo.name))),
        make("p", {}, "Answer: ", ...found, ". You said: ", ...said, "."),
      ),
      make("b", { class: `verdict ${verdict.replace(" ", "-")}` }, verdict),
      ...(typeof one.kept === "string" ? [make("small", {}, "kept")] : []),
    );
  }

  // Whoever agrees after labelling means these photos too; nothing was sent before.
  keeping?.addEventListener("change", () => {
    if (!agreed()) return;
    for (const one of records.values()) settle(one);
  });
  return { question };
})(globalThis.pageParts);
