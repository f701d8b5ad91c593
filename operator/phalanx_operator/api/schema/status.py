"""Statuses of the three kinds: conditions, the latest decisions, and what the workers serve.

Nothing here changes every second: a decision that says the same again is not written again.
"""

from __future__ import annotations

from typing import Final

from phalanx_contract.limits import MAX_ADAPTERS, MAX_ALONE, MAX_ENSEMBLES, MAX_ROWS, MAX_STUDENTS
from phalanx_operator.api.schema.fields import Schema, array, boolean, integer, number, obj, string

MAX_MESSAGE: Final = 2048
"""Characters of a message; longer ones are cut."""

_MAX_INT64: Final = 2**53
_TIME: Final = {"type": "string", "format": "date-time"}


def pool() -> Schema:
    """What a ServingPool shows; replicas and selector serve the scale subresource."""
    return _status(
        {
            "wanted": integer("Workers wanted, as decided last.", low=0, high=100_000),
            "replicas": integer("Workers there are, ready or not.", low=0, high=100_000),
            "readyReplicas": integer("Workers that are ready.", low=0, high=100_000),
            "selector": string("Label selector of the workers, as text.", length=(0, 1024)),
            "plan": obj(
                "What the workers are told to serve.",
                {
                    "hash": string("Content hash of the plan, as in the header X-Phalanx-Plan.", length=(0, 71)),
                    "ensembles": integer("Ensembles in the plan.", low=0, high=MAX_ENSEMBLES),
                    "adapters": integer("Adapters in the plan.", low=0, high=MAX_ADAPTERS * MAX_ENSEMBLES),
                },
            ),
            "decision": _decision("The latest decision on the number of workers."),
            "rolloutDecision": _decision("With rollout.surge: WhenItFits, how pods are replaced."),
        }
    )


def ensemble() -> Schema:
    """What a StudentEnsemble shows."""
    return _status(
        {
            "students": obj(
                "Range of students that may answer now.",
                {
                    "floor": integer("Fewest.", low=1, high=MAX_STUDENTS),
                    "ceiling": integer("Most.", low=1, high=MAX_STUDENTS),
                    "lowered": boolean("Whether load keeps the most below what spec and artifact allow."),
                    "available": integer("How many the artifact has.", low=0, high=1000),
                },
            ),
            "thresholds": array(
                "Thresholds of the ramps, from row 0; 0 never exits.",
                number("Threshold of one ramp.", low=0, high=1),
                longest=MAX_ROWS,
            ),
            "artifact": obj(
                "What the workers hold.",
                {
                    "wanted": string("Digest that the spec names.", length=(0, 71)),
                    "digest": string("Digest that all workers serve; empty while they differ.", length=(0, 71)),
                    "rows": integer("Rows of the grid.", low=0, high=1000),
                    "ramps": integer("Rows that have a ramp.", low=0, high=1000),
                    "classes": integer("Labels; 0 for embeddings alone.", low=0, high=1_000_000),
                },
            ),
            "distill": _distill(),
            "workers": _workers("Workers that serve the ensemble as the plan has it."),
            "rollout": _rollout(),
            "decision": _decision("The latest decision on students."),
            "exitsDecision": _decision("The latest decision on thresholds."),
            "rolloutDecision": _decision("The latest decision on a new artifact."),
        }
    )


def _rollout() -> Schema:
    return obj(
        "Where the artifact that the spec names is on its way; the operator goes on from here after a restart.",
        {
            "stage": string(
                "Serving: it serves. Warming: workers load it beside the one that serves. Canary: it answers some of "
                "the requests. RolledBack: it was let go, and what served before goes on.",
                enum=("Serving", "Warming", "Canary", "RolledBack"),
            ),
            "since": {"description": "When the stage began; later by the time for which it waited.", **_TIME},
            "serving": _artifact("What serves.", {"students": integer("How many it has.", low=0, high=MAX_STUDENTS)}),
            "candidate": _artifact("What may take its place."),
            "rejected": _artifact(
                "What was rolled back. It is tried again when the spec changes.",
                {
                    "generation": integer("Generation of the spec that named it.", low=0, high=_MAX_INT64),
                    "reason": string("Why, in one word.", length=(1, 64)),
                    "message": string("Why, in a sentence with the numbers.", length=(0, MAX_MESSAGE)),
                },
            ),
            "alone": array(
                "Workers without room for two artifacts, which let go of what they hold first, one after the other.",
                string("Name of a pod.", length=(1, 253)),
                longest=MAX_ALONE,
            ),
            "warm": integer("Workers that hold the candidate.", low=0, high=100_000),
            "workers": integer("Workers that report.", low=0, high=100_000),
            "waiting": boolean(
                "Others have to go on (workers to come, tenants to fit, a pause to end): no deadline runs."
            ),
            "countedSeconds": integer("How much had counted when it began to wait.", low=0, high=_MAX_INT64),
            "comparedPercent": integer(
                "Texts compared so far, as a share of those that are asked for, in steps of 10.", low=0, high=100
            ),
        },
    )


