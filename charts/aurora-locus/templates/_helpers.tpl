{{- define "aurora-locus.name" -}}
{{- if contains "aurora-locus" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-aurora-locus" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* The name of objects outside the release's namespace. Releases of the same name in other namespaces have other names. */}}
{{- define "aurora-locus.globalName" -}}
{{ .Release.Namespace }}-{{ include "aurora-locus.name" . }}
{{- end }}

{{- /* The name of the Lease: it must be the one that operator/controller/src/run.rs computes, or the operator may not renew its Lease. */}}
{{- define "aurora-locus.lease" -}}
{{- if eq .Values.controllerName "auroralocus.dev/operator" }}aurora-locus-operator{{ else }}aurora-locus-operator-{{ .Values.controllerName | sha256sum | trunc 10 }}{{ end }}
{{- end }}

{{- /* A selector cannot change, so neither can these two labels. */}}
{{- define "aurora-locus.selector" -}}
app.kubernetes.io/name: aurora-locus-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Labels of every object other than app.kubernetes.io/name. */}}
{{- define "aurora-locus.commonLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: aurora-locus
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "aurora-locus.labels" -}}
app.kubernetes.io/name: aurora-locus-operator
{{ include "aurora-locus.commonLabels" . }}
{{- end }}

{{- define "aurora-locus.image" -}}
{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* The part of a pod's spec that the operator's Deployment and the Jobs of hooks share. */}}
{{- define "aurora-locus.pod" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- with .Values.runAsUser }}
  runAsUser: {{ . | int64 }}
  runAsGroup: {{ . | int64 }}
  {{- end }}
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The part of a container that the operator's Deployment and the Jobs of hooks share. */}}
{{- define "aurora-locus.container" -}}
image: {{ include "aurora-locus.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
resources: {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "aurora-locus.env" -}}
- {name: OPERATOR_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: OPERATOR_CONTROLLER_NAME, value: {{ .Values.controllerName | quote }}}
{{- with .Values.namespaces }}
- {name: OPERATOR_NAMESPACES, value: {{ join "," . | quote }}}
{{- end }}
- {name: RUST_LOG, value: {{ .Values.log | quote }}}
{{- end }}

{{- /* A binding's subject: the operator's service account. */}}
{{- define "aurora-locus.subject" -}}
- {kind: ServiceAccount, name: {{ include "aurora-locus.name" . }}, namespace: {{ .Release.Namespace }}}
{{- end }}

{{- /*
A Job with rights of its own that Helm runs at a point of the release's life. Everything here is deleted after it succeeded.
Takes a dictionary: root (the chart's scope), name, event, weight, command (arguments of the program), rules (YAML of a ClusterRole's rules).
*/}}
{{- define "aurora-locus.hook" -}}
{{- $name := printf "%s-%s" (include "aurora-locus.name" .root) .name }}
{{- $globalName := printf "%s-%s" (include "aurora-locus.globalName" .root) .name }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "aurora-locus.hookLabels" . | nindent 4 }}
  annotations: {{- include "aurora-locus.hookAnnotations" (dict "event" .event "weight" -2) | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $globalName }}
  labels: {{- include "aurora-locus.hookLabels" . | nindent 4 }}
  annotations: {{- include "aurora-locus.hookAnnotations" (dict "event" .event "weight" -2) | nindent 4 }}
rules: {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $globalName }}
  labels: {{- include "aurora-locus.hookLabels" . | nindent 4 }}
  annotations: {{- include "aurora-locus.hookAnnotations" (dict "event" .event "weight" -1) | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $globalName }}}
subjects:
  - {kind: ServiceAccount, name: {{ $name }}, namespace: {{ .root.Release.Namespace }}}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "aurora-locus.hookLabels" . | nindent 4 }}
  annotations: {{- include "aurora-locus.hookAnnotations" (dict "event" .event "weight" 0) | nindent 4 }}
spec:
  backoffLimit: 3
  activeDeadlineSeconds: 240
  template:
    metadata:
      labels: {{- include "aurora-locus.hookLabels" . | nindent 8 }}
    spec:
      serviceAccountName: {{ $name }}
      restartPolicy: Never
      {{- include "aurora-locus.pod" .root | nindent 6 }}
      containers:
        - name: operator
          args: {{ toJson .command }}
          env: {{- include "aurora-locus.env" .root | nindent 12 }}
          {{- include "aurora-locus.container" .root | nindent 10 }}
{{- end }}

{{- /* Not the labels of the operator's selector: its Service and its PodDisruptionBudget must not select the pods of hooks. */}}
{{- define "aurora-locus.hookLabels" -}}
app.kubernetes.io/name: aurora-locus-{{ .name }}
{{ include "aurora-locus.commonLabels" .root }}
{{- end }}

{{- define "aurora-locus.hookAnnotations" -}}
helm.sh/hook: {{ .event }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
