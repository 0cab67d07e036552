# Facegate as a container: the server, SageMaker's `train` and `serve`, and the command line.
#   docker build -t facegate .
#   docker run -p 8080:8080 -v facegate:/var/lib/facegate -e FACEGATE_ADMIN_KEY facegate
# docs/cloud-run.md says more; tests/cloud/image.py performs these steps without Docker.
FROM debian:bookworm-slim AS video
WORKDIR /src
COPY script/ script/
RUN bash -c '. script/lib.sh && apt-get update -q && apt-get install -q -y --no-install-recommends $(packages video) && script/ffmpeg /out'

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY script/ script/
RUN bash -c '. script/lib.sh && apt-get update -q && apt-get install -q -y --no-install-recommends $(packages build)'
COPY . .
RUN meson setup /build --prefix /usr --strip -Dtests=false && ninja -C /build && DESTDIR=/out meson install -C /build --no-rebuild

FROM debian:bookworm-slim
COPY script/packages script/lib.sh /tmp/script/
RUN bash -c '. /tmp/script/lib.sh && apt-get update -q && apt-get install -q -y --no-install-recommends $(packages run)' \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /tmp/script
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/facegate --create-home --shell /usr/sbin/nologin facegate \
    && chmod 700 /var/lib/facegate
COPY --from=video /out/usr/ /usr/
COPY --from=build /out/usr/ /usr/
ENV FACEGATE_DATA=/var/lib/facegate FACEGATE_LISTEN=0.0.0.0 FACEGATE_LOG_FORMAT=json
WORKDIR /var/lib/facegate
USER 10001
EXPOSE 8080
ENTRYPOINT ["/usr/bin/facegate"]
CMD ["serve"]
