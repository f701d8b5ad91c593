"""Spec of the StudentEnsemble: the model."""

from __future__ import annotations

from phalanx_contract.limits import MAX_ROWS, MAX_STUDENTS
from phalanx_operator.api.schema.distill import distill
from phalanx_operator.api.schema.fields import Schema, array, integer, number, obj, string
from phalanx_operator.api.schema.shared import artifact, pool_name


def spec() -> Schema:
    """The pool, and either an artifact or what to distil one from, are the user's; the rest has defaults."""
    return obj(
        "One model: where it is served, what it is, and how far load may cut it.",
        {
            "pool": pool_name("ServingPool in the same namespace that serves it."),
            "artifact": artifact("ensemble"),
            "distill": distill(),
            "students": obj(
                "How many students answer. The number moves with the load within these bounds.",
                {
                    "min": integer("Fewest students, also in a burst.", low=1, high=MAX_STUDENTS, default=1),
                    "max": integer("Most students. When left out, all of the artifact.", low=1, high=MAX_STUDENTS),
                },
                default={},
            ),
            "exits": _exits(),
            "accuracy": _accuracy(),
            "rollout": _rollout(),
        },
        required=("pool",),
    )


def _rollout() -> Schema:
    return obj(
        "How a new artifact takes the place of the one that serves: it is loaded beside it first, and one that fails "
        "never takes it.",
        {
            "progressDeadlineSeconds": integer(
                "Seconds in which all workers have to hold a new artifact; then it is let go.",
                low=1,
                high=86_400,
                default=600,
            ),
            "canary": _canary(),
        },
        default={},
    )


def _canary() -> Schema:
    return obj(
        "Trial of a new artifact before it takes over: it answers some of the requests that name no tenant, and its "
        "answers are held against those of the one that serves.",
        {
            "weightPercent": integer(
                "Share of the requests that it answers. With 0 it takes over as soon as all workers hold it.",
                low=0,
                high=100,
                default=0,
            ),
            "minAgreement": number(
                "Share of the compared texts that both answer alike: the same label, or embeddings with a cosine of "
                "0.95 or more.",
                low=0,
                high=1,
                default=0.9,
            ),
            "minCompared": integer("Texts to compare, at least.", low=1, high=1_000_000, default=200),
            "maxLatencyRatio": number(
                "How many times as long it may take for the same requests.", low=0.1, high=100, default=1.5
            ),
            "seconds": integer("Seconds that the trial takes, at least.", low=0, high=86_400, default=300),
        },
        default={},
    )


def _exits() -> Schema:
    return obj(
        "Early exits: a ramp after a row answers texts that it is sure of.",
        {
            "mode": string(
                "Off: every text runs through all rows. Fixed: with the thresholds given. Auto: thresholds from the "
                "ramps' measured agreement, within the accuracy budget.",
                enum=("Off", "Fixed", "Auto"),
                default="Off",
            ),
            "thresholds": array(
                "For mode Fixed: one for each ramp, from row 0. A text exits where 1 - confidence is below it, so 0 "
                "never exits.",
                number("Threshold of one ramp.", low=0, high=1),
                longest=MAX_ROWS,
            ),
        },
        default={},
    )


def _accuracy() -> Schema:
    return obj(
        "Budget of answers that may differ from those of the full grid (all students, all rows), for exits and "
        "dropped students together.",
        {
            "loss": number("Share of texts in normal operation.", low=0, high=1, default=0.01),
            "burstLoss": number(
                "Share of texts while load keeps students dropped, on average over five minutes; not below loss.",
                low=0,
                high=1,
                default=0.03,
            ),
        },
        default={},
    )
