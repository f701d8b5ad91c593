"""The operator in a cluster: Kopf watches the three kinds, rounds do the work."""
