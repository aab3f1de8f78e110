# The service in one image: `up` (all of it, jobs as processes in the container), or `serve`, `reconcile`, `migrate`.
# Built with: docker build -t bunsen . ; run with: docker run -p 8000:8000 -v bunsen:/data bunsen
# Where PyPI can't be reached, the wheels are taken from deploy/requirements/wheels (docs/install-kubernetes.md).

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /src
COPY deploy/requirements/ deploy/requirements/
RUN set -- && if [ -d deploy/requirements/wheels ]; then \
        set -- --no-index --find-links "$PWD/deploy/requirements/wheels"; fi \
    && python -m venv /opt/tools \
    && /opt/tools/bin/pip install "$@" --require-hashes -r deploy/requirements/uv.txt \
    && python -m venv --without-pip /opt/bunsen \
    && /opt/tools/bin/uv pip install "$@" --python /opt/bunsen/bin/python --require-hashes \
        --compile-bytecode -r deploy/requirements/service.txt
# The code last: a change of it leaves the layers above as they are.
COPY pyproject.toml README.md LICENSE ./
COPY alembic/ alembic/
COPY examples/ examples/
COPY app/ app/
RUN /opt/tools/bin/uv pip install --python /opt/bunsen/bin/python --no-deps --no-build-isolation \
        --compile-bytecode .

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin bunsen \
    && install -d -o bunsen -g bunsen -m 0700 /data
COPY --from=build /opt/bunsen /opt/bunsen
ENV PATH=/opt/bunsen/bin:$PATH BUNSEN_DATA=/data BUNSEN_HOST=0.0.0.0 BUNSEN_PORT=8000 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Alive, not ready: a database that is away is no reason to kill the container.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"BUNSEN_PORT\"]}/healthz', timeout=4)"]
# SIGTERM to process 1 ends the jobs in it, with a grace of 8 seconds.
STOPSIGNAL SIGTERM
ENTRYPOINT ["bunsen"]
CMD ["up"]
