{{/*
What values.schema.json cannot check. Each template below writes one line for each mistake; all of them are reported together.
*/}}
{{- define "proxy.validate" -}}
{{- $mistakes := list -}}
{{- range list "listeners" "ports" "servers" "times" "certificate" "sources" "service" "policies" -}}
{{- $mistakes = concat $mistakes (splitList "\n" (include (printf "proxy.mistakes.%s" .) $)) -}}
{{- end -}}
{{- with compact $mistakes -}}
{{- fail (printf "\n%s\n" (join "\n" .)) -}}
{{- end -}}
{{- end }}

{{- define "proxy.mistakes.listeners" -}}
{{- $tls := or .Values.tls.secretName (include "proxy.setting" (dict "root" . "name" "PROXY_TLS_CERT_FILE")) -}}
{{- range (fromYaml (include "proxy.listeners" .)).listeners }}
{{- if not .valid }}
settings.PROXY_LISTEN: {{ .url | quote }}: expected smtp://HOST:PORT or smtps://HOST:PORT, with a port other than 0. Without a fixed port, no Service can lead to the proxy.
{{- else if regexMatch "^(127[.]|localhost$|\\[::1\\]$)" .host }}
settings.PROXY_LISTEN: {{ .url | quote }}: expected a host that other pods reach, such as 0.0.0.0, or [::] with IPv6.
{{- else if and (not $tls) (or (eq .scheme "smtps") (contains "starttls=required" .parameters)) }}
settings.PROXY_LISTEN: {{ .url | quote }}: expected a certificate for this listener. Set tls.secretName to a Secret of the type kubernetes.io/tls, or use a listener without TLS.
{{- end }}
{{- end }}
{{- end }}

{{/* Two servers of a pod cannot share a port, and Kubernetes would only say so when the objects are half changed. */}}
{{- define "proxy.mistakes.ports" -}}
{{- $users := dict (include "proxy.adminPort" .) "settings.PROXY_ADMIN" -}}
{{- if .Values.probe.enabled -}}
{{- $_ := set $users "2599" "the listener for the probe" -}}
{{- end -}}
{{- range (fromYaml (include "proxy.listeners" .)).listeners }}
{{- $port := toString .port }}
{{- with and .valid (get $users $port) }}
settings.PROXY_LISTEN: port {{ $port }} is already that of {{ . }}. Choose another one.
{{- end }}
{{- $_ := set $users $port "another listener" }}
{{- end }}
{{- end }}

{{- define "proxy.mistakes.servers" -}}
{{- $admin := include "proxy.adminAddress" . -}}
{{- if or (not (regexMatch "(?i)^http://.+:[1-9][0-9]*$" $admin)) (regexMatch "(?i)^http://(127[.]|localhost:|\\[::1\\]:)" $admin) }}
settings.PROXY_ADMIN: {{ $admin | quote }}: expected http://HOST:PORT with a host that other pods reach, such as 0.0.0.0, and a port other than 0. Kubernetes checks the health of the pods there.
{{- end }}
{{- range splitList "," (include "proxy.upstreams" .) }}
{{- if not (regexMatch "(?i)^smtp://.+:[1-9][0-9]*([?].*)?$" (trim .)) }}
settings.PROXY_UPSTREAM: {{ . | quote }}: expected smtp://HOST:PORT, such as smtp://send.ahasend.com:587.
{{- end }}
{{- end }}
{{- end }}

{{- define "proxy.mistakes.times" -}}
{{- $valid := true -}}
{{- range list "PROXY_DRAIN_TIMEOUT" "PROXY_STOP_GRACE" }}
{{- $given := include "proxy.setting" (dict "root" $ "name" .) }}
{{- if and $given (not (include "proxy.seconds" $given)) }}
{{- $valid = false }}
settings.{{ . }}: {{ $given | quote }}: expected a duration, written like 250ms, 10s or 1m30s.
{{- end }}
{{- end }}
{{- $least := add (include "proxy.drainSeconds" . | int) 5 }}
{{- if and $valid (lt (include "proxy.stopGraceSeconds" . | int) (int $least)) }}
settings.PROXY_STOP_GRACE: {{ include "proxy.setting" (dict "root" . "name" "PROXY_STOP_GRACE") | quote }}: expected at least {{ $least }}s, which is 5s above PROXY_DRAIN_TIMEOUT: otherwise Kubernetes kills the proxy while messages are in flight. If you remove it, the chart sets 30s above PROXY_DRAIN_TIMEOUT.
{{- end }}
{{- end }}

{{- define "proxy.mistakes.certificate" -}}
{{- if .Values.tls.secretName }}
{{- range list "PROXY_TLS_CERT_FILE" "PROXY_TLS_KEY_FILE" }}
{{- if include "proxy.setting" (dict "root" $ "name" .) }}
settings.{{ . }}: expected no value, because tls.secretName is set. Remove one of them.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "proxy.mistakes.sources" -}}
{{- range $name, $source := .Values.settingsFrom }}
{{- if include "proxy.setting" (dict "root" $ "name" $name) }}
settingsFrom.{{ $name }}: settings.{{ $name }} is also set. Remove one of them.
{{- end }}
{{- end }}
{{- range $name, $source := .Values.probe.settingsFrom }}
{{- if include "proxy.text" (dict "value" (get $.Values.probe.settings $name)) }}
probe.settingsFrom.{{ $name }}: probe.settings.{{ $name }} is also set. Remove one of them.
{{- end }}
{{- end }}
{{- end }}

{{- define "proxy.mistakes.service" -}}
{{- $ports := list -}}
{{- range (fromYaml (include "proxy.listeners" .)).listeners -}}
{{- $ports = append $ports (toString .port) -}}
{{- end -}}
{{- range $value := list "ports" "nodePorts" }}
{{- range $port, $ignored := get $.Values.service $value }}
{{- if not (has $port $ports) }}
service.{{ $value }}: {{ $port | quote }}: expected the port of a listener in settings.PROXY_LISTEN ({{ join ", " $ports }}). Without a listener, no one answers there.
{{- end }}
{{- end }}
{{- end }}
{{- if eq .Values.service.type "ClusterIP" }}
{{- range list "externalTrafficPolicy" "nodePorts" "loadBalancerClass" "loadBalancerSourceRanges" }}
{{- if get $.Values.service . }}
service.{{ . }}: expected no value, because service.type is ClusterIP. Remove it, or set service.type to LoadBalancer or NodePort.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "proxy.mistakes.policies" -}}
{{- if and .Values.networkPolicy.enabled .Values.monitor.enabled (not .Values.networkPolicy.monitoring) }}
networkPolicy.monitoring: is empty: expected the pods that may scrape the metrics, because monitor.enabled is true. For example: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
{{- end }}
{{- with .Values.autoscaling }}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}
autoscaling.minReplicas: {{ .minReplicas }}: expected at most autoscaling.maxReplicas, which is {{ .maxReplicas }}.
{{- end }}
{{- end }}
{{- end }}
