"""What examples of the Python API need around them: a finished run, and a photo."""

from pathlib import Path

from conftest import Run


def place_with_run(folder: Path, run: Run) -> Path:
    """A folder as a reader of docs/python.md has it: runs/latest, and photo.jpg, a fly agaric."""
    from components.common.dataset.dataset import Dataset

    (folder / "runs").mkdir()
    (folder / "runs" / "latest").symlink_to(run.directory)
    demo = Dataset(run.directory / "demo")
    photo = next(photo for photo in demo.photos if photo.label == "fly agaric")
    (folder / "photo.jpg").write_bytes(demo.read(photo))
    return folder
