#!/bin/sh
# Install lock files, given by name, into /opt/venv, with bytecode, and take away what no step uses.
set -eu

python -m venv --without-pip /opt/venv
if [ -n "${PIP_INDEX_URL:-}" ]; then
  export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
fi
for lock in "$@"; do
  # --no-deps: a lock file names everything itself, and kfp.txt leaves out what is not needed.
  UV_SYSTEM_CERTS=1 /opt/uv/bin/uv pip install --quiet --no-cache --no-deps --require-hashes \
    --link-mode copy --python /opt/venv/bin/python -r "$lock"
done

cd /opt/venv/lib/python3.*/site-packages
# Tests and C++ headers of the libraries: no step reads them, and nothing is compiled here.
# (numpy.testing imports from numpy/_core/tests.)
find . -depth -type d \( -name tests -o -name include \) -not -path '*/numpy/_core/tests' \
  -exec rm -rf {} +
# Without bytecode TensorFlow takes 13 s to import instead of 4. Some libraries bring templates
# that are no Python, which compileall counts as failures.
/opt/venv/bin/python -m compileall -q -j 0 . >/dev/null || true
