"""Photos and files of this machine, on their way to a run on a cluster: each object store."""

import io
import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kfp_server import Kfp, serve
from object_stores import S3_VARIABLES, Store, download_folder, using
from submit_command import CANARY, submit

from components.common.base.errors import WorkError
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import MANIFEST, Dataset
from components.common.store import storage
from components.download.sources import sample
from programs.submit import upload

PER_CLASS = 3


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for label in ("earthstar", "fly agaric"):
        (folder / label).mkdir()
        for number, picture in enumerate(sample.render_class(label, PER_CLASS)):
            if picture.fault is None:
                name = os.fsdecode(b"%d \xe4.jpg" % number)  # no UTF-8, as of old sticks
                (folder / label / name).write_bytes(picture.data)
    return folder


def test_folder_is_packed_uploaded_and_imported_once(
    store: Store, photos: Path, tmp_path: Path
) -> None:
    place = f"{store.prefix}/mine"
    options = ("--image_dir", str(photos), "--upload_to", place)
    with serve(Kfp()) as kfp:
        first = submit(kfp.address, *options, **store.environment)
        assert first.returncode == 0, first.stderr
        with using(store.environment):
            objects = list(storage.list_objects(place))
        second = submit(kfp.address, *options, **store.environment)
        assert second.returncode == 0, second.stderr
        assert "there already" in second.stdout
        assert kfp.violations == []
        parameters = [run.runtime_config["parameters"] for run in kfp.runs]
    with using(store.environment):
        assert list(storage.list_objects(place)) == objects
        uri = parameters[0]["dataset_uri"]
        download_folder(uri, tmp_path / "dataset")
    assert parameters[1]["dataset_uri"] == uri
    # KFP's own store has a scheme of its own.
    assert uri.startswith("gs://" if store.prefix.startswith("gs") else "minio://")
    found = Dataset(tmp_path / "dataset")
    assert found.labels == ["earthstar", "fly agaric"]
    files = sorted(path.read_bytes() for path in photos.rglob("*.jpg"))
    assert sorted(data for _, data in found.stream()) == files
    assert f": {len(files)} photos of 2 classes, CPU, " in kfp.runs[0].display_name
    assert kfp.versions[0].display_name.startswith("cpu-own-photos-")
    importers = [
        executor["importer"]
        for executor in kfp.specifications[0]["deploymentSpec"]["executors"].values()
        if "importer" in executor
    ]
    assert [entry["typeSchema"]["schemaTitle"] for entry in importers] == ["system.Dataset"]


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_manifest_of_something_else_at_the_address_is_told(store: Store, photos: Path) -> None:
    taken = [(path.parent.name, path) for path in sorted(photos.glob("*/*.jpg"))]
    with using(store.environment):
        uri = upload.dataset_uri(taken, f"{store.prefix}/other")
        assert upload.upload_photos(taken, uri)
        assert not upload.upload_photos(taken, uri)
        rows = pq.read_table(io.BytesIO(storage.read_place(f"{uri}/{MANIFEST}", max_bytes=10**7)))
        column = rows.schema.get_field_index("offset")
        nowhere = rows.set_column(column, "offset", pa.nulls(len(rows), pa.int64()))
        held = io.BytesIO()
        pq.write_table(nowhere, held)
        for other in (b"PAR1", held.getvalue()):
            storage.write_place(f"{uri}/{MANIFEST}", other, what="a manifest")
            with pytest.raises(WorkError, match="is there already, with other content"):
                upload.upload_photos(taken, uri)


@pytest.mark.parametrize("store", ["gs"], indirect=True)
def test_photo_that_cannot_be_read_is_packed_as_that(
    store: Store, photos: Path, tmp_path: Path
) -> None:
    taken = [(path.parent.name, path) for path in sorted(photos.glob("*/*.jpg"))]
    unreadable = tmp_path / "unreadable.jpg"
    unreadable.symlink_to("/proc/self/mem")
    with using(store.environment):
        uri = upload.dataset_uri([*taken, ("earthstar", unreadable)], f"{store.prefix}/unreadable")
        assert upload.upload_photos([*taken, ("earthstar", unreadable)], uri)
        download_folder(uri, tmp_path / "dataset")
    rows = Dataset(tmp_path / "dataset").photos
    assert len(rows) == len(taken) + 1
    assert [(row.source_url, row.size) for row in rows if row.reason == "unreadable"] == [
        ("earthstar/unreadable.jpg", 0)
    ]


def test_list_of_addresses_is_uploaded(store: Store, tmp_path: Path) -> None:
    urls = tmp_path / "urls.csv"
    urls.write_text("url,label\nhttps://a.example/1.jpg,a\nhttps://a.example/2.jpg,b\n")
    options = ("--url_list", str(urls), "--upload_to", f"{store.prefix}/lists")
    with serve(Kfp()) as kfp:
        done = submit(kfp.address, *options, **store.environment)
        assert done.returncode == 0, done.stderr
        parameters = kfp.runs[0].runtime_config["parameters"]
    assert parameters["classes"]["species"] == [{"label": "a"}, {"label": "b"}]
    with using(store.environment):
        place = parameters["step_download"]["url_list"]
        assert storage.read_place(place, max_bytes=1000) == urls.read_bytes()


def test_missing_bucket_ends_before_a_run(store: Store, photos: Path) -> None:
    missing = f"{store.prefix.partition('://')[0]}://no-such-bucket/mine"
    with serve(Kfp()) as kfp:
        done = submit(
            kfp.address, "--image_dir", str(photos), "--upload_to", missing, **store.environment
        )
        assert done.returncode == 2
        assert missing in done.stderr  # as it was given
        assert "minio://" not in done.stderr
        assert kfp.runs == []


