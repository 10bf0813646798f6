"""Every command of README.md and docs/ runs, or says what it needs and would be understood."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from itertools import islice
from pathlib import Path

import pytest
from conftest import ROOT
from docs_commands import STAYS, Command, commands, problem, without_comment

from components.common.base.files import default_cache_dir
from components.common.network.architecture import DEFAULT_ARCHITECTURE
from components.common.network.backbone import load_backbone
from components.download.sources import sample

pytestmark = pytest.mark.long

DOCUMENTS = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
NOT_HERE = ("make test", "make test-long")  # is what runs this
PICTURES = 24
CLASSES = ("fly agaric", "earthstar")
TIMEOUT_S = 600


class Reader:
    """Somebody who follows the documents in a fresh copy of the repository, with a few photos."""

    def __init__(self, copy: Path, home: Path, cache: Path) -> None:
        self.copy = copy
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "XDG_CACHE_HOME": str(cache),
            "COLUMNS": "120",
        }
        self._done: set[str] = set()

    def follow(self, command: Command) -> None:
        """Run a command; one that an earlier document has already had is not run again."""
        if command.text in self._done:
            return
        self._done.add(command.text)
        if command.stays:
            self._open(command)
            return
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", command.text],
            cwd=self.copy,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"

    def _open(self, command: Command) -> None:
        """Start a server on a free port, wait until it answers, and stop it."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            ["bash", "-c", command.text],
            cwd=self.copy,
            env={**self.environment, "PORT": str(port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                assert server.poll() is None, f"{command} ended"
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                        assert answer.status == 200
                        return
                except urllib.error.HTTPError as error:
                    # The review page is at an address with a secret, which only the terminal has.
                    if error.code != 404 or "review" not in command.text:
                        raise
                    return
                except (urllib.error.URLError, ConnectionError, TimeoutError):
                    time.sleep(0.3)
            pytest.fail(f"{command}: nothing answers")
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def write_photos(folder: Path, seed: int, count: int = PICTURES) -> list[Path]:
    """A folder of class folders."""
    written = []
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
        for picture in islice(sample.render_class(label, count, seed=seed), count):
            written.append(folder / label / picture.name)
            written[-1].write_bytes(picture.data)
    return written


def copy_of_the_repository(copy: Path) -> None:
    """A clone with what is changed here, and this environment as its own."""
    git = ["git", "-C", str(ROOT)]
    subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True, capture_output=True)
    changed = subprocess.run(
        [*git, "ls-files", "-z", "-m", "-o", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, changed.stdout.split("\0")):
        (copy / name).unlink(missing_ok=True)
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    # A folder of links, so that `make` finds its mark there and nothing of the environment changes.
    (copy / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name != ".installed":
            (copy / ".venv" / entry.name).symlink_to(entry)
    (copy / ".venv" / ".installed").touch()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """With the files that the documents speak of."""
    base = tmp_path_factory.mktemp("docs")
    copy, home, cache = base / "wild-mushrooms", base / "home", base / "cache"
    copy_of_the_repository(copy)
    own = default_cache_dir()
    load_backbone(DEFAULT_ARCHITECTURE, own)
    (cache / own.name).mkdir(parents=True)
    for folder in ("weights", "backbones"):
        (cache / own.name / folder).symlink_to(own / folder)
    photos = write_photos(home / "photos", seed=1)
    write_photos(home / "other-photos", seed=2, count=5)
    shutil.copytree(home / "photos", copy / "photos")
    for name in ("PHOTO", "photo.jpg"):
        shutil.copyfile(photos[0], copy / name)
    for name in ("retrained_graph.pb", "retrained_labels.txt"):
        (copy / name).symlink_to(Path("runs/latest/model") / name)
    (home / "Downloads").mkdir()
    decisions = {"format": "wild-mushrooms-decisions", "format_version": "1", "decisions": []}
    (home / "Downloads" / "decisions.json").write_text(json.dumps(decisions))
    return Reader(copy, home, cache)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_that_do_not_simply_run_say_what_they_need(document: str) -> None:
    silent = [
        f"{command} needs {command.needs}"
        for command in commands(ROOT / document, ROOT)
        if command.needs and not command.marked
    ]
    assert not silent
    unsaid = [
        str(command)
        for command in commands(ROOT / document, ROOT)
        if command.stays and not command.marked and STAYS not in command.comment
    ]
    assert not unsaid


@pytest.mark.parametrize("document", DOCUMENTS)
def test_targets_and_options_exist(document: str, reader: Reader) -> None:
    found = {
        str(command): said
        for command in commands(reader.copy / document, reader.copy)
        if (said := problem(command, reader.copy, reader.environment))
    }
    assert not found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_run(document: str, reader: Reader) -> None:
    for command in commands(reader.copy / document, reader.copy):
        if not (command.marked or command.needs or command.text in NOT_HERE):
            reader.follow(command)


def test_documents_have_commands_to_run() -> None:
    for document in ("README.md", "docs/tutorial.md", "docs/your-own-species.md"):
        listed = commands(ROOT / document, ROOT)
        assert len([command for command in listed if not command.needs]) >= 5, document


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("make no-such-target", "No rule to make target"),
        ("make run IMAGE=~/photos", "knows no IMAGE"),
        ("make run ARGS='--no_such_option 1'", "has no --no_such_option"),
        (".venv/bin/python -m components.curate --images a --no_such b", "has no --no_such"),
        ("no-such-program", "what is no-such-program"),
    ],
)
def test_what_would_not_be_understood_is_found(text: str, message: str, reader: Reader) -> None:
    command = Command("a.md", 1, text, "", False)
    assert message in problem(command, reader.copy, reader.environment)


def test_commands_are_read_as_a_shell_reads_them(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "```sh\nmake run \\\n    ARGS='--name \"#1\"'   # needs the internet\n# only words\n```\n"
        "```text\nnot a command\n```\n   ```sh\n   make test\n   ```\n"
    )
    first, second = commands(tmp_path / "a.md", tmp_path)
    assert first.text.split() == ["make", "run", "ARGS='--name", '"#1"\'']
    assert first.marked
    assert (second.text, second.line, second.marked) == ("make test", 10, False)
    assert without_comment("# all comment") == ("", "all comment")
