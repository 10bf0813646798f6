# The image of download, clean, curate, label_image, tensorboard, publish, summarize and the service.
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
COPY docker/requirements/data.txt docker/requirements/kfp.txt ./
COPY docker/install.sh ./
RUN --mount=type=secret,id=netrc,target=/root/.netrc \
    sh install.sh data.txt kfp.txt

FROM ${BASE_IMAGE}
# Whoever runs it, with whatever user id and a root file system that cannot be written, has a home.
# __pycache__ is made below, and never at run time.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/.cache
# Kubeflow's launcher keeps artifacts there, as the image's user.
RUN mkdir -m 1777 /gcs /minio /s3
COPY --from=dependencies /opt/venv /opt/venv
WORKDIR /app
COPY species.yaml LICENSE ./
COPY components components
COPY programs programs
RUN chmod -R a+rX . \
 && python -m compileall -q --invalidation-mode unchecked-hash components programs
# Last, because they change with every revision.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="wild-mushrooms data" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
