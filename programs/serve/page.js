// Photos in, one after another; a card for each, or a message.
(({ $, make, answerPanel, alike }, labels) => {
  const ask = $("ask"), status = $("status"), problem = $("problem"), result = $("result");
  const limits = ask.dataset;
  const SMALL_SIDE = 640; // pixels
  let running = null;
  let photos = 0; // since the page was opened

  // A small copy to show, "" of a photo that this browser cannot read. Twenty whole ones would fill
  // a phone's memory.
  async function small(file) {
    try {
      const picture = await createImageBitmap(file);
      const scale = Math.min(1, SMALL_SIDE / Math.max(picture.width, picture.height));
      const canvas = make("canvas", {
        width: Math.max(1, Math.round(scale * picture.width)),
        height: Math.max(1, Math.round(scale * picture.height)),
      });
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      picture.close();
      return canvas.toDataURL("image/jpeg", 0.85);
    } catch {
      return "";
    }
  }

  function complain(message, again) {
    status.replaceChildren();
    problem.replaceChildren(make("p", {}, message));
    if (again) problem.append(retry(() => lookAtAll([again])));
    problem.scrollIntoView({ block: "nearest" });
  }

  function retry(work) {
    const button = make("button", { type: "button" }, "Try again");
    button.addEventListener("click", work);
    return button;
  }

  function describe(file, alone, place) {
    photos += 1;
    return {
      file,
      alone,
      number: photos,
      name: file.name || "pasted photo",
      // The same file chosen again is the same photo.
      key: `${file.name}/${file.size}/${file.lastModified}`,
      titleId: place ? `species-${place + 1}` : "species",
      address: "",
      answer: null,
      message: "",
      again: false,
    };
  }

  // Ask about one photo; afterwards it has an answer, or a message.
  async function look(photo, mine, said) {
    const { file } = photo;
    Object.assign(photo, { answer: null, message: "", again: false });
    if (file.size > Number(limits.maxBytes)) {
      photo.message = `This file has ${(file.size / 1048576).toFixed(1)} MB. At most ` +
        `${limits.maxMb} MB are taken: send a smaller copy of the photo.`;
      return;
    }
    status.replaceChildren(make("span", { class: "wheel" }), make("span", {}, said));
    if (photo.alone) status.scrollIntoView({ block: "nearest" });
    if (!photo.alone) {
      const stop = make("button", { type: "button" }, "Stop");
      stop.addEventListener("click", () => mine.abort("stop"));
      status.append(stop);
    }
    const asked = new AbortController();
    const end = () => asked.abort();
    mine.signal.addEventListener("abort", end);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      asked.abort();
    }, 1000 * Number(limits.timeoutS));
    try {
      photo.address ||= await small(file);
      if (mine.signal.aborted) return;
      if (photo.address) {
        status.firstChild.after(make("img", { src: photo.address, alt: "" }));
      }
      const form = new FormData();
      form.append("image", file, "photo");
      const response = await fetch("v1/predict?top_k=5&activation=true&similar=6", {
        method: "POST",
        body: form,
        signal: asked.signal,
      });
      const answer = await response.json().catch(() => null);
      if (response.ok && answer) photo.answer = answer;
      else {
        const told = answer && answer.message;
        photo.message = told || `The service answered with an error (${response.status}).`;
        photo.again = response.status >= 500;
      }
    } catch {
      photo.message = late
        ? "The answer takes too long. Is the connection slow?"
        : "The service cannot be reached. Is it still running?";
      photo.again = true;
    } finally {
      clearTimeout(timer);
      mine.signal.removeEventListener("abort", end);
    }
  }

  async function lookAtAll(files) {
    if (running) running.abort();
    const mine = running = new AbortController();
    const most = Number(limits.mostPhotos);
    const alone = files.length === 1;
    problem.replaceChildren();
    result.hidden = true;
    result.replaceChildren();
    const chosen = files.slice(0, most).map((file, place) => describe(file, alone, place));
    if (alone) {
      await look(chosen[0], mine, "Looking at your photo…");
      if (mine === running) showOne(chosen[0]);
      return;
    }
    const title = make("h2", { id: "summary", tabindex: "-1" }, `${chosen.length} photos`);
    const notes = make("p", { class: "muted" });
    if (files.length > most) {
      notes.textContent = `${files.length} photos were chosen, and ${most} are taken at a time: ` +
        "choose the others afterwards.";
    }
    result.replaceChildren(title, notes);
    result.setAttribute("aria-labelledby", "summary");
    result.hidden = false;
    let done = 0;
    for (const [place, photo] of chosen.entries()) {
      await look(photo, mine, `Looking at photo ${place + 1} of ${chosen.length}: ${photo.name}`);
      if (mine !== running) return;
      if (mine.signal.aborted) break;
      done += 1;
      result.append(card(photo));
    }
    status.replaceChildren();
    const bad = chosen.slice(0, done).filter((photo) => !photo.answer).length;
    title.textContent = `${done} photos` + (bad ? `, ${bad} without an answer` : "") +
      (done < chosen.length ? `; stopped before the other ${chosen.length - done}` : "");
    title.focus({ preventScroll: true });
    result.scrollIntoView({ block: "start" });
  }

  function showOne(photo) {
    if (!photo.answer) {
      complain(photo.message, photo.again && photo.file);
      return;
    }
    status.replaceChildren();
    result.replaceChildren(card(photo));
    result.setAttribute("aria-labelledby", "species");
    result.hidden = false;
    $("species").focus({ preventScroll: true });
    result.scrollIntoView({ block: "start" });
  }

  // One photo among the results. What is not alone has its name above it.
  function card(photo) {
    const made = make("article", { class: "photo" });
    if (photo.answer) made.setAttribute("aria-labelledby", photo.titleId);
    else made.setAttribute("aria-label", photo.name);
    if (!photo.alone) made.append(make("p", { class: "name" }, make("bdi", {}, photo.name)));
    if (!photo.answer) {
      const told = make("div", { class: "failed" }, make("p", {}, photo.message));
      if (photo.again) told.append(retry(() => again(photo, made)));
      made.append(told);
      return made;
    }
    made.append(answerPanel(photo), labels.question(photo));
    if (photo.answer.similar.length) made.append(...alike(photo.answer.similar, photo.alone));
    return made;
  }

  // Ask once more about one of several photos.
  async function again(photo, shown) {
    if (running) running.abort();
    const mine = running = new AbortController();
    await look(photo, mine, `Looking at ${photo.name}`);
    if (mine !== running) return;
    status.replaceChildren();
    if (!mine.signal.aborted) shown.replaceWith(card(photo));
  }

  // The photos among files, or all where none says that it is one.
  function begin(list, otherwise) {
    const files = Array.from(list);
    const pictures = files.filter((one) => one.type.startsWith("image/"));
    if (files.length) lookAtAll(files.length > 1 && pictures.length ? pictures : files);
    else complain(otherwise);
  }

  for (const [button, input] of [["choose", "file"], ["take", "camera"]]) {
    $(button).addEventListener("click", () => $(input).click());
    $(input).addEventListener("change", (event) => {
      const files = Array.from(event.target.files);
      if (files.length) lookAtAll(files);
      event.target.value = ""; // the same photo can be chosen again
    });
  }
  document.addEventListener("paste", (event) => {
    begin(
      event.clipboardData.files,
      "There is no photo in what was pasted. Copy the picture itself, not its address.",
    );
  });
  let inside = 0;
  const mark = () => document.body.classList.toggle("dragging", inside > 0);
  document.addEventListener("dragenter", (event) => {
    event.preventDefault();
    inside += 1;
    mark();
  });
  document.addEventListener("dragleave", () => {
    inside -= 1;
    mark();
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    mark();
    begin(
      event.dataTransfer.files,
      "That was no photo file. Save the picture first, then drop the file here.",
    );
  });
  if (navigator.maxTouchPoints) {
    $("take").hidden = false;
    $("lead").textContent = ask.dataset.invitation;
  }
  $("origin").textContent = location.href.replace(/[/#?]*$/, "");
})(globalThis.pageParts, globalThis.photoLabels);
