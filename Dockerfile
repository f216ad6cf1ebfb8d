# Both the proxy and the manager: docker-compose.yml and deploy/kubernetes say which of them a container is.
# This one has a C compiler.
FROM python:3.11 AS build
WORKDIR /src
COPY pyproject.toml setup.py requirements-dev.lock README.md LICENSE ./
COPY manyreads manyreads
COPY topology topology
COPY proxy proxy
COPY replication replication
RUN python -m venv /opt/manyreads \
    && /opt/manyreads/bin/pip install --no-cache-dir --constraint requirements-dev.lock mypy setuptools '.[otel]' \
    && MANYREADS_COMPILE=1 /opt/manyreads/bin/pip install --no-cache-dir --no-build-isolation --no-deps --force-reinstall . \
    && /opt/manyreads/bin/pip uninstall --yes mypy setuptools

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home --home-dir /var/lib/manyreads manyreads
COPY --from=build /opt/manyreads /opt/manyreads
ENV PATH=/opt/manyreads/bin:$PATH STATE_DIRECTORY=/var/lib/manyreads
USER 10001
WORKDIR /var/lib/manyreads
EXPOSE 6033 8080
CMD ["python", "-m", "proxy", "--listen", "0.0.0.0:6033"]
