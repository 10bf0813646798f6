"""Credentials are planted wherever a run takes them, and none is in anything that it leaves."""

import base64
import csv
import io
import json
import secrets
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from canaries import canary, found_in_files, found_in_text, watched_arguments
from conftest import ROOT, SMALL_ARCHITECTURE, Run, run_captured, run_pipeline
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from object_stores import S3_VARIABLES, download_folder, google_emulator, seaweedfs
from photo_server import Answer, PhotoServer, redirect, serve

from components.common.dataset.dataset import Dataset
from components.download.sources import sample

LABELS = ("earthstar", "fly agaric")
PER_CLASS = 20


@dataclass(frozen=True)
class Planted:
    """A finished run, the secrets that were planted, and what it left besides its folder."""

    run: Run
    canaries: dict[str, str]
    folder: Path  # runs, cache, published model, compiled pipelines
    arguments: list[bytes]
    server: PhotoServer
    said: str


def service_account(folder: Path, secret: str) -> Path:
    """A file as GOOGLE_APPLICATION_CREDENTIALS names it: a real key, and words to look for."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    content = {
        "type": "service_account",
        "project_id": "test",
        "private_key_id": secret,
        "private_key": pem,
        "client_email": "run@test.iam.gserviceaccount.com",
        "token_uri": "http://127.0.0.1:9/token",
    }
    (folder / "account.json").write_text(json.dumps(content))
    return folder / "account.json"


def url_list(server: PhotoServer, paths: list[str], planted: dict[str, str]) -> str:
    """Signed addresses, one with a password, and some that cannot be had, as a csv file."""
    signed = quote(planted["signature"], safe="")
    query = f"size=large&X-Amz-Credential={quote(planted['credential'], safe='')}"
    query += f"&X-Amz-Signature={signed}"
    host = server.address.partition("://")[2]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["url", "label", "licence", "source_page", "observation"])
    for path in paths:
        label = path.split("/")[1].replace("_", " ")
        url = f"{server.address}{path}?{query}"
        writer.writerow([url, label, "CC0", f"https://example.org{path}?token={signed}", url])
    label = LABELS[0]
    writer.writerow([f"{server.address}/gone.jpg?{query}", label, "CC0", "", ""])
    writer.writerow([f"{server.address}/moved.jpg?{query}", label, "CC0", "", ""])
    writer.writerow([f"https://127.0.0.2/closed.jpg?sig={signed}", label, "CC0", "", ""])
    password = quote(planted["password"], safe="")
    writer.writerow([f"http://me:{password}@{host}/1.jpg", label, "CC0", "", ""])
    writer.writerow([f"http://me:{planted['password']}@{host}/2.jpg", label, "CC0", "", ""])
    return text.getvalue()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, backbone_cache: Path) -> Planted:
    """One run that reads its list from one store and publishes into the other."""
    places = ("left", "s3", "gs", "private")
    left, s3, gs, private = (tmp_path_factory.mktemp(name) for name in places)
    names = ("signature", "credential", "password", "proxy", "google", "kfp", "cookie", "index")
    canaries = {name: canary() for name in names}
    canaries |= {"s3 id": S3_VARIABLES["AWS_ACCESS_KEY_ID"]}
    canaries |= {"s3 secret": S3_VARIABLES["AWS_SECRET_ACCESS_KEY"]}
    pictures = {
        f"/{label.replace(' ', '_')}/{number}.jpg": picture.data
        for label in LABELS
        for number, picture in enumerate(sample.render_class(label, PER_CLASS))
        if picture.fault is None
    }

    def behave(path: str, _: int) -> Answer:
        place, _, query = path.partition("?")
        if place == "/moved.jpg":
            return redirect(f"/nowhere.jpg?{query}")
        return Answer(pictures[place]) if place in pictures and query else Answer(status=404)

    account = service_account(private, canaries["google"])
    canaries["google key"] = json.loads(account.read_text())["private_key"].splitlines()[5]
    escaped = {name: quote(value, safe="") for name, value in canaries.items()}
    (left / "cache").mkdir()
    for folder in ("weights", "backbones"):
        (left / "cache" / folder).symlink_to((backbone_cache / folder).resolve())
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        patched.setenv("HTTPS_PROXY", f"http://me:{escaped['proxy']}@127.0.0.1:9")
        patched.setenv("PIP_INDEX_URL", f"https://me:{escaped['index']}@127.0.0.1:9/simple")
        patched.setenv("MUSHROOM_KFP_TOKEN", canaries["kfp"])
        patched.setenv("MUSHROOM_KFP_COOKIE", canaries["cookie"])
        with seaweedfs(s3) as readable, google_emulator(gs) as writable, serve(behave) as server:
            readable.put("list.csv", url_list(server, list(pictures), canaries).encode())
            with watched_arguments() as arguments:
                run = run_pipeline(
                    left / "runs",
                    left / "cache",
                    *("--url_list", f"{readable.prefix}/list.csv"),
                    *("--allow_private_hosts", "localhost,127.0.0.2", "--name", "planted"),
                    *("--architecture", SMALL_ARCHITECTURE, "--how_many_training_steps", "200"),
                    *("--min_accuracy", "0", "--publish_dir", f"{writable.prefix}/models"),
                )
                compiling = ["compile", "--output_dir", str(left / "compiled")]
                compiled = run_captured(sys.executable, str(ROOT / "pipeline.py"), *compiling)
            assert run.returncode == 0, run.stdout + run.stderr
            assert compiled.returncode == 0, compiled.stderr
            download_folder(run.summary["published"], left / "published")
    said = run.stdout + run.stderr + compiled.stdout + compiled.stderr
    return Planted(run, canaries, left, arguments, server, said)


def test_secrets_were_in_use(planted: Planted) -> None:
    signed = quote(planted.canaries["signature"], safe="")
    assert sum(signed in path for path in planted.server.paths()) >= 2 * PER_CLASS
    assert "password in the address" in planted.said
    log = (planted.run.directory / "log.txt").read_text()
    assert "such as https://127.0.0.2/closed.jpg" in log  # the proxy was asked, and is not there
    assert (planted.folder / "published" / "MODEL_CARD.md").is_file()


def test_no_secret_is_in_any_file_of_a_run(planted: Planted) -> None:
    assert found_in_files(planted.folder, planted.canaries) == []


def test_no_secret_is_said(planted: Planted) -> None:
    assert found_in_text(planted.said, planted.canaries) == []


def test_no_secret_is_in_the_arguments_of_a_process(planted: Planted) -> None:
    together = "\n".join(line.decode(errors="replace") for line in planted.arguments)
    assert "_execute" in together  # the steps' processes were seen
    assert found_in_text(together, planted.canaries) == []


def test_photos_keep_where_they_are_from(planted: Planted) -> None:
    photos = Dataset(planted.run.directory / "training").photos
    assert photos
    for photo in photos:
        name = photo.source_url.partition("?")[0].removeprefix(planted.server.address)
        assert photo.source_url == f"{planted.server.address}{name}?size=large"
        assert photo.source_page == f"https://example.org{name}"


def test_scan_finds_what_is_hidden_in_archives_tables_and_encodings(tmp_path: Path) -> None:
    secret = {"it": canary()}
    plain = secret["it"].encode()
    pq.write_table(
        pa.table({"a": [secret["it"]] * 500}), tmp_path / "a.parquet", compression="zstd"
    )
    np.savez_compressed(tmp_path / "b.npz", text=np.array([secret["it"]]).astype("S"))
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as tar:
        entry = tarfile.TarInfo("inside.txt")
        entry.size = len(plain)
        tar.addfile(entry, io.BytesIO(plain))
    for shift in range(3):
        (tmp_path / f"d{shift}").write_bytes(base64.b64encode(b"x" * shift + plain + b"yz"))
    (tmp_path / "e").write_text(quote(secret["it"], safe=""))
    (tmp_path / "f").write_text(json.dumps({"key": secret["it"]}))
    (tmp_path / "clean").write_bytes(secrets.token_bytes(1000))
    found = found_in_files(tmp_path, secret)
    hits = {Path(line.split(" in ", 1)[1].split()[0]).name for line in found}
    assert hits == {"a.parquet", "b.npz", "c.tar.gz", "d0", "d1", "d2", "e", "f"}
