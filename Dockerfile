# syntax=docker/dockerfile:1
#
# docker build --build-arg BUILD_COMMIT="$(git rev-parse HEAD)" --build-arg BUILD_DATE="$(git log -1 --format=%cI)" \
#   --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" --tag mcp-registry-proxy .
#
# For a build that can be repeated, pin both images by digest, too: `docker buildx imagetools inspect IMAGE` names it,
# and `--build-arg BUILD_IMAGE=IMAGE@sha256:…` (RUNTIME_IMAGE) takes it; with
# `--output type=image,rewrite-timestamp=true`, files get the time of SOURCE_DATE_EPOCH.
ARG BUILD_IMAGE=docker.io/library/rust:1.95-slim-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock build.rs ./
COPY config config
COPY src src
# What `--version` says of where the binary comes from: the build finds them in its environment, where they are given.
ARG BUILD_COMMIT=unknown
ARG BUILD_DATE=unknown
ARG SOURCE_DATE_EPOCH
# Crates and what was built of them stay in the builder, from one build to the next; the binary does not stay there.
# The tests and the benchmarks are named in the manifest; the build does not need them.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    mkdir -p tests/it benches/load benches/speed /out/state \
    && echo 'fn main() {}' > tests/it/main.rs \
    && echo 'fn main() {}' > benches/load/main.rs \
    && echo 'fn main() {}' > benches/speed/main.rs \
    && cargo build --release --locked --bin mcp-registry-proxy \
    && cp target/release/mcp-registry-proxy /out/

# glibc, certificates, a user without privileges; no shell. Nothing but the volume is written to, so the container runs
# with a read-only root file system.
FROM ${RUNTIME_IMAGE}
ARG BUILD_COMMIT=unknown
ARG BUILD_DATE=unknown
LABEL org.opencontainers.image.title="mcp-registry-proxy" \
      org.opencontainers.image.description="One URL in front of many MCP registries" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.revision="${BUILD_COMMIT}" \
      org.opencontainers.image.created="${BUILD_DATE}"
COPY --from=build /out/mcp-registry-proxy /usr/local/bin/mcp-registry-proxy
# The store's directory: a new volume that is mounted there gets its owner.
COPY --from=build --chown=65532:65532 /out/state /home/nonroot/state
# By number, so that a cluster can see that it is not root.
USER 65532:65532
WORKDIR /home/nonroot
VOLUME ["/home/nonroot/state"]
# Inside a container, loopback would reach nobody. The admin listener stays there, unless it is configured with a token.
# This variable counts for more than `server.listen` of a file that is mounted: who wants another address sets it, too.
ENV MCP_REGISTRY_PROXY__SERVER__LISTEN=0.0.0.0:8080
# glibc keeps memory for each thread that has ever asked for some; two shares are enough.
ENV MALLOC_ARENA_MAX=2
EXPOSE 8080
# Who serves with `--config`, or over TLS, gives the same file to the health check: deploy/compose.yaml shows how.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s CMD ["/usr/local/bin/mcp-registry-proxy", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/mcp-registry-proxy"]
CMD ["serve"]
