"""Reads: what the cluster holds, what the workers say, and how loaded they are."""
