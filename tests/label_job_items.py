"""What tests of labelling whole places share: the photos' number, options, and what was written."""

import csv
import io
import os
import subprocess
import sys

import preloaded
from object_stores import S3_VARIABLES, Store

from components.label_image.job import Answers
from components.label_image.options import AnswerOptions

PHOTOS, PER_PART = 45, 4
COMMAND = (sys.executable, "-m", "components.label_image.__main__")


def options(**chosen: object) -> AnswerOptions:
    return AnswerOptions.of({"photos_per_part": PER_PART, **chosen})


def run(words: list[str], store: Store | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **(store.environment if store else {})}
    done = preloaded.run(words, environment=environment, timeout_s=120)
    assert "Traceback" not in done.stderr
    assert not [value for value in secrets() if value in done.stdout + done.stderr]
    return done


def secrets() -> list[str]:
    return [S3_VARIABLES["AWS_ACCESS_KEY_ID"], S3_VARIABLES["AWS_SECRET_ACCESS_KEY"]]


def part_files(output: str) -> dict[str, bytes]:
    """The answers that are there, by the file's name."""
    answers = Answers(output)
    names = sorted(name for name in answers.names() if name.startswith("part-"))
    return {name: answers.read(name) for name in names}


def rows(output: str) -> list[dict[str, str]]:
    return [
        row
        for data in part_files(output).values()
        for row in csv.DictReader(io.StringIO(data.decode()))
    ]
