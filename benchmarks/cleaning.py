"""What do `clean` and `curate` find, beside CleanVision, imagededup and cleanlab?

`make bench-cleaning IMAGES=folder REPORTED=folder`: faults are planted in real photos with a fixed
seed. Thresholds were chosen on the first folder (flowers) and are reported on the second (fungi).
Each peer runs in a virtual environment of its own, on the same files, with its default settings.
Of these parts copies, labels and subject ask the network: `ARGS='--architecture efficientnet_lite0
--only copies,labels,subject'` measures another one.
"""

import argparse
import collections
import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import faults
from components.clean import quality
from components.clean.clean import judge
from components.clean.options import MIN_BYTES, CleanOptions
from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir
from components.common.base.step import run_command
from components.common.dataset.class_folders import class_files, list_classes
from components.common.dataset.copies import near_copies
from components.common.dataset.decisions import Decisions
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import DOUBTFUL_SUBJECT, NO_MUSHROOM, OTHER_CLASS
from components.common.network import backbone, bottlenecks
from components.common.network.architecture import DEFAULT_ARCHITECTURE
from components.common.network.bottlenecks import Bottlenecks
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.curate.options import Division
from components.curate.selection import select

PEERS = Path("build/peers")
PEER_SCRIPT = Path(__file__).with_name("cleaning_peers.py")
EACH = 40  # files of each kind of damage
SEEDS = 10
FOREIGN, WRONG = 25, 20  # photos planted for each seed
# What CleanVision calls the faults of `faults.LIGHT`, and what we call them.
THEIRS = {"dark": "dark", "bright": "light", "blurred": "blurry", "blank": "low_information"}
PARTS = ("files", "light", "copies", "labels", "subject")
HASHERS = ("PHash", "DHash", "AHash", "WHash")


@dataclass(frozen=True)
class Good:
    """A set of real photos: upright JPEGs without EXIF, and their classes."""

    name: str
    photos: tuple[bytes, ...]
    labels: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> "Good":
        """All photos of a folder of class folders."""
        photos, labels = [], []
        for label in list_classes(folder):
            for file in class_files(folder, label):
                photos.append(images.to_clean_jpeg(file.read_bytes()).data)
                labels.append(label)
        return cls(folder.name, tuple(photos), tuple(labels))


