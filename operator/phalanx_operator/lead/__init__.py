"""One writer among the replicas of the operator: the election, the Lease, and the fence in front of every write."""
