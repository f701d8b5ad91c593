"""The Helm chart: what it renders, what it refuses."""
