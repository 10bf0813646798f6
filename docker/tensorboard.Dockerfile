# The image behind "Start TensorBoard" on a run's page: TensorBoard without TensorFlow.
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
COPY docker/requirements/tensorboard.txt ./
COPY docker/install.sh ./
RUN --mount=type=secret,id=netrc,target=/root/.netrc \
    sh install.sh tensorboard.txt

FROM ${BASE_IMAGE}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
COPY --from=dependencies /opt/venv /opt/venv
# Last, because they change with every revision.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="wild-mushrooms tensorboard" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /tmp
USER 65532:65532
