"""The files of a model directory, and the names of its networks' outputs."""

DESCRIPTION = "model.json"
LITERT = "model.tflite"
INT8 = "model-int8.tflite"
MEDIAPIPE = "model-mediapipe.tflite"
MEDIAPIPE_INT8 = "model-mediapipe-int8.tflite"
KERAS = "model.keras"
SAVED_MODEL = "saved_model"
ONNX = "model.onnx"  # where it was asked for
FROZEN = "retrained_graph.pb"
LABELS = "retrained_labels.txt"
HEAD = "head.npz"
DISTANCES = "distances.npz"
REFERENCES = "references.parquet"
LEARNED = "learned.npy"
OUT_OF_FOLD = "out_of_fold.parquet"
# Of the head that was tested before the final one was trained on the test photos as well.
MEASURED_HEAD = "measured/head.npz"
MEASURED_DISTANCES = "measured/distances.npz"

# Outputs of the LiteRT signature.
SCORES = "final_result"
BOTTLENECK = "bottleneck"
FEATURES = "features"
