{{- define "vxlan-pipeline.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "vxlan-pipeline.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "vxlan-pipeline.labels" -}}
{{ include "vxlan-pipeline.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "vxlan-pipeline.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The words that name the instance; none for the first one. */}}
{{- define "vxlan-pipeline.own" -}}
{{- if ne .Values.instance "config" }}, --instance, {{ .Values.instance | quote }}{{ end }}
{{- end }}

{{/* What both containers have. */}}
{{- define "vxlan-pipeline.container" -}}
image: {{ include "vxlan-pipeline.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  runAsUser: 0
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
    add: [BPF, NET_ADMIN, PERFMON]
volumeMounts:
  - name: bpffs
    mountPath: /sys/fs/bpf
    mountPropagation: HostToContainer
  - name: state
    mountPath: /run/vxlan-pipeline
  - name: config
    mountPath: /etc/vxlan-pipeline
    readOnly: true
{{- end }}
