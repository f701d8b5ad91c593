"""End to end on a real control plane, with processes for pods."""
