{{- define "tongdui.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "tongdui.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "tongdui.labels" -}}
{{ include "tongdui.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* The Secret of a password: one that is there already, or the chart's own. */}}
{{- define "tongdui.secret" -}}
{{- $given := required (printf "secrets.%s is needed" .name) (get .root.Values.secrets .name) }}
{{- if $given.existingSecret }}{{ $given.existingSecret }}{{ else }}{{ include "tongdui.name" .root }}-{{ .name | replace "_" "-" }}{{ end }}
{{- end }}

{{- define "tongdui.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What every pod of ours may do: nothing. */}}
{{- define "tongdui.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false # otherwise a Service `tongdui-gateway` would set TONGDUI_GATEWAY_PORT
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "tongdui.container" -}}
image: {{ include "tongdui.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "tongdui.database" -}}
- name: TONGDUI_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ required "database.existingSecret is needed: a Secret with the database's URL" .Values.database.existingSecret }}
      key: {{ .Values.database.key }}
{{- end }}