def test_dry_run_says_where_uploads_go_and_what_pods_read(store: Store, photos: Path) -> None:
    options = ("--image_dir", str(photos), "--upload_to", f"{store.prefix}/mine", "--dry_run")
    done = submit("http://127.0.0.1:9", *options, **store.environment)
    assert done.returncode == 0, done.stderr
    request = json.loads(done.stdout)
    (one,) = request["uploads"]
    assert one["from"] == str(photos)
    assert one["to"].startswith(f"{store.prefix}/mine/")
    assert one["by"] in store.environment.values()
    assert one["read_by_pods_as"] == request["run"]["runtime_config"]["parameters"]["dataset_uri"]
    place = one["to"] if store.prefix.startswith("gs") else one["to"].replace("s3://", "minio://")
    assert one["read_by_pods_as"] == place


def test_folder_without_a_place_to_upload_to_is_refused(photos: Path) -> None:
    with serve(Kfp()) as kfp:
        done = submit(kfp.address, "--image_dir", str(photos))
        assert done.returncode == 2
        assert "give --upload_to gs://… or s3://…" in done.stderr
        assert kfp.requests == []


def test_parts_of_the_photos_are_worked_on_at_the_same_time(store: Store, photos: Path) -> None:
    options = ("--image_dir", str(photos), "--upload_to", f"{store.prefix}/parts")
    with serve(Kfp()) as kfp:
        done = submit(kfp.address, *options, "--parts", "3", **store.environment)
        assert done.returncode == 0, done.stderr
        assert kfp.violations == []
        (specification,) = kfp.specifications
        dags = (one.get("dag", {"tasks": {}}) for one in specification["components"].values())
        tasks = [task for dag in dags for task in dag["tasks"].values()]
        loops = [task["parameterIterator"] for task in tasks if "parameterIterator" in task]
        assert [json.loads(loop["items"]["raw"]) for loop in loops] == [["1/3", "2/3", "3/3"]]
    for number in ("0", "1000"):
        refused = submit("http://127.0.0.1:9", *options, "--parts", number, **store.environment)
        assert refused.returncode == 2
        assert "--parts" in refused.stderr
    refused = submit("http://127.0.0.1:9", "--parts", "2")
    assert refused.returncode == 2
    assert "--image_dir" in refused.stderr


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [
        ("", "http://seaweedfs.kubeflow:9000", "uploads would go to Amazon's store, and pods look"),
        ("http://127.0.0.1:9", "", "pods would look at Amazon's store"),
    ],
)
def test_upload_to_where_no_pod_looks_is_refused(
    photos: Path, tmp_path: Path, here: str, there: str, said: str
) -> None:
    (tmp_path / "urls.txt").write_text(
        "https://example.org/a.jpg daisy\nhttps://example.org/b.jpg rose\n"
    )
    store = {"AWS_ENDPOINT_URL": here, **S3_VARIABLES}
    for given in (("--image_dir", str(photos)), ("--url_list", str(tmp_path / "urls.txt"))):
        options = (*given, "--upload_to", "s3://bucket/mine", "--store_endpoint", there)
        done = submit("http://127.0.0.1:9", *options, "--dry_run", **store)
        assert done.returncode == 2, done.stdout
        assert said in done.stderr


@pytest.mark.parametrize(
    "there", ["", "https://s3.eu-west-1.amazonaws.com"], ids=["by default", "by address"]
)
def test_amazon_s_store_is_the_same_however_it_is_named(
    photos: Path, tmp_path: Path, there: str
) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-1\n")
    options = ("--image_dir", str(photos), "--upload_to", "s3://bucket/mine", "--dry_run")
    done = submit(
        "http://127.0.0.1:9", *options, "--store_endpoint", there, AWS_CONFIG_FILE=str(config)
    )
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)["uploads"]
    assert one["by"] == "https://s3.eu-west-1.amazonaws.com"
    assert one["read_by_pods_as"] == one["to"]


def test_store_of_a_profile_is_seen_and_its_password_not_told(photos: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"[default]\nendpoint_url = http://me:{CANARY}@localhost:9000\n")
    options = ("--image_dir", str(photos), "--upload_to", "s3://bucket/mine", "--dry_run")
    done = submit("http://127.0.0.1:9", *options, AWS_CONFIG_FILE=str(config))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["uploads"][0]["by"] == "http://localhost:9000"


def test_what_is_stated_of_the_classes_is_packed_with_the_photos(
    store: Store, photos: Path, tmp_path: Path
) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    beside = tmp_path / "photos" / "species.yaml"
    uris = []
    with serve(Kfp()) as kfp:
        for subject in ("drawings", "sketches"):
            beside.write_text(f"subject: {subject}\nspecies: [{{label: earthstar, other: yes}}]")
            options = ("--image_dir", str(tmp_path / "photos"), "--upload_to", store.prefix)
            sent = submit(kfp.address, *options, **store.environment)
            assert sent.returncode == 0, sent.stderr
            parameters = kfp.runs[-1].runtime_config["parameters"]
            uris.append(parameters["dataset_uri"])
    assert uris[0] != uris[1]
    with using(store.environment):
        download_folder(uris[1], tmp_path / "dataset")
    # The poison of the fly agaric is the repository's own species.yaml's word.
    facts = ClassFacts(
        "sketches", {"earthstar": "inedible", "fly agaric": "poisonous"}, ("earthstar",)
    )
    assert Dataset(tmp_path / "dataset").facts == facts
