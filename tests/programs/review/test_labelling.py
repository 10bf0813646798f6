"""`review` of photos that `select` chose: answers are saved, and at the end made class folders."""

import json
from http.client import HTTPConnection
from pathlib import Path

import pytest
from conftest import run_captured
from review_process import ReviewProcess, reviewing
from select_items import chosen

from components.common.pages import page
from programs.select.answers import Answers
from programs.select.selection import Selection

SECRET = "what is in no page"


def body(made: Selection, *labels: str) -> bytes:
    """Answers to the first photos, as the page sends them."""
    said = {photo.sha256: label for photo, label in zip(made.photos, labels, strict=False)}
    return json.dumps(Answers(said).to_json()).encode()


def ask(
    process: ReviewProcess, method: str, name: str, sent: bytes | None = None, etag: str = '""'
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and content of what the page itself is answered."""
    connection = HTTPConnection("127.0.0.1", process.port, timeout=30)
    origin = {"Origin": f"http://127.0.0.1:{process.port}", "If-Match": etag}
    headers = {**origin, "Content-Type": "application/json"} if sent is not None else {}
    connection.request(method, f"/{process.token}/{name}", sent, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


def test_answers_are_saved_and_become_class_folders_at_the_end(tmp_path: Path) -> None:
    home, into = tmp_path / "to-label", tmp_path / "mine"
    made = chosen(home, tmp_path / "photos")
    (home / "secret.html").write_text(SECRET)
    with reviewing(home, "--into", str(into)) as process:
        status, sent, content = ask(process, "GET", "")
        assert status == 200
        assert b"What do these photos show?" in content
        assert page.policy(content.decode()) in sent["Content-Security-Policy"]
        assert "connect-src 'self'" in sent["Content-Security-Policy"]
        for name in ("secret.html", "selection.json", made.photos[0].file, "curation.html"):
            assert ask(process, "GET", name)[0] == 404
        assert ask(process, "GET", "decisions")[2] == b"null"
        status, sent, _ = ask(process, "PUT", "decisions", body(made, "rose"))
        assert status == 204
        assert ask(process, "PUT", "decisions", body(made))[0] == 412  # of an earlier revision
        for wrong in (body(made, "../x"), b"{", b'{"format": "wild-mushrooms-decisions"}'):
            status, _, content = ask(process, "PUT", "decisions", wrong, sent["ETag"])
            assert status == 422
            assert b"is no file of answers" in content
        status, _, _ = ask(process, "PUT", "decisions", body(made, "rose", "oxeye"), sent["ETag"])
        assert status == 204
        assert not into.exists()
        ended, said = process.end()
    assert ended == 0
    assert f"2 photos labelled in {into}, 2 undecided:" in said
    assert f"make run IMAGES={into}" in said
    assert sorted(path.name for path in into.iterdir()) == ["oxeye", "rose"]
    saved = json.loads((home / "answers.json").read_text())
    assert saved == json.loads(body(made, "rose", "oxeye"))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("page", "has no label.html: run select again"),
        ("script", "was made by another version of this program"),
        ("answers", "is no file of answers"),
        ("selection", "selection.json"),
        ("run", "--into is for a folder that select wrote"),
    ],
)
def test_what_cannot_be_labelled_is_said(tmp_path: Path, what: str, message: str) -> None:
    home = tmp_path / "to-label"
    chosen(home, tmp_path / "photos")
    if what == "page":
        (home / "label.html").unlink()
    elif what == "script":
        text = (home / "label.html").read_text()
        (home / "label.html").write_text(text.replace("sha256-", "sha256-x", 2))
    elif what == "answers":
        (home / "answers.json").write_text("{}")
    elif what == "selection":
        text = (home / "selection.json").read_text()
        (home / "selection.json").write_text(text.replace("daisy", "lily"))
    else:
        home = tmp_path / "photos"
    command = (".venv/bin/python", "-m", "programs.review", str(home), "--into", "x")
    done = run_captured(*command)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
