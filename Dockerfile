# docker build -t graphnexus .
FROM ghcr.io/astral-sh/uv:0.9-python3.13-bookworm-slim AS built
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --no-install-project
COPY README.md LICENSE ./
COPY graph graph
COPY nodes nodes
COPY checkpoints checkpoints
COPY server server
COPY evals evals
RUN uv sync --locked --no-dev --no-editable

FROM python:3.13-slim-bookworm
# What code runs in; where Docker's own rules forbid it, Landlock takes its place.
RUN apt-get update && apt-get install --yes --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --no-create-home graphnexus && install --directory --owner graphnexus /data
COPY --from=built /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 GRAPHNEXUS_HOST=0.0.0.0 GRAPHNEXUS_DATA_DIR=/data
USER graphnexus
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=3)"]
ENTRYPOINT ["graphnexus"]
CMD ["serve"]
