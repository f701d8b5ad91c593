"""Local mode: the same resources, decisions and manifests with processes for pods and a dictionary for a cluster."""
