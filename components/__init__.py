"""A wild-mushroom classifier as containerized Kubeflow Pipelines steps."""

import os

__version__ = "0.1.0"

# NumPy's linear algebra takes one thread, unless the environment says otherwise; it is read when
# NumPy is imported. OpenBLAS starts a thread for each core of the machine, whatever share of it a
# container may use, and they wait for one another: a step on matrices of a thousand photos took ten
# times as long on a busy machine. With one thread the last bits do not depend on the cores either.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
