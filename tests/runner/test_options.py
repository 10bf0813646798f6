"""What a run is asked for: and how it is handed over."""

from pathlib import Path

from components.runner.options import Request


def test_request_survives_its_file(tmp_path: Path) -> None:
    request = Request(tmp_path / "run", {"classes": ["ä", "b"], "seed": 3}, parallelism=1)
    request.write(tmp_path / "request.json")
    assert Request.read(tmp_path / "request.json") == request
