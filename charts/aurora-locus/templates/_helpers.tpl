{{- define "aurora-locus.name" -}}
{{- if contains "aurora-locus" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-aurora-locus" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "aurora-locus.selector" -}}
app.kubernetes.io/name: aurora-locus-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aurora-locus.labels" -}}
{{ include "aurora-locus.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
