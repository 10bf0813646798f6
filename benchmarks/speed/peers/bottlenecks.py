"""Files to feature vectors: python bottlenecks.py WAY FOLDER WEIGHTS ARCHITECTURE CACHE.

Prints the seconds without imports, loading the network and the first batch, which traces or plans
it; and the first vector, rounded, by which the ways are compared.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCH = 32  # of image_dataset_from_directory
OUR_BATCH = 16


def ours(files: list[Path], cache: Path, name: str, _: Path) -> Callable[[], Any]:
    """What the step does with photos, from files instead of shards."""
    from components.common.dataset.photo import Photo
    from components.common.network import backbone, bottlenecks

    network = backbone.load_backbone(name, cache)

    def work(some: list[Path]) -> Any:
        photos = ((Photo("x", sha256=str(file)), file.read_bytes()) for file in some)
        return bottlenecks.compute(network, photos).vectors

    work(files[:OUR_BATCH])
    return lambda: work(files)


def litert(files: list[Path], cache: Path, name: str, _: Path) -> Callable[[], Any]:
    """LiteRT alone, on decoded tensors: the limit."""
    import numpy as np

    from components.common.network import backbone
    from components.common.photos import images

    network = backbone.load_backbone(name, cache)
    size = network.key.input_size
    batches = [
        np.stack([images.model_input(one.read_bytes(), size) for one in files[at : at + OUR_BATCH]])
        for at in range(0, len(files), OUR_BATCH)
    ]
    network(batches[0])
    return lambda: np.concatenate([network(batch)[0] for batch in batches])


def keras(files: list[Path], _: Path, name: str, weights: Path, *, graph: bool = False) -> Any:
    """image_dataset_from_directory, and predict or a tf.function."""
    import keras
    import numpy as np
    import tensorflow as tf

    from components.common.network import keras_form
    from components.common.network import weights as pretrained
    from components.common.network.architecture import parse_architecture

    architecture = parse_architecture(name)
    network = architecture.build()
    pretrained.apply_to_keras(pretrained.read_weights(weights), network)
    features = keras_form.feature_map(network)
    model = keras.Model(network.input, keras.layers.GlobalAveragePooling2D()(features))

    def photos() -> Any:
        size = (architecture.size, architecture.size)
        found = keras.utils.image_dataset_from_directory(
            files[0].parent,
            labels=None,
            image_size=size,
            batch_size=BATCH,
            shuffle=False,
            verbose=False,
        )
        return found.map(lambda batch: batch / 127.5 - 1).prefetch(tf.data.AUTOTUNE)

    call = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
    first = next(iter(photos()))
    if graph:
        call(first)
        return lambda: np.concatenate([call(batch).numpy() for batch in photos()])
    model.predict(first, verbose=0)
    return lambda: model.predict(photos(), verbose=0)


def graph(*given: Any) -> Any:
    """The same by a tf.function."""
    return keras(*given, graph=True)


WAYS: dict[str, Callable[..., Callable[[], Any]]] = {
    "ours": ours,
    "litert": litert,
    "predict": keras,
    "graph": graph,
}


def main() -> None:
    """Run one way."""
    way, folder, weights, name, cache = sys.argv[1:]
    files = sorted(Path(folder).rglob("*.jpg"))
    work = WAYS[way](files, Path(cache), name, Path(weights))
    started = time.perf_counter()
    vectors = work()
    seconds = time.perf_counter() - started
    print("\n" + json.dumps({"seconds": seconds, "first": vectors[0].round(3).tolist()}))


if __name__ == "__main__":
    main()