def _artifact(description: str, more: dict[str, Schema] | None = None) -> Schema:
    uri = string("Where it lies.", length=(1, MAX_MESSAGE))
    return obj(description, {"uri": uri, "digest": string("What it is.", length=(1, 71)), **(more or {})})


def _distill() -> Schema:
    return obj(
        "Where the distillation stands, with spec.distill.",
        {
            "job": string("Name of the Job that the spec asks for.", length=(0, 63)),
            "stage": string("What its pod does.", length=(0, 256)),
            "percent": integer("How much of the stage is done, in steps of five.", low=0, high=100),
            "leftSeconds": integer("How long the stage will take from then on.", low=0, high=_MAX_INT64),
            "failure": obj(
                "The Job that was given up; it is not run again.",
                {
                    "job": string("Its name.", length=(0, 63)),
                    "message": string("Its pod's last words.", length=(0, MAX_MESSAGE)),
                },
            ),
            "result": obj(
                "What came of it, of this spec or of the one before.",
                {
                    "mark": string("Stands for teacher, data, output and settings.", length=(0, 64)),
                    "uri": string("Where the artifact lies.", length=(0, 2048)),
                    "digest": string("Digest of the artifact.", length=(0, 71)),
                    "students": integer("Students.", low=0, high=1000),
                    "rows": integer("Rows of each.", low=0, high=1000),
                    "accuracy": number("Share of held-out rows that all students get right.", low=0, high=1),
                    "teacherAccuracy": number("Share of them that the teacher gets right.", low=0, high=1),
                    "agreement": number("Share of them on which students and teacher agree.", low=0, high=1),
                    "seconds": number("What the last pod took.", low=0, high=_MAX_INT64),
                },
            ),
        },
    )


def adapter() -> Schema:
    """What a TenantAdapter shows."""
    return _status({"workers": _workers("Workers that serve the adapter.")})


def _status(properties: dict[str, Schema]) -> Schema:
    shared = {
        "observedGeneration": integer("Generation of the spec that this status is about.", low=0, high=_MAX_INT64),
        "conditions": array(
            "What holds of the resource; Ready sums up the others.", _condition(), longest=16, kind="map", keys=["type"]
        ),
    }
    return obj("What the operator observed and decided.", shared | properties)


def _condition() -> Schema:
    return obj(
        "One condition, as everywhere in Kubernetes.",
        {
            "type": string("What is asserted.", length=(1, 64)),
            "status": string("Whether it holds.", enum=("True", "False", "Unknown")),
            "reason": string("Why, in one word; docs/conditions.md has the next step for each.", length=(1, 64)),
            "message": string("Why, in a sentence.", length=(0, MAX_MESSAGE)),
            "observedGeneration": integer("Generation of the spec that it is about.", low=0, high=_MAX_INT64),
            "lastTransitionTime": {"description": "When status last changed.", **_TIME},
        },
        required=("type", "status", "reason", "message", "lastTransitionTime"),
    )


def _decision(description: str) -> Schema:
    return obj(
        description,
        {
            "action": string("What was done.", enum=("Raise", "Lower", "Stay", "Hold", "Start", "Promote", "RollBack")),
            "reason": string("Why, in one word; docs/decisions.md explains each.", length=(1, 64)),
            "message": string("Why, in a sentence with the numbers.", length=(0, MAX_MESSAGE)),
            "time": {"description": "When this was first decided.", **_TIME},
        },
        required=("action", "reason", "message", "time"),
    )


def _workers(description: str) -> Schema:
    return obj(
        description,
        {
            "ready": integer("How many do.", low=0, high=100_000),
            "total": integer("How many the pool has.", low=0, high=100_000),
        },
    )
