# Only the proxy: Node, the libraries that Node is linked with, and the bundle of `npm run build`. No shell, no package
# manager, no packages. The base can be any image with glibc 2.34 and Node 24 or later, also with a digest:
#   docker build --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:... --build-arg REVISION=$(git rev-parse HEAD) .
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /source
COPY package.json package-lock.json ./
# only what the bundle contains and what builds it, in the versions of package.json and the lock file
RUN npm install --save-prod --omit=dev --ignore-scripts --no-audit --no-fund $(node --print " \
  Object.entries(require('./package.json').devDependencies) \
    .filter(([name]) => /^(@opentelemetry\/.*|esbuild|ipaddr\.js|pino|uplot)$/.test(name)) \
    .map(([name, version]) => name + '@' + version).join(' ')")
# Node, with its libraries where the loader looks for them
RUN install -D "$(command -v node)" /image/usr/local/bin/node \
  && ldd "$(command -v node)" | grep -o '/[^ ]*' | xargs -I LIBRARY cp --parents -L LIBRARY /image
RUN mkdir /image/etc \
  && printf 'root:x:0:0:root:/:/none\nnode:x:1000:1000:node:/:/none\n' > /image/etc/passwd \
  && printf 'root:x:0:\nnode:x:1000:\n' > /image/etc/group \
  && printf 'hosts: files dns\n' > /image/etc/nsswitch.conf \
  && mkdir -p /volumes/certificates /volumes/config /volumes/monitoring
COPY settings settings
COPY app app
COPY otel otel
COPY status status
COPY proxy proxy
# `check` reads the names and the settings of the alert receivers; compose.yaml writes their configuration
COPY dashboards/alertmanager dashboards/alertmanager
COPY dashboards/alerts/outages.ts dashboards/alerts/
COPY dashboards/monitoring dashboards/monitoring
COPY bundle bundle
COPY LICENSE /image/app/
RUN node bundle/main.ts --image --out /image/app
# the configuration of Prometheus, Tempo and Grafana, which compose.yaml copies to a volume
COPY otel/stack/prometheus.yml otel/stack/tempo.yaml /image/app/monitoring/
COPY dashboards/provisioning /image/app/monitoring/provisioning
COPY dashboards/generated/*.rules.yaml /image/app/monitoring/rules/
COPY dashboards/generated/*.json /image/app/monitoring/dashboards/

FROM scratch
COPY --from=build /image /
# A new volume takes the owner of the directory that it is mounted on: the user below, and Alertmanager's user.
COPY --from=build --chown=1000:1000 /volumes/certificates /certificates
COPY --from=build --chown=1000:1000 /volumes/monitoring /monitoring
COPY --from=build --chown=65534:65534 /volumes/config /config
WORKDIR /app
USER 1000:1000
ENV NODE_ENV=production \
  PROXY_LISTEN=smtp://0.0.0.0:2525 \
  PROXY_ADMIN=http://0.0.0.0:9464 \
  PROBE_TARGET=smtp://proxy:2599 \
  PROBE_METRICS=http://0.0.0.0:9465
EXPOSE 2525 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["/usr/local/bin/node", "health.cjs"]
# without a shell, so that SIGTERM reaches the proxy and starts a drain. Takes the arguments of `npm start`: check, --help
ENTRYPOINT ["/usr/local/bin/node", "--disable-sigusr1", "proxy.cjs"]
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ahasend-smtp-proxy" \
  org.opencontainers.image.description="A transparent SMTP proxy in front of AhaSend: every reply code, connection lifetime and message size becomes a metric." \
  org.opencontainers.image.version="0.2.0" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.source="https://github.com/AhaSend/ahasend-smtp-proxy" \
  org.opencontainers.image.documentation="https://github.com/AhaSend/ahasend-smtp-proxy#readme"
