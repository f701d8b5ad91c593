"""Writes to the Kubernetes API: server-side apply, status, events. No decision is taken here."""
