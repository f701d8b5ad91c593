"""A node of a real control plane whose pods are processes: `python -m tests.e2e.node`.

It does what a kubelet does, with local mode's process runner in place of a container runtime: registers with GPU
capacity, renews its lease, runs the pods that the scheduler binds to it, mounts their volumes, probes them, reports
their status, restarts what crashes, and ends what is deleted. Every pod has a loopback address of its own.
"""
