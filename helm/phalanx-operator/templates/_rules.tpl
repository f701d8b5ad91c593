{{- /* What the operator may do where it serves resources. No wildcards, no read access to Secrets but by name. Least: the
end-to-end tests fail on a right that is missing, and on one that is not used (docs/platform.md has a table). */ -}}
{{- define "phalanx.rules" -}}
# The resources themselves: read, and their status written. Never their spec.
- apiGroups: [phalanx.dev]
  resources: [servingpools, studentensembles, tenantadapters]
  verbs: [list, watch]
- apiGroups: [phalanx.dev]
  resources: [servingpools/status, studentensembles/status, tenantadapters/status]
  verbs: [patch]
# Needed to name a ServingPool as the owner of its children where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [phalanx.dev]
  resources: [servingpools/finalizers]
  verbs: [update]
# The children of a ServingPool: followed, and applied (which takes create and patch). They are deleted with their
# owner, by the cluster; the operator itself removes plan parts that are left over, and the network policy of a pool
# that no longer asks for one.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch, create, patch]
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [list, watch, create, patch]
# A ConfigMap may also hold the certificate authorities of a Prometheus, by the name that its ServingPool gives.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch]
# Distillation Jobs: made once, and deleted when their ensemble wants another one, or an hour after their end.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch, create, patch, delete]
# Workers: found, asked for their status, and touched by an annotation when their plan changes.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch]
# API keys of tenants, tokens and certificate authorities for Prometheus: each by the name that its TenantAdapter or
# ServingPool gives.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
# Decisions, told as events; one that says the same again is counted up.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
