{{/* The ports of AhaSend and of the OTLP receivers, as a YAML object. */}}
{{- define "proxy.egressPorts" -}}
{{- $ports := list -}}
{{- range splitList "," (include "proxy.upstreams" .) -}}
{{- $ports = append $ports (regexReplaceAll "^.*:([0-9]+)([?].*)?$" (trim .) "${1}" | int) -}}
{{- end -}}
{{- range $name, $any := .Values.settings -}}
{{- $value := include "proxy.text" (dict "value" $any) -}}
{{- if and $value (regexMatch "^OTEL_EXPORTER_OTLP_(.+_)?ENDPOINT$" $name) -}}
{{- $default := hasPrefix "https:" $value | ternary "443" "80" -}}
{{- $ports = append $ports (regexReplaceAll "^https?://[^/]*?(?::0*([0-9]+))?(/.*)?$" $value "${1}" | default $default | int) -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "ports" (uniq $ports)) -}}
{{- end }}

{{/*
What Prometheus does with the targets of a component. Call with (dict "root" $ "job" NAME). Alerts and dashboards expect
the job, and an address says less than the name of the pod.
*/}}
{{- define "proxy.endpoint" -}}
port: admin
path: /metrics
interval: {{ .root.Values.monitor.interval }}
{{- with .root.Values.monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  - { targetLabel: job, replacement: {{ .job }} }
  - { sourceLabels: [__meta_kubernetes_pod_name], targetLabel: instance }
  {{- with .root.Values.monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
