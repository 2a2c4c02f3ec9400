# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock build.rs ./
COPY src src
COPY config config
# The tests are named in the manifest; the build does not need them.
RUN mkdir -p tests/it && echo 'fn main() {}' > tests/it/main.rs
ARG BUILD_COMMIT=unknown
ARG BUILD_DATE=unknown
RUN BUILD_COMMIT="$BUILD_COMMIT" BUILD_DATE="$BUILD_DATE" cargo build --release --locked --bin mcp-registry-proxy
# The store's directory: a new volume that is mounted there gets its owner.
RUN mkdir /state

# glibc, certificates, a user without privileges; no shell. Nothing but the volume is written to, so the container runs
# with a read-only root file system.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/mcp-registry-proxy /usr/local/bin/mcp-registry-proxy
COPY --from=build --chown=65532:65532 /state /home/nonroot/state
# By number, so that a cluster can see that it is not root.
USER 65532:65532
WORKDIR /home/nonroot
VOLUME ["/home/nonroot/state"]
# Inside a container, loopback would reach nobody.
ENV MCP_REGISTRY_PROXY__SERVER__LISTEN=0.0.0.0:8080
# glibc keeps memory for each thread that has ever asked for some; two shares are enough.
ENV MALLOC_ARENA_MAX=2
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s CMD ["/usr/local/bin/mcp-registry-proxy", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/mcp-registry-proxy"]
CMD ["serve"]
