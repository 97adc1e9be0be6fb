{{/*
A setting as text; empty if it is unset. Call with (dict "root" $ "name" NAME). Helm reads every number as a float, and
would write 1000000 as 1e+06.
*/}}
{{- define "proxy.setting" -}}
{{- $value := get .root.Values.settings .name -}}
{{- include "proxy.text" (dict "value" $value) -}}
{{- end }}

{{- define "proxy.text" -}}
{{- if kindIs "invalid" .value -}}
{{- else if and (kindIs "float64" .value) (eq (float64 (int64 .value)) .value) -}}
{{- int64 .value -}}
{{- else -}}
{{- toString .value -}}
{{- end -}}
{{- end }}

{{/* A duration such as 1m30s in whole seconds, rounded up; empty if the text is no duration. */}}
{{- define "proxy.seconds" -}}
{{- /* without zeros at the beginning: `int` would read an octal number */ -}}
{{- $pattern := "^(?:0*([0-9]+)h)?(?:0*([0-9]+)m)?(?:0*([0-9]+)s)?(?:0*([0-9]+)ms)?$" -}}
{{- if and . (regexMatch $pattern .) -}}
{{- $hours := regexReplaceAll $pattern . "${1}" | int -}}
{{- $minutes := regexReplaceAll $pattern . "${2}" | int -}}
{{- $seconds := regexReplaceAll $pattern . "${3}" | int -}}
{{- $rest := regexReplaceAll $pattern . "${4}" | int -}}
{{- add (mul $hours 3600) (mul $minutes 60) $seconds (ceil (divf $rest 1000)) -}}
{{- end -}}
{{- end }}

{{- define "proxy.drainSeconds" -}}
{{- include "proxy.seconds" (include "proxy.setting" (dict "root" . "name" "PROXY_DRAIN_TIMEOUT") | default "30s") -}}
{{- end }}

{{/*
The time between SIGTERM and SIGKILL. Without PROXY_STOP_GRACE: the drain, and 30 s for a last scrape of the messages that
it cut (one scrape interval of 15 s) and the exit (5 s).
*/}}
{{- define "proxy.stopGraceSeconds" -}}
{{- $given := include "proxy.setting" (dict "root" . "name" "PROXY_STOP_GRACE") -}}
{{- if $given -}}
{{- include "proxy.seconds" $given -}}
{{- else -}}
{{- add (include "proxy.drainSeconds" . | int) 30 -}}
{{- end -}}
{{- end }}

{{/* Kubernetes counts the sleep of the preStop hook as part of the grace period. */}}
{{- define "proxy.terminationGracePeriodSeconds" -}}
{{- add .Values.preStopSleepSeconds (include "proxy.stopGraceSeconds" . | int) -}}
{{- end }}

{{/* The listeners of PROXY_LISTEN as a YAML object: `listeners` has the scheme, the port and the parameters of each. */}}
{{- define "proxy.listeners" -}}
{{- $listeners := list -}}
{{- range splitList "," (include "proxy.setting" (dict "root" . "name" "PROXY_LISTEN") | default "smtp://0.0.0.0:2525") -}}
{{- $pattern := "(?i)^(smtps?)://(.+):0*([0-9]+)([?].*)?$" -}}
{{- $url := trim . -}}
{{- $port := regexReplaceAll $pattern $url "${3}" -}}
{{- $listeners = append $listeners (dict
      "url" $url
      "valid" (and (regexMatch $pattern $url) (ne $port "0"))
      "scheme" (regexReplaceAll $pattern $url "${1}" | lower)
      "host" (regexReplaceAll $pattern $url "${2}" | lower)
      "port" (int $port)
      "parameters" (regexReplaceAll $pattern $url "${4}")) -}}
{{- end -}}
{{- toYaml (dict "listeners" $listeners) -}}
{{- end }}

{{/* The listener of the probe, which no Service of apps has. It has the family of addresses of the others. */}}
{{- define "proxy.probeListener" -}}
smtp://{{ contains "[::]" (include "proxy.setting" (dict "root" . "name" "PROXY_LISTEN")) | ternary "[::]" "0.0.0.0" }}:2599?client=probe
{{- end }}

