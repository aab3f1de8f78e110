{{- define "bunsen.name" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}{{ else if contains "bunsen" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-bunsen" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* What selects pods: it must never change, nor tell of a version. */}}
{{- define "bunsen.selector" -}}
app.kubernetes.io/name: bunsen
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "bunsen.labels" -}}
{{ include "bunsen.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{- /* The label of everything that this release's experiments have on the cluster. */}}
{{- define "bunsen.installation" -}}
{{ printf "%s.%s" .Release.Namespace .Release.Name | trunc 63 | trimSuffix "-" | trimSuffix "." }}
{{- end }}

{{- define "bunsen.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "bunsen.jobsNamespace" -}}
{{ .Values.jobs.namespace | default .Release.Namespace }}
{{- end }}

{{- define "bunsen.url" -}}
http://{{ include "bunsen.name" . }}.{{ .Release.Namespace }}.svc:{{ .Values.service.port }}
{{- end }}

{{- define "bunsen.databaseSecret" -}}
{{ .Values.database.existingSecret | default (printf "%s-database" (include "bunsen.name" .)) }}
{{- end }}

{{- /* How users reach it: as the values say, else through the ingress. */}}
{{- define "bunsen.publicUrl" -}}
{{- if .Values.publicUrl }}{{ .Values.publicUrl }}
{{- else if .Values.ingress.enabled }}{{ ternary "https" "http" (ne .Values.ingress.tlsSecret "") }}://{{ .Values.ingress.host }}
{{- end }}
{{- end }}

{{- define "bunsen.databaseKey" -}}
{{ ternary .Values.database.existingSecretKey "url" (ne .Values.database.existingSecret "") }}
{{- end }}

{{- define "bunsen.rootKey" -}}
{{ ternary .Values.rootPassword.existingSecretKey "password" (ne .Values.rootPassword.existingSecret "") }}
{{- end }}

{{- define "bunsen.rootSecret" -}}
{{ .Values.rootPassword.existingSecret | default (printf "%s-root" (include "bunsen.name" .)) }}
{{- end }}

{{- define "bunsen.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "bunsen.name" .) }}
{{- end }}

{{- define "bunsen.dataClaim" -}}
{{ .Values.storage.data.claim | default (printf "%s-data" (include "bunsen.name" .)) }}
{{- end }}

{{- define "bunsen.outputsClaim" -}}
{{ .Values.storage.outputs.claim | default (printf "%s-outputs" (include "bunsen.name" .)) }}
{{- end }}

{{- /* Where the service has outputs: pods of jobs have them at the same path. */}}
{{- define "bunsen.outputsPath" -}}
{{ .Values.storage.outputs.hostPath | default "/data/outputs" }}
{{- end }}
