"""How TensorFlow is loaded."""

import sys

from conftest import run_captured

SCRIPT = """
import gc, sys
from components.common.network.convert import load_tensorflow
load_tensorflow()
load_tensorflow()
print({"tensorflow", "keras"} <= {*sys.modules}, "sklearn" in sys.modules)
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
import sklearn.base
print(sklearn.base.BaseEstimator)
"""


def test_tensorflow_is_loaded_without_scikit_learn_which_can_be_used_afterwards() -> None:
    done = run_captured(sys.executable, "-c", SCRIPT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "True False",
        "True True",
        "<class 'sklearn.base.BaseEstimator'>",
    ]
    assert not done.stderr
