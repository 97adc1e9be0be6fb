# The proxy and nothing else: Node, the libraries that Node is linked with, and the code that runs. No shell, no package
# manager, no development dependency. Any image with glibc 2.34 and Node 24 or later can be the base, also one with a digest:
#   docker build --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:... --build-arg REVISION=$(git rev-parse HEAD) .
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /image/app
COPY package.json package-lock.json ./
# maps and declarations are for those who write programs
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete \
  && rm package-lock.json node_modules/.package-lock.json
# with its libraries where the loader looks for them
RUN install -D "$(command -v node)" /image/usr/local/bin/node \
  && ldd "$(command -v node)" | grep -o '/[^ ]*' | xargs -I LIBRARY cp --parents -L LIBRARY /image
RUN mkdir /image/etc \
  && printf 'root:x:0:0:root:/:/none\nnode:x:1000:1000:node:/:/none\n' > /image/etc/passwd \
  && printf 'root:x:0:\nnode:x:1000:\n' > /image/etc/group \
  && printf 'hosts: files dns\n' > /image/etc/nsswitch.conf \
  && mkdir -p /volumes/certificates /volumes/config
COPY LICENSE ./
COPY settings settings
COPY app app
COPY otel otel
COPY proxy proxy

FROM scratch
COPY --from=build /image /
# A volume that is mounted for the first time belongs to the owner of its directory here: the user below, and Alertmanager's.
COPY --from=build --chown=1000:1000 /volumes/certificates /certificates
COPY --from=build --chown=65534:65534 /volumes/config /config
WORKDIR /app
USER 1000:1000
ENV NODE_ENV=production \
  PROXY_LISTEN=smtp://0.0.0.0:2525 \
  PROXY_ADMIN=http://0.0.0.0:9464
EXPOSE 2525 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["/usr/local/bin/node", "app/health.ts"]
# no shell in between: SIGTERM reaches the proxy, which drains. Arguments are those of `npm start`: check, --help
ENTRYPOINT ["/usr/local/bin/node", "--disable-sigusr1", "app/entry.js"]
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ahasend-smtp-proxy" \
  org.opencontainers.image.description="A transparent SMTP proxy in front of AhaSend: every reply code, connection lifetime and message size becomes a metric." \
  org.opencontainers.image.version="0.1.0" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.source="https://github.com/AhaSend/ahasend-smtp-proxy" \
  org.opencontainers.image.documentation="https://github.com/AhaSend/ahasend-smtp-proxy#readme"
