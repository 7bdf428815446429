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

{{/* Refuses what would leave every pod unready: a text that is no YAML, and a probe that asks elsewhere. */}}
{{- define "vxlan-pipeline.agree" -}}
{{- $read := fromYaml .Values.configuration }}
{{- if hasKey $read "Error" }}
{{- fail (printf "configuration is no YAML: %s" $read.Error) }}
{{- end }}
{{- $http := get $read "http" }}
{{- $listen := "127.0.0.1:9789" }}
{{- if kindIs "map" $http }}
{{- if hasKey $http "listen" }}{{ $listen = get $http "listen" }}{{ end }}
{{- else if hasKey $read "http" }}{{ $listen = $http }}{{ end }}
{{- $listen = ternary "off" (toString $listen) (kindIs "bool" $listen) }}
{{- $port := .Values.probe.port | int }}
{{- $heard := list }}
{{- range list .Values.probe.host (printf "[%s]" .Values.probe.host) "0.0.0.0" "[::]" }}
{{- $heard = append $heard (printf "%s:%d" . $port) }}
{{- end }}
{{- if and .Values.probe.enabled (not (has $listen $heard)) }}
{{- fail (printf "probe asks %s:%d, and the configuration's http.listen is %s" .Values.probe.host $port $listen) }}
{{- end }}
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
