"""`kubectl phalanx`: kubectl runs the executable `kubectl-phalanx` that it finds on PATH."""
