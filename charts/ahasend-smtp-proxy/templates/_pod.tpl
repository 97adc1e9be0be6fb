{{/* The part of every pod that does not depend on its component. */}}
{{- define "proxy.podSettings" -}}
serviceAccountName: {{ include "proxy.serviceAccount" . | quote }}
automountServiceAccountToken: false
# Kubernetes would add variables of Services: of one named "proxy", PROXY_PORT, about which the proxy would warn.
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The part of every container that does not depend on its component. */}}
{{- define "proxy.containerSettings" -}}
image: {{ include "proxy.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{/* The variables of the proxy and of the test. */}}
{{- define "proxy.environment" -}}
env:
  {{- include "proxy.env" . | nindent 2 }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Files of the proxy: its certificate and what the values add. */}}
{{- define "proxy.volumeMounts" -}}
{{- if .Values.tls.secretName }}
- name: certificates
  mountPath: {{ include "proxy.certificates" . }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "proxy.volumes" -}}
{{- if .Values.tls.secretName }}
- name: certificates
  secret:
    secretName: {{ .Values.tls.secretName }}
    # 0440: only the group of podSecurityContext.fsGroup can read the key
    defaultMode: 288
    items:
      - { key: {{ .Values.tls.certificateKey }}, path: {{ .Values.tls.certificateKey }} }
      - { key: {{ .Values.tls.privateKeyKey }}, path: {{ .Values.tls.privateKeyKey }} }
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The lists above under their keys, if they are not empty. Call with (dict "root" $ "key" NAME). */}}
{{- define "proxy.listUnlessEmpty" -}}
{{- with include (printf "proxy.%s" .key) .root | trim }}
{{ $.key }}:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}
