"""The original's way, emulated: python original.py TRAINING DEMO GRAPH STEPS SCRATCH.

tensorflow-for-poets-2's retrain.py under tf.compat.v1: for each photo one session.run that decodes
and resizes it in a graph and one that runs the network, its bottleneck as a text file of commas;
then training on those text files, which every step reads again; every tenth step looks at the batch
and at 100 photos of the validation part. Last, the demo photos, one session.run each (the
tutorial's label_image.py starts a process for each photo, which would take far longer). GRAPH is a
frozen graph of the network up to its bottleneck. Prints JSON: accuracy, seconds of the parts.
"""

import hashlib
import json
import random
import sys
import time
from itertools import pairwise
from pathlib import Path

BATCH, RATE, LOOK_EVERY, VALIDATION = 100, 0.01, 10, 10
BOTTLENECK = "bottleneck:0"


def main() -> None:
    """Do all of it."""
    training, demo, graph_file, steps, scratch = sys.argv[1:]
    marks = [("start", time.perf_counter())]
    import numpy as np
    import tensorflow.compat.v1 as tf

    tf.disable_eager_execution()
    marks.append(("imports", time.perf_counter()))
    random.seed(0)
    definition = tf.GraphDef()
    definition.ParseFromString(Path(graph_file).read_bytes())
    network_input, bottleneck = tf.import_graph_def(
        definition, name="", return_elements=["input:0", BOTTLENECK]
    )
    size = int(network_input.shape[1])
    encoded = tf.placeholder(tf.string, name="DecodeJPGInput")
    floats = tf.cast(tf.image.decode_jpeg(encoded, channels=3), tf.float32)
    resized = tf.image.resize_bilinear(tf.expand_dims(floats, 0), (size, size))
    decoded = tf.multiply(tf.subtract(resized, 127.5), 1 / 127.5)
    labels = sorted(folder.name for folder in Path(training).iterdir())

    given = tf.placeholder(tf.float32, [None, int(bottleneck.shape[1])])
    truth = tf.placeholder(tf.int64, [None])
    weights = tf.Variable(
        tf.truncated_normal([int(bottleneck.shape[1]), len(labels)], stddev=0.001)
    )
    biases = tf.Variable(tf.zeros([len(labels)]))
    logits = tf.matmul(given, weights) + biases
    loss = tf.losses.sparse_softmax_cross_entropy(labels=truth, logits=logits)
    learn = tf.train.GradientDescentOptimizer(RATE).minimize(loss)
    right = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), truth), tf.float32))

    with tf.Session() as session:
        session.run(tf.global_variables_initializer())

        def cached(path: Path) -> Path:
            """The text file with a photo's bottleneck; made where it is not there yet."""
            place = Path(scratch, path.parent.name, f"{path.name}.txt")
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                pixels = session.run(decoded, {encoded: path.read_bytes()})
                values = np.squeeze(session.run(bottleneck, {network_input: pixels}))
                place.write_text(",".join(str(value) for value in values))
            return place

        def read(path: Path) -> list[float]:
            return [float(value) for value in cached(path).read_text().split(",")]

        parts: dict[str, dict[int, list[Path]]] = {"training": {}, "validation": {}}
        for number, label in enumerate(labels):
            for path in sorted(Path(training, label).iterdir()):
                digest = hashlib.sha1(str(path).encode(), usedforsecurity=False).hexdigest()
                share = int(digest, 16) % 2**27 * 100 / (2**27 - 1)
                part = "validation" if share < VALIDATION else "training"
                parts[part].setdefault(number, []).append(path)
                cached(path)
        marks.append(("bottlenecks", time.perf_counter()))

        def batch(part: str) -> dict[object, object]:
            rows, numbers = [], []
            for _ in range(BATCH):
                number = random.choice(sorted(parts[part]))
                rows.append(read(random.choice(parts[part][number])))
                numbers.append(number)
            return {given: rows, truth: numbers}

        accuracy = 0.0
        for step in range(int(steps)):
            feed = batch("training")
            session.run(learn, feed)
            if step % LOOK_EVERY == 0 or step == int(steps) - 1:
                session.run([right, loss], feed)
                accuracy = float(session.run(right, batch("validation")))
        marks.append(("training", time.perf_counter()))
        for path in sorted(Path(demo).rglob("*.jpg")):
            pixels = session.run(decoded, {encoded: path.read_bytes()})
            values = session.run(bottleneck, {network_input: pixels})
            session.run(logits, {given: values.reshape(1, -1)})
        marks.append(("demo photos", time.perf_counter()))
    seconds = {name: after - before for (_, before), (name, after) in pairwise(marks)}
    print("\n" + json.dumps({"accuracy": accuracy, "steps": int(steps), "seconds": seconds}))


if __name__ == "__main__":
    main()
