{{- define "shipper.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{/* Short enough for a DaemonSet to put five characters behind it. */}}
{{- define "shipper.fullname" -}}
{{- $name := include "shipper.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $full | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "shipper.selector" -}}
app.kubernetes.io/name: {{ include "shipper.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "shipper.labels" -}}
{{ include "shipper.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "shipper.serviceAccount" -}}
{{- .Values.serviceAccount.create | ternary (.Values.serviceAccount.name | default (include "shipper.fullname" .)) (.Values.serviceAccount.name | default "default") -}}
{{- end }}

{{- define "shipper.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "shipper.tokenSecret" -}}
{{- .Values.http.existingSecret | default (printf "%s-http" (include "shipper.fullname" .)) -}}
{{- end }}

{{- define "shipper.rulesConfigMap" -}}
{{- .Values.existingRulesConfigMap | default (printf "%s-rules" (include "shipper.fullname" .)) -}}
{{- end }}

{{/* All of shipper.toml: the values, and what only the chart can know. */}}
{{- define "shipper.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $rules := list -}}
{{- range .Values.packs }}{{ $rules = append $rules (printf "/usr/share/shipper/rules/%s.toml" .) }}{{ end -}}
{{- $address := .Values.http.ipv6 | ternary "[${POD_IP}]" "${POD_IP}" -}}
{{- $http := dict "listen" (printf "%s:%d" $address (int .Values.http.port)) "token_file" "/etc/shipper/http/token" -}}
{{- $_ := set $config "state_dir" "/var/lib/shipper" -}}
{{- $_ := set $config "rules" (append $rules "/etc/shipper/rules.d/*.toml") -}}
{{- $_ := set $config "http" $http -}}
{{- if .Values.credentials.existingSecret -}}
{{- $keys := dict "access_key_id" "${SHIPPER_ACCESS_KEY_ID}" "access_key_secret_file" "/etc/shipper/credentials/secret" -}}
{{- $_ := set $config "cloudmonitor" (set ($config.cloudmonitor | default dict) "credentials" $keys) -}}
{{- end -}}
{{- /* an event about the agent's own log would be a line in it, and so on for ever */ -}}
{{- $own := include "shipper.fullname" . -}}
{{- $ownLogs := list (printf "/var/log/pods/%s_%s-?????_*" .Release.Namespace $own) (printf "/var/log/containers/%s-?????_%s_*" $own .Release.Namespace) -}}
{{- range $config.source }}{{ $_ := set . "exclude" (concat (.exclude | default list) $ownLogs) }}{{ end -}}
{{- include "shipper.table" (dict "table" $config "path" "") | trim -}}
{{- end }}

{{/* A table of TOML and those in it. What JSON says of texts, numbers and lists of them, TOML says too. */}}
{{- define "shipper.table" -}}
{{- $path := .path -}}
{{- range $key, $value := .table -}}
{{- if not (or (kindIs "map" $value) (include "shipper.areTables" $value)) }}
{{ include "shipper.key" $key }} = {{ toJson $value }}
{{- end -}}
{{- end -}}
{{- range $key, $value := .table -}}
{{- $name := printf "%s%s" $path (include "shipper.key" $key) -}}
{{- if kindIs "map" $value }}

[{{ $name }}]
{{- include "shipper.table" (dict "table" $value "path" (printf "%s." $name)) -}}
{{- else if include "shipper.areTables" $value -}}
{{- range $value }}

[[{{ $name }}]]
{{- include "shipper.table" (dict "table" . "path" (printf "%s." $name)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "shipper.areTables" -}}
{{- if kindIs "slice" . }}{{ if . }}{{ if kindIs "map" (first .) }}yes{{ end }}{{ end }}{{ end -}}
{{- end }}

{{- define "shipper.key" -}}
{{- regexMatch "^[A-Za-z0-9_-]+$" . | ternary . (toJson .) -}}
{{- end }}
