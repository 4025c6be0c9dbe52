# One image, one binary: docker build -t confab .
#
#   docker run -p 127.0.0.1:4000:4000 -v confab:/var/lib/confab confab      the embedded stack
#   docker run -v confab:/var/lib/confab confab verify                      any other command
#
# Settings come from the environment (docs/CONFIGURATION.md). BASE may be any Debian 12.
ARG BASE=debian:12-slim

FROM ${BASE} AS build
WORKDIR /src
# The compiler and the libraries are a layer of their own: a change of the code does not
# fetch them again.
COPY scripts/install scripts/
RUN scripts/install build && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt ./
COPY scripts/*.cmake scripts/
COPY migrations migrations
COPY src src
RUN cmake -S . -B /build -G Ninja && cmake --build /build --target confab && strip /build/confab

FROM ${BASE}
# What the binary is linked to. With libmariadb3 comes its folder of plugins: MySQL 8 needs
# caching_sha2_password of them. The certificates are for an Elasticsearch behind https.
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends \
        ca-certificates libcivetweb1 libcjson1 libcurl4 libczmq4 libhiredis0.14 libicu72 \
        libmariadb3 libsodium23 libsqlite3-0 libzmq5 zlib1g >/dev/null \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
# The id is fixed, so that a folder of the host can be given to it (chown 10001:10001).
RUN groupadd --gid 10001 confab \
    && useradd --uid 10001 --gid confab --no-log-init --no-create-home \
        --home-dir /var/lib/confab --shell /usr/sbin/nologin confab \
    && install -d -o confab -g confab -m 0750 /var/lib/confab
COPY --from=build /build/confab /usr/local/bin/confab

LABEL org.opencontainers.image.title="confab" \
      org.opencontainers.image.description="stores chats for other applications" \
      org.opencontainers.image.licenses="MIT"
ENV CONFAB_DATA=/var/lib/confab
USER confab
WORKDIR /var/lib/confab
VOLUME /var/lib/confab
EXPOSE 4000
# A stop takes up to 10 s for what is in flight and 5 s for each follower to catch up; give it
# `docker stop --time 30`. A server that waits for its services is not healthy yet.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=6s --start-period=120s --retries=3 CMD ["confab", "health"]
ENTRYPOINT ["confab"]
CMD ["serve"]
