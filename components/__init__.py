"""A wild-mushroom classifier as containerized Kubeflow Pipelines steps."""

__version__ = "0.1.0"
