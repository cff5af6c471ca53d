# Exact versions, so that two builds of one commit are equal.
ARG NODE=24.19.0
ARG PYTHON=3.11.14

# The front end: the libraries of npm and app/static, bundled into app/static/build.
FROM node:${NODE}-slim AS assets
WORKDIR /parley
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY build.mjs ./
COPY app/static app/static
RUN npm run build

# The Python packages, and the `parley` command, which imports the code from this directory. Only the version is copied
# here, so that a change of the code does not invalidate this layer.
FROM python:${PYTHON}-slim-trixie AS packages
WORKDIR /parley
RUN python -m venv /venv
COPY pyproject.toml ./
COPY requirements/base.txt requirements/
COPY app/__init__.py app/
RUN /venv/bin/pip install --quiet --no-cache-dir --require-hashes --requirement requirements/base.txt \
    && /venv/bin/pip install --quiet --no-cache-dir --no-deps --no-build-isolation --editable .

FROM python:${PYTHON}-slim-trixie
LABEL org.opencontainers.image.title="Parley" \
    org.opencontainers.image.description="A live comments service: a change by one person appears at once on every open page that shows it." \
    org.opencontainers.image.licenses="MIT"
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /parley
RUN useradd --system --uid 10001 --user-group --home-dir /parley --no-create-home parley \
    && install -d -o parley -g parley var
COPY --from=packages /venv /venv
COPY LICENSE THIRD_PARTY_NOTICES.md ./
COPY app app
COPY migrations migrations
COPY --from=assets /parley/app/static/build app/static/build
# Parley writes here and in /tmp only, so the rest may be mounted read-only.
VOLUME /parley/var
USER parley
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
# Trust the X-Forwarded-For and -Proto of a proxy on a private network. Never use "*": then a client could choose its
# address behind any proxy that appends to X-Forwarded-For.
ENV FORWARDED_ALLOW_IPS=127.0.0.1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16
# Development must be chosen explicitly: its key is published, and everybody can read all e-mails.
ENV ENVIRONMENT=production
# uvicorn cuts off streams that have not ended ten seconds after SIGTERM. Docker waits longer (docker-compose.yml).
CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000", \
    "--http", "app.bounded_http:BoundedHttpProtocol", "--timeout-graceful-shutdown", "10"]