def peer(name: str, place: Path) -> Any:
    """The answer of a peer, or None where it is not installed."""
    python = PEERS / name.partition("-")[0] / "bin" / "python"
    if not python.exists():
        return None
    done = subprocess.run(
        [python, PEER_SCRIPT, name, place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def row(title: str, *cells: object) -> None:
    """Print one line of a table."""
    print(f"  {title:<30}" + "".join(f"{_cell(cell):>14}" for cell in cells), flush=True)


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-" if value is None else str(value)


def rejected(data: bytes) -> bool:
    """True where `clean` does not take a file, its size apart."""
    try:
        judge(data, CleanOptions(min_bytes=0))
    except BadPhoto:
        return True
    return False


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a new folder."""
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def compare_files(good: Good, work: Path) -> None:
    """Broken and unusual files, placeholders, and the good photos themselves."""
    draw = np.random.default_rng(0)
    chosen = [good.photos[row] for row in draw.permutation(len(good.photos))[:EACH]]
    files: dict[str, bytes] = {}
    for kind in (*faults.BROKEN, *faults.SOUND):
        few = 1 if "bomb" in kind else EACH
        for number, jpeg in enumerate(chosen[:few]):
            made = (
                faults.broken(jpeg, kind, draw)
                if kind in faults.BROKEN
                else faults.sound(jpeg, kind)
            )
            files[f"{kind.replace(' ', '-').replace(',', '')}~{number}.jpg"] = made
    if (placeholder := Path("../shared/photos/dirty/flickr-dummy-image.jpg")).is_file():
        for number, made in enumerate(faults.placeholders(placeholder.read_bytes())):
            files[f"placeholder~{number}.jpg"] = made
    folder = write(work / "files", files)
    ours = {name for name, data in files.items() if rejected(data)}
    theirs = peer("cleanvision-files", folder)
    vision = set(theirs["unreadable"]) if theirs else None
    theirs = peer("imagededup", folder)
    dedup = set(theirs["PHash"]["unreadable"]) if theirs else None
    print(f"\n{good.name}: files that are not taken, share of each kind")
    row("", "ours", "CleanVision", "imagededup")
    groups: dict[str, list[str]] = collections.defaultdict(list)
    for name in files:
        groups[name.partition("~")[0]].append(name)
    for kind, names in groups.items():
        row(kind, *(_share(found, names) for found in (ours, vision, dedup)))
    missed = [
        name
        for name in ((vision or set()) | (dedup or set())) - ours
        if not name.startswith(tuple(kind.replace(" ", "-") for kind in faults.SOUND))
    ]
    print(f"  broken files that a peer finds and ours does not: {len(missed)}")
    lost = [number for number, jpeg in enumerate(good.photos) if rejected(jpeg)]
    small = sum(len(jpeg) < MIN_BYTES for jpeg in good.photos)
    print(f"  good photos not taken: {len(lost)} of {len(good.photos)} ({small} below 20 KB)")


def compare_light(good: Good, work: Path) -> None:
    """Dark, bright, blurred and blank photos, and good ones that are called so."""
    draw = np.random.default_rng(1)
    files = {f"good~{number}.jpg": jpeg for number, jpeg in enumerate(good.photos)}
    for kind in faults.LIGHT:
        for number, jpeg in enumerate(good.photos):
            files[f"{kind}~{number}.jpg"] = faults.badly_lit(jpeg, kind, draw)
    ours: dict[str, set[str]] = collections.defaultdict(set)
    for name, jpeg in files.items():
        for flag in quality.flags(images.to_clean_jpeg(jpeg)):
            ours[flag].add(name)
    theirs = peer("cleanvision", write(work / "light", files))
    print(f"\n{good.name}: flagged as such; good photos flagged so in brackets")
    row("", "ours", "CleanVision")
    for kind in faults.LIGHT:
        names = [name for name in files if name.startswith(f"{kind}~")]
        clean = [name for name in files if name.startswith("good~")]
        cells = [f"{_share(ours[kind], names):.3f} ({_share(ours[kind], clean):.3f})"]
        if theirs:
            found = {name for name, kinds in theirs["issues"].items() if THEIRS[kind] in kinds}
            cells.append(f"{_share(found, names):.3f} ({_share(found, clean):.3f})")
        row(kind, *cells)


def compare_copies(
    good: Good, network: backbone.Backbone, kinds: Sequence[str], work: Path
) -> None:
    """Copies of every photo in many ways, and photos that are taken for another one's copy."""
    files = {f"{number}~original.jpg": jpeg for number, jpeg in enumerate(good.photos)}
    for kind in kinds:
        for number, jpeg in enumerate(good.photos):
            files[f"{number}~{kind}.jpg"] = faults.copy(jpeg, kind)
    names = list(files)
    vectors = features(network, files.values())
    found: dict[str, Any] = {"ours": []}
    # One way at a time: an original with twenty copies would have the others help to find each.
    for kind in kinds:
        rows = [
            row
            for row, name in enumerate(names)
            if name.endswith(("~original.jpg", f"~{kind}.jpg"))
        ]
        pairs = near_copies(
            vectors.fingerprints_of(np.array(rows)),
            vectors.vectors[rows],
            vectors.family,
            vectors.key.views,
        )
        found["ours"] += [(names[rows[a]], names[rows[b]]) for a, b in pairs]
    folder = write(work / "copies", files)
    if theirs := peer("cleanvision", folder):
        found["CleanVision"] = theirs["pairs"]
    if theirs := peer("imagededup", folder):
        found |= {name: theirs[name]["pairs"] for name in HASHERS}
    print(f"\n{good.name}: copies found with their original; photos wrongly paired")
    row("", *found)
    sets = [{frozenset(pair) for pair in pairs} for pairs in found.values()]
    for kind in kinds:
        wanted = [
            frozenset((f"{number}~original.jpg", f"{number}~{kind}.jpg"))
            for number in range(len(good.photos))
        ]
        row(kind, *(float(np.mean([pair in every for pair in wanted])) for every in sets))
    wrong = [
        {
            name
            for pair in every
            if len({one.partition("~")[0] for one in pair}) > 1
            for name in pair
        }
        for every in sets
    ]
    row("wrongly paired", *(len(some) / len(files) for some in wrong))


def features(network: backbone.Backbone, jpegs: Iterable[bytes]) -> Bottlenecks:
    """Bottlenecks of photos, numbered as they come."""
    photos = ((Photo("x", sha256=str(number)), jpeg) for number, jpeg in enumerate(jpegs))
    return bottlenecks.compute(network, photos)


def outcomes(
    vectors: Bottlenecks, labels: Sequence[str]
) -> tuple[list[str], list[tuple[str, ...]]]:
    """What `curate` would do: the reason and the flags of each photo."""
    photos = [
        Photo(
            label,
            path=f"{label}/{name}",
            sha256=name,
            # The rank of a group decides its part; a plain number would rank the kinds in a row.
            source_sha256=f"{label} {name}",
            width=500,
            height=500,
            phash="0" * 16,
        )
        for label, name in zip(labels, vectors.sha256, strict=True)
    ]
    selected = select(photos, vectors, Division(), {}, Decisions()).photos
    judged = [selected[photo.label, photo.path].photo for photo in photos]
    return [photo.reason for photo in judged], [photo.flags for photo in judged]


def foreign(good: Good, others: Good, network: backbone.Backbone) -> None:
    """Photos of something else under the labels of fungi."""
    vectors = features(network, (*good.photos, *others.photos))
    names = sorted(set(good.labels))
    first = len(good.photos)
    counts: dict[str, list[float]] = collections.defaultdict(list)
    for seed in range(SEEDS):
        draw = np.random.default_rng(seed)
        planted = first + draw.choice(len(others.photos), FOREIGN, replace=False)
        rows = [*range(first), *planted.tolist()]
        labels = [*good.labels, *draw.choice(names, FOREIGN).tolist()]
        reasons, flags = outcomes(_taken(vectors, rows), labels)
        for name, part in (("planted", slice(first, None)), ("good", slice(first))):
            out = [reason == NO_MUSHROOM for reason in reasons[part]]
            doubted = [
                reason in (NO_MUSHROOM, OTHER_CLASS)
                or bool({DOUBTFUL_SUBJECT, OTHER_CLASS} & set(flag))
                for reason, flag in zip(reasons[part], flags[part], strict=True)
            ]
            gone = [reason in (NO_MUSHROOM, OTHER_CLASS) for reason in reasons[part]]
            counts[f"{name} out"].append(float(np.mean(out)))
            counts[f"{name} gone"].append(float(np.mean(gone)))
            counts[f"{name} doubted"].append(float(np.mean(doubted)))
    print(f"\n{FOREIGN} of the {others.name} among the {good.name}, {SEEDS} seeds: mean (least)")
    row("", "planted", "good photos")
    for kind, meaning in (
        ("out", "left out of every part"),
        ("gone", "or out of the training part"),
        ("doubted", "or flagged for a person"),
    ):
        found, lost = counts[f"planted {kind}"], counts[f"good {kind}"]
        row(meaning, f"{np.mean(found):.3f} ({min(found):.2f})", float(np.mean(lost)))


def wrong_labels(good: Good, network: backbone.Backbone, work: Path) -> None:
    """Photos under the label of another class."""
    vectors = features(network, good.photos)
    names = sorted(set(good.labels))
    counts: dict[str, list[float]] = collections.defaultdict(list)
    for seed in range(SEEDS):
        draw = np.random.default_rng(seed)
        labels = np.array([names.index(label) for label in good.labels])
        moved = draw.choice(len(labels), WRONG, replace=False)
        labels[moved] = (labels[moved] + draw.integers(1, len(names), WRONG)) % len(names)
        wrong = np.isin(np.arange(len(labels)), moved)
        reasons, flags = outcomes(vectors, [names[label] for label in labels])
        dropped = np.array([reason in (NO_MUSHROOM, OTHER_CLASS) for reason in reasons])
        suspect = dropped | np.array([OTHER_CLASS in flag for flag in flags])
        np.savez(work / "labels.npz", features=vectors.vectors, labels=labels)
        answers = {"dropped": dropped, "suspected": suspect}
        if theirs := peer("cleanlab", work / "labels.npz"):
            answers["cleanlab"] = np.isin(np.arange(len(labels)), theirs["rows"])
        for name, answer in answers.items():
            counts[f"{name} found"].append(float(answer[wrong].mean()))
            counts[f"{name} good"].append(float(answer[~wrong].mean()))
    print(f"\n{good.name}, {WRONG} of {len(good.labels)} under a wrong label, {SEEDS} seeds")
    row("", "found", "good photos")
    for name, meaning in (
        ("suspected", "ours: left out or flagged"),
        ("dropped", "ours: left out (training part)"),
        ("cleanlab", "cleanlab, same features"),
    ):
        if counts[f"{name} found"]:
            row(
                meaning, *(float(np.mean(counts[f"{name} {which}"])) for which in ("found", "good"))
            )


def _taken(vectors: Bottlenecks, rows: Sequence[int]) -> Bottlenecks:
    return Bottlenecks(
        tuple(vectors.sha256[row] for row in rows),
        vectors.vectors[rows],
        vectors.scores[rows],
        vectors.fingerprints[rows],
        vectors.key,
    )


def _share(found: set[str] | None, names: Sequence[str]) -> float | None:
    return None if found is None else len(found & set(names)) / len(names)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cleaning", description=__doc__)
    parser.add_argument("chosen", type=Path, help="folder of class folders: thresholds' own photos")
    parser.add_argument("reported", type=Path, help="folder of class folders of fungi")
    parser.add_argument("--architecture", default=DEFAULT_ARCHITECTURE)
    parser.add_argument(
        "--kinds",
        default=",".join(faults.COPIES),
        help="of copies, with commas (default: all, %(default)s)",
    )
    parser.add_argument(
        "--only",
        default=",".join(PARTS),
        help=f"parts of the report, with commas (default: all, {','.join(PARTS)})",
    )
    parser.add_argument("--views", type=int, default=1, help="of a photo (default: %(default)s)")
    run_command("cleaning", parser, _command)


def _command(options: argparse.Namespace) -> None:
    parts, kinds = options.only.split(","), options.kinds.split(",")
    for option, given, known in (("only", parts, PARTS), ("kinds", kinds, faults.COPIES)):
        if strange := set(given) - set(known):
            raise InputError(
                f"--{option} names {', '.join(strange)}: expected some of {', '.join(known)}"
            )
    network = backbone.load_backbone(options.architecture, default_cache_dir(), views=options.views)
    chosen, reported = Good.read(options.chosen), Good.read(options.reported)
    for good, meaning in ((chosen, "thresholds chosen here"), (reported, "reported")):
        print(f"\n=== {good.name}: {len(good.photos)} photos ({meaning})")
        with tempfile.TemporaryDirectory() as work:
            if "files" in parts:
                compare_files(good, Path(work))
            if "light" in parts:
                compare_light(good, Path(work))
            if "copies" in parts:
                compare_copies(good, network, kinds, Path(work))
            if "labels" in parts:
                wrong_labels(good, network, Path(work))
    if "subject" in parts:
        foreign(reported, chosen, network)


if __name__ == "__main__":
    main()
