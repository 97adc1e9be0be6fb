{{/* The name of the chart, or nameOverride. */}}
{{- define "proxy.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{/* The name of the objects: the release, and the chart unless the release already contains its name. Suffixes need 13 characters. */}}
{{- define "proxy.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "proxy.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "proxy.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "proxy.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "proxy.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{/* A digest decides, even if there is a tag. */}}
{{- define "proxy.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ $tag }}{{ end -}}
{{- end }}

{{/* The labels that select pods. Call with (dict "root" $ "component" NAME). They never change: selectors cannot. */}}
{{- define "proxy.selectorLabels" -}}
app.kubernetes.io/name: {{ include "proxy.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "proxy.chartLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: ahasend-smtp-proxy
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
The labels of an object or a pod. Call as proxy.selectorLabels, and optionally with "labels": these override those of the
chart, except those that select pods.
*/}}
{{- define "proxy.labels" -}}
{{- $selectors := fromYaml (include "proxy.selectorLabels" .) -}}
{{- $given := merge (dict) (.labels | default dict) .root.Values.commonLabels -}}
{{- toYaml (merge (dict) $selectors $given (fromYaml (include "proxy.chartLabels" .root))) -}}
{{- end }}

{{/* The metadata of an object. Call as proxy.labels, and optionally with "suffix", "namespace" and "annotations". */}}
{{- define "proxy.metadata" -}}
{{- $annotations := merge (dict) (.annotations | default dict) .root.Values.commonAnnotations -}}
name: {{ list (include "proxy.fullname" .root) .suffix | compact | join "-" | quote }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
labels:
  {{- include "proxy.labels" . | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
