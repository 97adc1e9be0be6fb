{{/* What values.schema.json cannot check. All mistakes are reported together. */}}
{{- define "proxy.validate" -}}
{{- $mistakes := list -}}
{{- $tls := or .Values.tls.secretName (include "proxy.setting" (dict "root" . "name" "PROXY_TLS_CERT_FILE")) -}}
{{- range (fromYaml (include "proxy.listeners" .)).listeners -}}
{{- if not .valid -}}
{{- $mistakes = append $mistakes (printf "settings.PROXY_LISTEN: %q: expected smtp://HOST:PORT or smtps://HOST:PORT, with a port other than 0. Without a fixed port, no Service can lead to the proxy." .url) -}}
{{- else if and (not $tls) (or (eq .scheme "smtps") (contains "starttls=required" .parameters)) -}}
{{- $mistakes = append $mistakes (printf "settings.PROXY_LISTEN: %q: expected a certificate for this listener. Set tls.secretName to a Secret of the type kubernetes.io/tls, or use a listener without TLS." .url) -}}
{{- end -}}
{{- end -}}
{{- $ports := list -}}
{{- range (fromYaml (include "proxy.listeners" .)).listeners -}}
{{- $ports = append $ports (toString .port) -}}
{{- end -}}
{{- range $value := list "ports" "nodePorts" -}}
{{- range $port, $ignored := get $.Values.service $value -}}
{{- if not (has $port $ports) -}}
{{- $mistakes = append $mistakes (printf "service.%s: %q: expected the port of a listener in settings.PROXY_LISTEN (%s). Without a listener, no one answers there." $value $port (join ", " $ports)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.service.type "ClusterIP") (or .Values.service.externalTrafficPolicy .Values.service.nodePorts) -}}
{{- $mistakes = append $mistakes "service.externalTrafficPolicy, service.nodePorts: expected no value, because service.type is ClusterIP. Remove them, or set service.type to NodePort or LoadBalancer." -}}
{{- end -}}
{{- range list "PROXY_DRAIN_TIMEOUT" "PROXY_STOP_GRACE" -}}
{{- $given := include "proxy.setting" (dict "root" $ "name" .) -}}
{{- if and $given (not (include "proxy.seconds" $given)) -}}
{{- $mistakes = append $mistakes (printf "settings.%s: %q: expected a duration, written like 250ms, 10s or 1m30s." . $given) -}}
{{- end -}}
{{- end -}}
{{- $least := add (include "proxy.drainSeconds" . | int) 5 -}}
{{- if lt (include "proxy.stopGraceSeconds" . | int) (int $least) -}}
{{- $mistakes = append $mistakes (printf "settings.PROXY_STOP_GRACE: %q: expected at least %ds, which is 5s above PROXY_DRAIN_TIMEOUT: otherwise Kubernetes kills the proxy while messages are in flight. Remove it, and the chart sets 30s above PROXY_DRAIN_TIMEOUT." (include "proxy.setting" (dict "root" . "name" "PROXY_STOP_GRACE")) $least) -}}
{{- end -}}
{{- if not (regexMatch "^http://.+:[1-9][0-9]*/?$" (include "proxy.adminAddress" .)) -}}
{{- $mistakes = append $mistakes (printf "settings.PROXY_ADMIN: %q: expected http://HOST:PORT with a port other than 0, because Kubernetes checks the health of the pods there." (include "proxy.adminAddress" .)) -}}
{{- end -}}
{{- if .Values.tls.secretName -}}
{{- range list "PROXY_TLS_CERT_FILE" "PROXY_TLS_KEY_FILE" -}}
{{- if include "proxy.setting" (dict "root" $ "name" .) -}}
{{- $mistakes = append $mistakes (printf "settings.%s: expected no value, because tls.secretName is set. Remove one of them." .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $source := .Values.settingsFrom -}}
{{- if include "proxy.setting" (dict "root" $ "name" $name) -}}
{{- $mistakes = append $mistakes (printf "settingsFrom.%s: settings.%s is also set. Remove one of them." $name $name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $source := .Values.probe.settingsFrom -}}
{{- if include "proxy.text" (dict "value" (get $.Values.probe.settings $name)) -}}
{{- $mistakes = append $mistakes (printf "probe.settingsFrom.%s: probe.settings.%s is also set. Remove one of them." $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled .Values.monitor.enabled (not .Values.networkPolicy.monitoring) -}}
{{- $mistakes = append $mistakes "networkPolicy.monitoring: is empty: expected the pods that may scrape the metrics, because monitor.enabled is true. For example: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- $mistakes = append $mistakes (printf "autoscaling.minReplicas: %v: expected at most autoscaling.maxReplicas, which is %v." .Values.autoscaling.minReplicas .Values.autoscaling.maxReplicas) -}}
{{- end -}}
{{- if $mistakes -}}
{{- fail (printf "\n%s\n" (join "\n" $mistakes)) -}}
{{- end -}}
{{- end }}
