"""What `benchmarks/speed/label.py` measures us beside: python label_peers.py WAY MODEL PHOTOS.

Each way is what the guides of TensorFlow and Keras show, in a process of its own. The last line of
the output is JSON: seconds without the imports, and the likeliest class of each photo by its name.
"""

import importlib
import json
import sys
import time
from pathlib import Path

BATCH = 32  # of image_dataset_from_directory, its default


def saved_model(model_dir: Path, photo: Path, size: int) -> dict[str, int]:
    """One photo by tf.saved_model.load (https://www.tensorflow.org/guide/saved_model)."""
    import tensorflow as tf

    signature = tf.saved_model.load(str(model_dir / "saved_model")).signatures["serving_default"]
    pixels = tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(str(photo)), 3), (size, size))
    found = signature(input=pixels[None] / 127.5 - 1)
    return {photo.name: int(next(iter(found.values())).numpy()[0].argmax())}


def keras_file(model_dir: Path, photo: Path, size: int) -> dict[str, int]:
    """One photo by load_model and predict (https://keras.io/api/applications)."""
    import keras

    model = keras.saving.load_model(model_dir / "model.keras", compile=False)
    image = keras.utils.load_img(photo, target_size=(size, size))
    pixels = keras.utils.img_to_array(image)[None] / 127.5 - 1
    return {photo.name: int(model.predict(pixels, verbose=0)[0].argmax())}


def keras_folder(model_dir: Path, folder: Path, size: int) -> dict[str, int]:
    """A folder by image_dataset_from_directory and predict."""
    import keras

    model = keras.saving.load_model(model_dir / "model.keras", compile=False)
    photos = keras.utils.image_dataset_from_directory(
        folder, labels=None, image_size=(size, size), batch_size=BATCH, shuffle=False, verbose=False
    )
    names = [Path(path).name for path in photos.file_paths]
    scores = model.predict(photos.map(lambda batch: batch / 127.5 - 1), verbose=0)
    return dict(zip(names, map(int, scores.argmax(axis=1)), strict=True))


WAYS = {"saved_model": saved_model, "keras": keras_file, "keras_folder": keras_folder}


def main() -> None:
    """Run one way."""
    way, model_dir, photos = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    size = json.loads((model_dir / "model.json").read_text())["input_size"]
    importlib.import_module("tensorflow" if way == "saved_model" else "keras")
    started = time.perf_counter()
    found = WAYS[way](model_dir, photos, size)
    print()
    print(json.dumps({"seconds": time.perf_counter() - started, "found": found}))


if __name__ == "__main__":
    main()
