# The supervisor's image for people without a toolchain; nothing but a Docker Engine is needed, BuildKit neither:
#
#   docker build -t supervisor .
#   docker build -t supervisor REPOSITORY-URL
#
# With the toolchain, scripts/image makes the same image of what `make` has built. BASE is another Debian suite, or
# another place to take it from: docker build --build-arg BASE=debian:trixie-slim …
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
# The packages by themselves, so that a change of the program does not fetch them again.
COPY scripts/lib.sh scripts/
RUN . scripts/lib.sh && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages_build[@]}"
COPY . .
RUN make -j"$(nproc)" && scripts/image-tree /tree

# scripts/image takes what follows FROM here for its image too: each instruction on one line.
FROM scratch
COPY --from=build /tree/ /
ENV PATH=/bin
ENTRYPOINT ["/bin/supervisor"]
CMD ["run"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=2 CMD ["/bin/supervisor", "health"]
LABEL supervisor.version=0.1.0
