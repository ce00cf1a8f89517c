# The bridge in a container: docs/containers.md says how to run it.
#
#     docker build -t scorm-xapi-bridge .
#
# Other base images, of a mirror for example, are build arguments; they need Python 3.11 or newer, and npm.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim
ARG NODE_IMAGE=docker.io/library/node:22-alpine

# The SCORM player of the sandbox's course, in the release that npm's lock names.
FROM ${NODE_IMAGE} AS player
WORKDIR /player
COPY bridge/sandbox/player/package.json bridge/sandbox/player/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

# What runs the bridge: exactly what the lock names, each file of it by its hash. pip itself stays outside.
FROM ${PYTHON_IMAGE} AS build
RUN python3 -m venv --without-pip /opt/scorm-bridge
WORKDIR /source
COPY requirements.lock ./
RUN python3 -m pip --python /opt/scorm-bridge/bin/python install --require-hashes --requirement requirements.lock
COPY . .
COPY --from=player /player/node_modules/scorm-again bridge/sandbox/player/node_modules/scorm-again
RUN python3 -m pip --python /opt/scorm-bridge/bin/python install --no-deps --no-build-isolation .

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="scorm-xapi-bridge" \
      org.opencontainers.image.description="Takes SCORM CMI commits from LMSs and forwards them as xAPI statements to Learning Record Stores." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/scorm-bridge /opt/scorm-bridge
# A number instead of a name, so that Kubernetes can tell that it is not root.
RUN mkdir --parents /var/lib/scorm-bridge && chown 10001:10001 /var/lib/scorm-bridge
ENV PATH=/opt/scorm-bridge/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SCORM_BRIDGE_SERVER__HOST=0.0.0.0 \
    SCORM_BRIDGE_DATABASE__URL=sqlite:////var/lib/scorm-bridge/scorm-bridge.db
USER 10001:10001
WORKDIR /var/lib/scorm-bridge
VOLUME /var/lib/scorm-bridge
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('SCORM_BRIDGE_SERVER__PORT', '8080')}/healthz\", timeout=4)"]
ENTRYPOINT ["scorm-bridge"]
CMD ["serve"]
