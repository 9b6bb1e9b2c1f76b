{{- define "test.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- if $image.repository -}}
{{- $image.repository -}}
{{- else -}}
{{- $registry := default $root.Values.imageRegistry $image.registry -}}
{{- $namespace := default $root.Values.imageNamespace $image.namespace -}}
{{- printf "%s/%s/%s" $registry $namespace $image.name -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "@%s" $image.digest -}}
{{- else -}}
{{- printf ":%s" (default $root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}
