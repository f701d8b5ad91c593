"""Bounds that operator and worker both hold to, in one place.

They keep every document, label set and child object within what Kubernetes and Prometheus accept.
"""

from __future__ import annotations

from typing import Final

MAX_POOL_NAME: Final = 48
"""Characters in a ServingPool's name. Children append up to 14 (`-plan-15`, a pod's `-xxxxxxxxxx-xxxxx` is
truncated by Kubernetes itself), and a Service's name ends at 63."""

MAX_NAME: Final = 52
"""Characters in the name of a StudentEnsemble or TenantAdapter: a Job for it appends a suffix of up to 11."""

MAX_CLASSES: Final = 512
"""Labels of one readout. A classifier answers with every label's score and each tenant may bring a head of
its own; past this size the answer, not the encoder, is the cost, and retrieval over embeddings fits better."""

MAX_LABEL: Final = 256
"""Characters in the name of a class."""

MAX_STUDENTS: Final = 32
"""Columns of a grid. `students` is a metric label, so it has to be bounded."""

MAX_ROWS: Final = 48
"""Encoder layers of a grid; BERT-large has 24. `row` is a metric label."""

MAX_ENSEMBLES: Final = 64
"""Ensembles of one plan: `ensemble` is a metric label of each worker."""

MAX_ALONE: Final = 1_000
"""Workers of one pool that change an artifact one after the other."""

MAX_ADAPTERS: Final = 20_000
"""Adapters of one ensemble in one plan."""

ADAPTER_RANK: Final = 16
"""Largest rank of an adapter that workers have room for unless they are told otherwise."""

MAX_PLAN_BYTES: Final = 32 * 1024 * 1024
"""Size of a plan's JSON. A compressed document that would inflate past it is refused unread."""

MAX_PART_BYTES: Final = 700 * 1024
"""Size of one part of a plan on the wire: below the 1 MiB of a ConfigMap, with room for its metadata."""

MAX_PARTS: Final = 16
"""Parts of one plan. The pod template mounts this many optional ConfigMaps, so that a growing plan never
changes the template (which would restart every pod)."""
