"""A frozen graph of the pretrained network up to its bottleneck, as the original downloaded one.

python bottleneck_graph.py WEIGHTS ARCHITECTURE FILE
"""

import sys
from pathlib import Path


def main() -> None:
    """Write it."""
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from components.common.network import keras_form, weights
    from components.common.network.architecture import parse_architecture

    weights_file, name, place = sys.argv[1:]
    architecture = parse_architecture(name)
    network = architecture.build()
    weights.apply_to_keras(weights.read_weights(Path(weights_file)), network)
    features = keras_form.feature_map(network)
    model = keras.Model(network.input, keras.layers.GlobalAveragePooling2D()(features))

    @tf.function(
        input_signature=[tf.TensorSpec((1, architecture.size, architecture.size, 3), name="input")]
    )
    def run(batch: tf.Tensor) -> tf.Tensor:
        return tf.identity(model(batch, training=False), name="bottleneck")

    frozen = convert_variables_to_constants_v2(run.get_concrete_function()).graph.as_graph_def()
    trimmed = tf.compat.v1.graph_util.extract_sub_graph(frozen, ["bottleneck"])
    Path(place).write_bytes(trimmed.SerializeToString())


if __name__ == "__main__":
    main()
