# syntax=docker/dockerfile:1
# Two stages: everything that builds stays in the first. Pin both bases by digest when you publish.
ARG NODE_IMAGE=docker.io/library/node:26-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs26-debian13:nonroot

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY toolchain ./toolchain
# No package may run code while it is installed.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node scripts/build.cjs \
 && npm sbom --omit dev --sbom-format cyclonedx > dist/sbom.cdx.json

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="postern" \
      org.opencontainers.image.description="Authentication sidecar: verifies who is asking and tells an unmodified HTTP API one header." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/example/postern" \
      org.opencontainers.image.documentation="https://postern.example/" \
      org.opencontainers.image.vendor="Postern maintainers" \
      org.opencontainers.image.base.name="gcr.io/distroless/nodejs26-debian13:nonroot" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
WORKDIR /app
# The bundle needs no node_modules. Owned by root, so that nothing of it can be changed from within.
COPY --from=build --chown=0:0 /build/dist ./dist
# Says that the bundle is of ES modules: Node would compile each file one more time to find out.
COPY --from=build --chown=0:0 /build/package.json ./package.json
COPY --from=build --chown=0:0 /build/LICENSE ./LICENSE
ENV NODE_ENV=production
# As the launcher starts it, for a Debian with glibc: 15 MiB less.
ENV MALLOC_ARENA_MAX=1
USER 65532:65532
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
# Heap bounded by the memory of the container; no debugger by signal.
ENTRYPOINT ["/nodejs/bin/node", "--max-old-space-size-percentage=60", "--disable-sigusr1", "--max-semi-space-size=8", "--min-semi-space-size=3", "/app/dist/main.js"]
CMD ["run", "--config", "/etc/postern/postern.yaml"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/nodejs/bin/node", "/app/dist/main.js", "healthcheck"]
