"""Programs that take a form of the model, in environments of their own: `make test-forms`."""

import os

# Run only when asked for: MediaPipe alone is 200 MB of packages.
collect_ignore_glob = [] if os.environ.get("MUSHROOM_TEST_FORMS") else ["test_*.py"]
