{{- define "winnow.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Of every object's name. */}}
{{- define "winnow.fullname" -}}
{{- $name := include "winnow.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of the pods of one component: (dict "root" $ "component" "decode"). */}}
{{- define "winnow.selector" -}}
app.kubernetes.io/name: {{ include "winnow.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "winnow.labels" -}}
{{ include "winnow.selector" . }}
app.kubernetes.io/version: {{ include "winnow.tag" .root | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "winnow.tag" -}}
{{- default .Chart.AppVersion .Values.images.tag -}}
{{- end -}}

{{- define "winnow.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "winnow.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The Secret of variables; empty where there is none. */}}
{{- define "winnow.secret" -}}
{{- if .Values.existingSecret -}}
{{- .Values.existingSecret -}}
{{- else if .Values.secrets -}}
{{- include "winnow.fullname" . -}}
{{- end -}}
{{- end -}}

{{/* What --device is. In its container a GPU is the first, whichever it is of the machine. */}}
{{- define "winnow.device" -}}
{{- ternary "cuda:0" "cpu" (eq .Values.device "cuda") -}}
{{- end -}}

{{/* The longest stage, and half a minute to end. */}}
{{- define "winnow.grace" -}}
{{- add (int .Values.longestStageSeconds) 30 -}}
{{- end -}}

{{/* The port of an address: host:port, a URL with one, or https:// and http:// without. */}}
{{- define "winnow.port" -}}
{{- $port := regexFind ":[0-9]+/?$" . | trimPrefix ":" | trimSuffix "/" -}}
{{- if $port -}}{{- $port -}}
{{- else if hasPrefix "https://" . -}}443
{{- else if hasPrefix "http://" . -}}80
{{- else -}}4222
{{- end -}}
{{- end -}}

{{/* The ports of NATS, each once, as JSON. */}}
{{- define "winnow.natsPorts" -}}
{{- $ports := list -}}
{{- range .Values.services.nats.urls -}}
{{- $ports = append $ports (int (include "winnow.port" .)) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* Probes of who serves: alive while it is not stuck, ready while its services answer and it takes
work. What loads is alive, and not ready yet. */}}
{{- define "winnow.probes" -}}
ports:
  - {name: metrics, containerPort: {{ .Values.metrics.port }}}
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}

{{/* Flags of the cache, where there is one. */}}
{{- define "winnow.cacheArgs" -}}
{{- if .Values.cache.enabled -}}
- --cache=/var/cache/winnow
- --cache-bytes={{ mul (int .Values.cache.gibibytes) 1073741824 }}
{{- end -}}
{{- end -}}

{{/* What every pod has: (dict "root" $ "of" (its values) "cache" (whether it keeps one)). */}}
{{- define "winnow.pod" -}}
serviceAccountName: {{ include "winnow.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "winnow.grace" .root }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with default .root.Values.nodeSelector .of.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with default .root.Values.tolerations .of.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with default .root.Values.affinity .of.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: services
    configMap: {name: {{ include "winnow.fullname" .root }}}
  - name: bundles
    {{- toYaml .root.Values.bundles.volume | nindent 4 }}
  - name: state
    emptyDir: {sizeLimit: {{ .root.Values.scratch.sizeLimit }}}
  - name: tmp
    emptyDir: {sizeLimit: {{ .root.Values.scratch.sizeLimit }}}
{{- if .root.Values.filesSecret }}
  - name: files
    secret: {secretName: {{ .root.Values.filesSecret }}, defaultMode: 0440}
{{- end }}
{{- if .cache }}
  - name: cache
    emptyDir: {sizeLimit: {{ add (int .root.Values.cache.gibibytes) 1 }}Gi}
{{- end }}
{{- end -}}

{{/* What every container has: (dict "root" $ "of" (its values) "image" "winnow" "cache" true). */}}
{{- define "winnow.container" -}}
image: {{ printf "%s:%s" .image (include "winnow.tag" .root) | quote }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities: {drop: [ALL]}
env:
  - {name: WINNOW_SERVICES, value: /etc/winnow/services.yaml}
{{- with concat .root.Values.env (default list .of.env) }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "winnow.secret" .root }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
volumeMounts:
  - {name: services, mountPath: /etc/winnow/services.yaml, subPath: services.yaml, readOnly: true}
  - {name: bundles, mountPath: {{ .root.Values.bundles.mountPath }}, readOnly: true}
  - {name: state, mountPath: /var/lib/winnow}
  - {name: tmp, mountPath: /tmp}
{{- if .root.Values.filesSecret }}
  - {name: files, mountPath: /etc/winnow/files, readOnly: true}
{{- end }}
{{- if .cache }}
  - {name: cache, mountPath: /var/cache/winnow}
{{- end }}
{{- end -}}

{{/* Annotations of pods: where their metrics are, those that are asked for, and a digest that rolls pods over when services or secrets change. */}}
{{- define "winnow.annotations" -}}
{{- if .Values.metrics.annotations }}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .Values.metrics.port | quote }}
prometheus.io/path: /metrics
{{- end }}
checksum/services: {{ .Values.services | toJson | sha256sum }}
checksum/secrets: {{ .Values.secrets | toJson | sha256sum }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The values of one winnow-infer, as JSON: inferDefaults, and over them its own. */}}
{{- define "winnow.infer" -}}
{{- mergeOverwrite (deepCopy .defaults) (deepCopy .own) | toJson -}}
{{- end -}}
