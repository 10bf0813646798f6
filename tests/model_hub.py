"""A small stand-in for the Hugging Face Hub: takes one repository's upload, and gives it out again.

The real Hub cannot be reached from tests. What it answers is as `huggingface_hub` asks for it; the
rules for a card's head are those of the Hub's specification (huggingface/hub-docs, modelcard.md).
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

COMMIT = "c" * 40
TEXTS = ("model_name", "pipeline_tag", "library_name", "license", "license_name", "license_link")


def problems(card: str) -> list[str]:
    """What is wrong with the head of a card."""
    head = card.split("---\n")[1] if card.startswith("---\n") else ""
    content = yaml.safe_load(head)
    if not isinstance(content, dict):
        return ["there is no head"]
    found = [f"{name} is no text" for name in TEXTS if not isinstance(content.get(name, ""), str)]
    if content.get("license") == "other":
        link = content.get("license_link", "")
        if not content.get("license_name"):
            found.append("license_name is missing")
        if link not in ("LICENSE", "LICENSE.md") and not link.startswith("https://"):
            found.append("license_link is neither LICENSE, LICENSE.md nor an address")
    for result in content["model-index"][0]["results"] if "model-index" in content else ():
        needed = [result["task"]["type"], *(result["dataset"][key] for key in ("type", "name"))]
        needed += [metric[key] for metric in result["metrics"] for key in ("type", "value")]
        if not all(isinstance(value, str | int | float) for value in needed):
            found.append("a result is incomplete")
    return found


class Hub:
    """The server's content.

    Attributes:
        address: as `HF_ENDPOINT` takes it.
        files: of the repository, by path.
        tokens: headers of authorization that came.
    """

    def __init__(self) -> None:
        self.address = ""
        self.files: dict[str, bytes] = {}
        self.tokens: list[str] = []

    def take(self, path: str, body: bytes) -> tuple[int, Any]:
        """The answer to a POST."""
        if path.startswith("/api/validate-yaml"):
            found = problems(json.loads(body)["content"])
            errors = [{"message": message} for message in found]
            return (400 if found else 200), {"errors": errors, "warnings": []}
        if path.startswith("/api/repos/create"):
            asked = json.loads(body)
            owner = asked.get("organization") or "you"
            name = f"{owner}/{asked['name'].rpartition('/')[2]}"
            return 200, {"url": f"{self.address}/{name}", "name": name, "id": "0"}
        if "/preupload/" in path:
            names = [file["path"] for file in json.loads(body)["files"]]
            return 200, {
                "files": [
                    {"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names
                ]
            }
        if "/commit/" in path:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    data = base64.b64decode(entry["value"]["content"])
                    self.files[entry["value"]["path"]] = data
            return 200, {"commitOid": COMMIT, "commitUrl": f"{self.address}/you/m/commit/{COMMIT}"}
        return 404, {"error": path}

    def info(self, name: str) -> dict[str, Any]:
        """What the Hub says of a repository."""
        siblings = [{"rfilename": path} for path in sorted(self.files)]
        return {
            **{"_id": "0", "id": name, "sha": COMMIT, "private": False, "tags": []},
            **{"downloads": 0, "likes": 0, "siblings": siblings, "gated": False},
        }


@contextmanager
def running() -> Iterator[Hub]:
    """A hub on this machine while the block lasts."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hub.tokens.append(self.headers.get("Authorization", ""))
            status, content = hub.take(self.path, body)
            self._answer(status, json.dumps(content).encode())

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if "/resolve/" in path:
                name = path.partition("/resolve/")[2].partition("/")[2]
                if name in hub.files:
                    return self._answer(200, hub.files[name])
                return self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})
            parts = path.split("/")
            if parts[1:3] == ["api", "models"] and "tree" in parts:
                tree = [
                    {"type": "file", "path": name, "size": len(data), "oid": _digest(data)}
                    for name, data in sorted(hub.files.items())
                ]
                return self._answer(200, json.dumps(tree).encode())
            if parts[1:3] == ["api", "models"] and hub.files:
                return self._answer(200, json.dumps(hub.info("/".join(parts[3:5]))).encode())
            return self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

        def do_HEAD(self) -> None:
            self.do_GET()

        def _answer(
            self, status: int, content: bytes, headers: "dict[str, str] | None" = None
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{_digest(content)}"')
            self.send_header("X-Repo-Commit", COMMIT)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _digest(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
