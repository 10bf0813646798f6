"""Hugging Face's own packages, asked about what we write: run by the Python of their environment.

Each function prints one document of JSON. The environment is `build/peers/datasets`, which
`make test-forms` makes; `hub_keras` runs in ours and takes only `huggingface_hub` from there.
"""

import collections
import hashlib
import json
import sys
from typing import Any

import numpy as np


def card(path: str) -> Any:
    """The head of a card as `huggingface_hub` reads it, and what it writes of it again."""
    from huggingface_hub import ModelCard, metadata_load  # type: ignore[import-not-found]

    loaded = ModelCard.load(path)
    results = [vars(result) for result in loaded.data.eval_results or []]
    return {
        "written": loaded.data.to_dict(),
        "read": metadata_load(path),
        "results": results,
        "text": loaded.text[:100],
    }


def download(repository: str) -> Any:
    """The folder of a whole repository."""
    from huggingface_hub import snapshot_download  # type: ignore[import-not-found]

    return snapshot_download(repository)


def photos(shards: str, code: str) -> Any:
    """Photos of shards, by `datasets`: of each its class, what Pillow sees, and its bytes' hash.

    Args:
        shards: a pattern.
        code: that loads them as `photos`, with labels.
    """
    from datasets import Image, load_dataset  # type: ignore[import-not-found]

    names: dict[str, Any] = {}
    exec(code, names)
    found = names["photos"]
    streamed = load_dataset("webdataset", data_files=shards, split="train", streaming=True)
    stored = found.cast_column("jpg", Image(decode=False))
    return {
        "classes": found.features["label"].names,
        "counts": collections.Counter(found.features["label"].int2str(found["label"])),
        "streamed": [row["__key__"] for row in streamed],
        "sizes": {row["__key__"]: row["jpg"].size for row in found},
        "sha256": {
            row["__key__"]: hashlib.sha256(row["jpg"]["bytes"]).hexdigest() for row in stored
        },
    }


def hub_keras(packages: str, repository: str, inputs: str, output: str) -> Any:
    """Probabilities by Keras, which fetches the model from the Hub itself."""
    sys.path.append(packages)  # last: all that our environment has is taken from there
    from keras.saving import load_model

    model = load_model(f"hf://{repository}")
    given = np.load(inputs)
    found = [np.asarray(model(given[start : start + 20])) for start in range(0, len(given), 20)]
    np.save(output, np.concatenate(found))
    return [int(size) for size in model.output_shape[1:]]


CALLS = {call.__name__: call for call in (card, download, photos, hub_keras)}


def main() -> None:
    """`huggingface_peers.py NAME ARGUMENT…`: the answer is the last line."""
    name, *arguments = sys.argv[1:]
    print("\n" + json.dumps(CALLS[name](*arguments), default=str))


if __name__ == "__main__":
    main()
