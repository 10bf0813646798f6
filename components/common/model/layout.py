"""The files of a model directory, and the names of its networks' outputs."""

DESCRIPTION = "model.json"
LITERT = "model.tflite"
INT8 = "model-int8.tflite"
KERAS = "model.keras"
SAVED_MODEL = "saved_model"
FROZEN = "retrained_graph.pb"
LABELS = "retrained_labels.txt"
HEAD = "head.npz"
DISTANCES = "distances.npz"
REFERENCES = "references.parquet"

# Outputs of the LiteRT signature.
SCORES = "final_result"
BOTTLENECK = "bottleneck"
FEATURES = "features"
