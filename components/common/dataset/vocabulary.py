"""The words of a manifest: parts."""

TRAINING, VALIDATION, TEST, DEMO, SURPLUS = "training", "validation", "test", "demo", "surplus"
PARTS = (TRAINING, VALIDATION, TEST, DEMO)
