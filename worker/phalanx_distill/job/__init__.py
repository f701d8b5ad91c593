"""`phalanx distill-job`: one distillation as a Kubernetes Job asks for it.

places    URIs: what is read from them, and where the artifact is put
telling   progress over HTTP, the ending in the container's termination message
run       fetch, distil, put
"""
