{{- /* What the operator may do where it serves resources. No wildcards, no read access to Secrets but by name. */ -}}
{{- define "phalanx.rules" -}}
# The resources themselves: read, and their status written. Never their spec.
- apiGroups: [phalanx.dev]
  resources: [servingpools, studentensembles, tenantadapters]
  verbs: [get, list, watch]
- apiGroups: [phalanx.dev]
  resources: [servingpools/status, studentensembles/status, tenantadapters/status]
  verbs: [get, patch]
# Needed to name a ServingPool as the owner of its children where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [phalanx.dev]
  resources: [servingpools/finalizers]
  verbs: [update]
# The children of a ServingPool.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps, services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Workers: found, asked for their status, and touched by an annotation when their plan changes.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch]
# API keys of tenants, each by the name that its TenantAdapter gives.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
# Decisions, told as events.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}