{{- define "proxy.upstreams" -}}
{{- include "proxy.setting" (dict "root" . "name" "PROXY_UPSTREAM") | default "smtp://send.ahasend.com:587" -}}
{{- end }}

{{- define "proxy.adminAddress" -}}
{{- include "proxy.setting" (dict "root" . "name" "PROXY_ADMIN") | default "http://0.0.0.0:9464" -}}
{{- end }}

{{- define "proxy.adminPort" -}}
{{- regexReplaceAll "(?i)^http://.+:([0-9]+)$" (include "proxy.adminAddress" .) "${1}" -}}
{{- end }}

{{/* The directory of the certificate's Secret. It is a directory, because Kubernetes does not update single files. */}}
{{- define "proxy.certificates" -}}
/certificates
{{- end }}

{{/* The settings that the chart computes, as a YAML object. */}}
{{- define "proxy.computedSettings" -}}
{{- $listen := include "proxy.setting" (dict "root" . "name" "PROXY_LISTEN") | default "smtp://0.0.0.0:2525" }}
PROXY_LISTEN: {{ .Values.probe.enabled | ternary (printf "%s,%s" $listen (include "proxy.probeListener" .)) $listen | quote }}
PROXY_ADMIN: {{ include "proxy.adminAddress" . | quote }}
PROXY_STOP_GRACE: {{ include "proxy.stopGraceSeconds" . }}s
OTEL_RESOURCE_ATTRIBUTES: {{ include "proxy.resourceAttributes" . | quote }}
{{- if .Values.tls.secretName }}
PROXY_TLS_CERT_FILE: {{ include "proxy.certificates" . }}/{{ .Values.tls.certificateKey }}
PROXY_TLS_KEY_FILE: {{ include "proxy.certificates" . }}/{{ .Values.tls.privateKeyKey }}
{{- end }}
{{- end }}

{{/* Where the proxy runs. What the settings contain comes last, and therefore overrides it. */}}
{{- define "proxy.resourceAttributes" -}}
service.instance.id=$(K8S_POD_NAME),k8s.namespace.name=$(K8S_NAMESPACE_NAME),k8s.pod.name=$(K8S_POD_NAME),k8s.node.name=$(K8S_NODE_NAME)
{{- with include "proxy.setting" (dict "root" . "name" "OTEL_RESOURCE_ATTRIBUTES") }},{{ . }}{{ end }}
{{- end }}

{{/* The environment of the proxy. A setting may refer to an earlier variable: $(NAME). */}}
{{- define "proxy.env" -}}
- name: K8S_NAMESPACE_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- name: K8S_POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: K8S_NODE_NAME
  valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- $settings := merge (dict) (fromYaml (include "proxy.computedSettings" .)) .Values.settings }}
{{- include "proxy.envOf" (dict "settings" $settings "settingsFrom" .Values.settingsFrom) }}
{{- end }}

{{/* Settings, and settings from Secrets and ConfigMaps, as a list of variables. */}}
{{- define "proxy.envOf" }}
{{- range $name, $value := .settings }}
{{- $text := include "proxy.text" (dict "value" $value) }}
{{- if $text }}
- name: {{ $name }}
  value: {{ $text | quote }}
{{- end }}
{{- end }}
{{- range $name, $source := .settingsFrom }}
- name: {{ $name }}
  valueFrom:
    {{- toYaml $source | nindent 4 }}
{{- end }}
{{- end }}

{{/* The listener that the probe connects to: the Service of the admin server has its port. */}}
{{- define "proxy.probeTarget" -}}
smtp://{{ include "proxy.fullname" . }}-admin:2599
{{- end }}

{{- define "proxy.probeTargetPort" -}}
{{- $target := include "proxy.text" (dict "value" .Values.probe.settings.PROBE_TARGET) | default (include "proxy.probeTarget" .) -}}
{{- regexReplaceAll "^.*:0*([0-9]+)$" $target "${1}" -}}
{{- end }}
