"""Row `head`: steps a second of training the head, beside keras.Model.fit and scikit-learn.

Ours and Keras train a softmax layer on the same 1,000 bottlenecks (photos and distorted copies of
them), for 4,000 steps of 100, by plain gradient descent at rate 0.01: a speed counts at equal log
loss. scikit-learn's logistic regression minimises the same loss in its own way, as long as it
takes. All in one process that has done it once before, in which NumPy takes one thread.
"""

import statistics
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.speed.frame import OURS, Check, Row, Way, timed
from benchmarks.speed.materials import Bench
from components.common.network.convert import quiet_tensorflow
from components.common.photos.images import BadPhoto
from components.retrain.distort import distorted_input, draw
from components.retrain.head import Examples, Head, cross_entropy, train
from components.retrain.options import Distortions, Recipe

ROWS = 1000
STEPS, BATCH, RATE = 4000, 100, 0.01
TARGET = 10.0
LOSS_MARGIN = 0.001
DISTORTIONS = Distortions(flip_left_right=True, random_crop=10, random_brightness=10)


def of_photos(bench: Bench) -> Examples:
    """Bottlenecks of photos, and of as many distorted copies as make up the number."""
    network = bench.network
    size = network.key.input_size
    files = bench.files
    names = sorted({label for label, _ in files})
    inputs, labels = [], []
    for number in range(ROWS):
        label, path = files[number % len(files)]
        distortion = draw(size, DISTORTIONS, np.random.default_rng(number))
        try:
            inputs.append(distorted_input(path.read_bytes(), size, distortion))
        except BadPhoto:
            continue
        labels.append(names.index(label))
    rows = [network(np.stack(inputs[at : at + 16]))[0] for at in range(0, len(inputs), 16)]
    return Examples(np.concatenate(rows), np.array(labels))


def ours(examples: Examples, classes: int) -> float:
    """Train with retrain.py's recipe; returns the log loss."""
    recipe = Recipe(
        how_many_training_steps=STEPS,
        learning_rate=RATE,
        train_batch_size=BATCH,
        eval_step_interval=STEPS,
    )
    nothing = Examples(examples.vectors[:0], examples.labels[:0])
    head = train(examples, nothing, classes, recipe, lambda _: None)
    return cross_entropy(head.logits(examples.vectors), examples.labels)


def keras_fit(examples: Examples, classes: int) -> float:
    """The same by keras.Model.fit; returns the log loss."""
    import keras

    model = keras.Sequential(
        [keras.Input((examples.vectors.shape[1],)), keras.layers.Dense(classes)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss=loss)
    epochs = STEPS * BATCH // len(examples)
    model.fit(examples.vectors, examples.labels, batch_size=BATCH, epochs=epochs, verbose=0)
    weights, biases = model.layers[-1].get_weights()
    return cross_entropy(Head(weights, biases).logits(examples.vectors), examples.labels)


def scikit_learn(examples: Examples, _: int) -> float:
    """Logistic regression by scikit-learn, as its documentation starts it; returns the log loss."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    peer = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    peer.fit(examples.vectors, examples.labels)
    found = peer.predict_log_proba(examples.vectors)
    return -float(found[np.arange(len(examples)), examples.labels].mean())


def measure(bench: Bench) -> Iterator[Row]:
    """The row."""
    quiet_tensorflow()
    turns = bench.turns()
    examples = of_photos(bench)
    classes = int(examples.labels.max()) + 1
    losses: dict[str, float] = {}

    def way(name: str, work: Callable[[Examples, int], float]) -> Callable[[], float]:
        def work_once() -> None:
            losses[name] = work(examples, classes)

        return lambda: timed(work_once)

    ways = [
        Way("ours", way("ours", ours), OURS),
        Way("keras.Model.fit", way("keras", keras_fit), least=TARGET),
        Way("scikit-learn, L-BFGS to convergence", way("scikit-learn", scikit_learn)),
    ]
    series = turns.measure(ways, warm_up=True)
    shape = f"{len(examples)} × {examples.vectors.shape[1]}"
    yield Row(
        f"head · {STEPS:,} steps of {BATCH} on {shape}, {classes} classes",
        series=series,
        checks=(Check("log loss beyond Keras's", losses["ours"] - losses["keras"], LOSS_MARGIN),),
        notes=(
            "log loss: " + ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items()),
            f"ours takes {STEPS / statistics.median(series[0].seconds):,.0f} steps a second",
        ),
        load=turns.load(),
    )
