# The image of bottleneck, retrain and evaluate, with the pretrained weights inside.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS dependencies
# Another package index than the usual one. A password for it comes as the secret netrc: no layer
# keeps that.
ARG PIP_INDEX_URL
WORKDIR /build
COPY docker/requirements/uv.txt ./
RUN --mount=type=secret,id=netrc,target=/root/.netrc \
    python -m venv /opt/uv \
 && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r uv.txt
# train for tensorflow-cpu, train-cuda for tensorflow[and-cuda].
ARG REQUIREMENTS=train
COPY docker/requirements/${REQUIREMENTS}.txt docker/requirements/kfp.txt ./
COPY docker/install.sh ./
RUN --mount=type=secret,id=netrc,target=/root/.netrc \
    sh install.sh "${REQUIREMENTS}.txt" kfp.txt

FROM dependencies AS weights
ARG ARCHITECTURES="efficientnet_lite0 mobilenet_1.0_224 mobilenet_1.0_128"
WORKDIR /app
# No more than the conversion needs: it takes a while, and other code changes more often.
COPY components/__init__.py components/
COPY components/common/__init__.py components/common/
COPY components/common/base/__init__.py components/common/base/errors.py \
     components/common/base/files.py components/common/base/options.py \
     components/common/base/step.py components/common/base/temporary.py \
     components/common/base/termination.py components/common/base/wording.py \
     components/common/base/
COPY components/common/untrusted/__init__.py components/common/untrusted/arrays.py \
     components/common/untrusted/redact.py components/common/untrusted/torch_weights.py \
     components/common/untrusted/
COPY components/common/photos/__init__.py components/common/photos/colours.py \
     components/common/photos/file_types.py components/common/photos/images.py \
     components/common/photos/isobmff.py components/common/photos/jpeg_markers.py \
     components/common/photos/opening.py components/common/photos/png_chunks.py \
     components/common/photos/
COPY components/common/network/__init__.py components/common/network/architecture.py \
     components/common/network/backbone.py components/common/network/convert.py \
     components/common/network/efficientnet_lite.py components/common/network/keras_form.py \
     components/common/network/package_index.py components/common/network/view_layers.py \
     components/common/network/views.py components/common/network/weights.py \
     components/common/network/weights_sources.py \
     components/common/network/
RUN for architecture in ${ARCHITECTURES}; do \
      /opt/venv/bin/python -m components.common.network.convert "${architecture}" --cache_dir /opt/cache \
      || exit 1; \
    done \
 && chmod -R a+rX /opt/cache

FROM ${BASE_IMAGE}
# Whoever runs it, with whatever user id and a root file system that cannot be written, has a home.
# __pycache__ is made below, and never at run time. The last two are for NVIDIA's container runtime.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/.cache \
    MUSHROOM_BAKED_CACHE=/opt/cache \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
# Kubeflow's launcher keeps artifacts there, as the image's user.
RUN mkdir -m 1777 /gcs /minio /s3
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=weights /opt/cache /opt/cache
WORKDIR /app
COPY species.yaml LICENSE ./
COPY components components
COPY programs programs
RUN chmod -R a+rX . \
 && python -m compileall -q --invalidation-mode unchecked-hash components programs
# Last, because they change with every revision.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="wild-mushrooms train" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
