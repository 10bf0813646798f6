// What the page is made of: elements, words, and the panel of one answer.
const $ = (id) => document.getElementById(id);

function make(tag, attributes, ...children) {
  const spaces = { svg: "http://www.w3.org/2000/svg", rect: "http://www.w3.org/2000/svg" };
  const made = spaces[tag]
    ? document.createElementNS(spaces[tag], tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
// A class's name as it is in files, with a place to break after each "_".
function named(label) {
  return label.split(/(_)/).flatMap((part) => part === "_" ? ["_", make("wbr", {})] : [part]);
}
// A file's name with a place to break after each "_" and before its ending.
function fileNamed(name) {
  const end = name.lastIndexOf(".");
  if (end < 1) return named(name);
  return [...named(name.slice(0, end)), make("wbr", {}), name.slice(end)];
}
function percent(share) {
  const whole = Math.round(100 * share);
  if (whole === 0 && share > 1e-9) return "under 1\u00a0%";
  if (whole === 100 && share < 1 - 1e-9) return "over 99\u00a0%";
  return whole + "\u00a0%";
}

// One answer: a panel with pictures and words, and the photos that look like it.
function answerPanel(photo) {
  const answer = photo.answer;
  const caution = $("ask").dataset.caution;
  const top = answer.probabilities[0];
  const closest = answer.closest;
  const unsure = !answer.unknown && top.probability < 0.5;
  const kinds = answer.model.classes.length;
  const kicker = answer.unknown
    ? "Probably"
    : unsure
    ? "Not sure, perhaps"
    : "The program takes it for";
  const title = make(
    photo.alone ? "h2" : "h3",
    { id: photo.titleId, class: "title", tabindex: "-1" },
    ...(answer.unknown ? ["None of these"] : named(closest)),
  );
  const own = answer.dangers.find((one) => one.label === answer.predicted);
  if (own) title.append(` (${own.edibility})`);
  const share = percent(top.probability);
  const lead = answer.unknown
    ? [
      `It looks like none of the ${kinds} kinds that the program knows. It would be closest to `,
      ...named(closest),
      ".",
    ]
    : unsure
    ? [`Only ${share} probable: it could well be another of the ${kinds} kinds.`]
    : [
      share[0].toUpperCase(),
      `${share.slice(1)} probable among the ${kinds} kinds that it knows.`,
    ];
  const words = make(
    "div",
    {},
    make("p", { class: "kicker" }, kicker),
    title,
    make("p", {}, ...lead),
    ...unstated(answer),
    ...dangers(answer),
    bars(answer),
    ...familiarity(answer),
    ...(answer.learned_from
      ? [make(
        "p",
        { class: "notice", role: "note" },
        "The model was trained on this photo: its answer does not show how good it is. Try a " +
          "photo that it never saw.",
      )]
      : []),
    ...(caution ? [make("p", { class: "notice alarm", role: "note" }, caution)] : []),
  );
  const pictures = make("div", { class: "pictures" });
  if (answer.activation_map) {
    pictures.append(
      figure(
        answer.activation_map,
        `Your photo, dimmed where it does not speak for ${closest}`,
        "Where it looked: what is bright, within the yellow line, speaks for ",
        ...named(closest),
        ".",
      ),
    );
  }
  if (photo.address) pictures.append(figure(photo.address, "Your photo", ...fileNamed(photo.name)));
  const first = pictures.querySelector("img");
  first?.addEventListener("load", () => {
    pictures.classList.toggle("narrow", first.naturalWidth < 1.2 * first.naturalHeight);
  });
  return make(
    "div",
    { class: answer.unknown ? "panel answer none" : "panel answer" },
    pictures,
    words,
  );
}

function figure(source, alt, ...caption) {
  const picture = make("img", { src: source, alt: alt });
  const made = make(
    "figure",
    {},
    make("div", { class: "frame" }, picture),
    make("figcaption", {}, ...caption),
  );
  // A photo that this browser cannot show, but the service can read: HEIC and TIFF in most.
  picture.addEventListener("error", () => made.remove());
  return made;
}

function bars(answer) {
  const list = make("ul", {
    class: "bars",
    "aria-label": answer.unknown ? "Probabilities of the closest classes" : "Probabilities",
  });
  for (const one of answer.probabilities) {
    const bar = make(
      "svg",
      { "aria-hidden": "true" },
      make("rect", { width: (100 * one.probability).toFixed(1) + "%", height: "9" }),
    );
    list.append(
      make(
        "li",
        {},
        make("span", { class: "label" }, ...named(one.label)),
        make("b", {}, percent(one.probability)),
        bar,
      ),
    );
  }
  if (!answer.unknown) return list;
  return make("div", {}, make("p", { class: "kicker" }, "Closest classes:"), list);
}

// Of some classes it is stated that they are dangerous: of this one nothing is, which makes it no
// harmless one.
function unstated(answer) {
  const silent = JSON.parse($("known").dataset.unstated);
  if (!silent.includes(answer.predicted)) return [];
  const words = " is dangerous is not stated here: it may be deadly.";
  return [
    make(
      "p",
      { class: "notice alarm", role: "note" },
      "Whether ",
      ...named(answer.predicted),
      words,
    ),
  ];
}

// Dangerous kinds beside the answer. That there are none is not said: it would not make it safe to eat.
function dangers(answer) {
  const others = answer.dangers.filter((one) => one.label !== answer.predicted);
  if (!others.length) return [];
  const said = others.slice(0, 5).flatMap((one, place) => [
    place ? ", or " : "",
    make("strong", {}, ...named(one.label), ` (${one.edibility})`),
    `, ${percent(one.probability)}`,
  ]);
  const more = others.length > 5 ? `, or ${others.length - 5} more` : "";
  return [
    make("p", { class: "notice alarm", role: "note" }, "It could also be ", ...said, more, "."),
  ];
}

function familiarity(answer) {
  const share = answer.familiarity;
  if (share === null) return [];
  const stranger = percent(1 - share);
  if (answer.unknown) {
    const whom = share ? `${stranger} of the known photos` : "every known photo";
    return [make("p", {}, `It looks more unusual than ${whom} of these kinds.`)];
  }
  if (share >= 0.99) {
    return [make("p", {}, "The photo looks as familiar as the most typical ones of these kinds.")];
  }
  return [
    make(
      "p",
      {},
      share < 0.25
        ? `The photo looks unusual for these kinds: ${stranger} of their photos look more familiar.`
        : `The photo looks familiar: ${
          percent(share)
        } of the photos of these kinds look more unusual.`,
    ),
  ];
}

function alike(photos, alone) {
  const list = make("ul", { class: "cards tiles dense alike" });
  for (const one of photos) {
    const source = make("p", { class: "source" });
    const known = [];
    if (one.author) known.push(["by ", make("bdi", {}, one.author)]);
    if (one.licence) known.push([link(one.licence_url, one.licence)]);
    if (one.source_page) known.push([link(one.source_page, hostOf(one.source_page))]);
    known.forEach((parts, place) => source.append(...(place ? [" · "] : []), ...parts));
    source.hidden = !known.length;
    list.append(
      make(
        "li",
        { class: "card" },
        make("img", { src: one.thumbnail, alt: `A photo of the class ${one.label}` }),
        make("div", {}, make("strong", { class: "label" }, ...named(one.label)), source),
      ),
    );
  }
  const words = "Photos that look like it ";
  const small = make("small", {}, "among its training photos, most similar first");
  return alone
    ? [make("h2", {}, words, small), list]
    : [make("details", {}, make("summary", {}, words, small), list)];
}

function hostOf(address) {
  try {
    return new URL(address).hostname;
  } catch {
    return address;
  }
}

function link(address, text) {
  if (!/^https?:/.test(address)) return text;
  return make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, text);
}

// What the two other scripts take from this one.
globalThis.pageParts = { $, make, named, fileNamed, percent, answerPanel, alike };
