"""The tutorial's way as one script: python keras_tutorial.py TRAINING DEMO WEIGHTS ARCHITECTURE.

https://keras.io/guides/transfer_learning on folders: `image_dataset_from_directory`, random flips
and rotations, a frozen MobileNet, dropout 0.2, a dense layer, Adam, 20 epochs of batches of 64;
then evaluate, and predict the demo photos. Prints JSON: the accuracy, and the seconds of the parts.
"""

import json
import sys
import time
from itertools import pairwise
from pathlib import Path

EPOCHS, BATCH, VALIDATION = 20, 64, 0.1


def main() -> None:
    """Do all of it."""
    training, demo, weights_file, name = sys.argv[1:]
    marks = [("start", time.perf_counter())]
    import keras

    from components.common.network import keras_form, weights
    from components.common.network.architecture import parse_architecture

    marks.append(("imports", time.perf_counter()))
    architecture = parse_architecture(name)
    size = (architecture.size, architecture.size)
    options = {"image_size": size, "batch_size": BATCH, "seed": 0, "verbose": False}
    split = {"validation_split": VALIDATION, "subset": "both"}
    fitted, held_out = keras.utils.image_dataset_from_directory(training, **split, **options)
    shown = keras.utils.image_dataset_from_directory(demo, shuffle=False, **options)
    # What `weights="imagenet"` gives, from the cache instead of the network.
    whole = architecture.build()
    weights.apply_to_keras(weights.read_weights(Path(weights_file)), whole)
    features = keras_form.feature_map(whole)
    base = keras.Model(whole.input, keras.layers.GlobalAveragePooling2D()(features))
    base.trainable = False
    inputs = keras.Input((*size, 3))
    hidden = keras.layers.RandomFlip("horizontal")(inputs)
    hidden = keras.layers.RandomRotation(0.1)(hidden)
    hidden = keras.layers.Rescaling(1 / 127.5, offset=-1)(hidden)
    hidden = keras.layers.Dropout(0.2)(base(hidden, training=False))
    model = keras.Model(inputs, keras.layers.Dense(len(fitted.class_names))(hidden))
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    marks.append(("build", time.perf_counter()))
    model.fit(fitted, validation_data=held_out, epochs=EPOCHS, verbose=0)
    marks.append(("fit", time.perf_counter()))
    _, accuracy = model.evaluate(held_out, verbose=0)
    model.predict(shown, verbose=0)
    marks.append(("evaluate and predict", time.perf_counter()))
    parts = {name: after - before for (_, before), (name, after) in pairwise(marks)}
    print("\n" + json.dumps({"accuracy": accuracy, "epochs": EPOCHS, "seconds": parts}))


if __name__ == "__main__":
    main()
