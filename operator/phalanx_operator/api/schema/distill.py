"""`spec.distill` of a StudentEnsemble: what to make its artifact from, and how."""

from __future__ import annotations

from typing import Final

from phalanx_contract.limits import MAX_ROWS, MAX_STUDENTS
from phalanx_operator.api.schema.fields import (
    Schema,
    array,
    integer,
    number,
    obj,
    opaque,
    string,
    strings_by_name,
)
from phalanx_operator.api.schema.shared import NAME, SCHEMES

OUTPUTS: Final = ("pvc", "s3", "gs")
"""Stores that a Job can write to and workers can read from."""
_SOURCE: Final = rf"^(({'|'.join(SCHEMES)})://\S+|[a-z0-9][-a-z0-9]*)$"
_OUTPUT: Final = rf"^({'|'.join(OUTPUTS)})://\S+$"
_CLAIM: Final = r"^pvc://\S+$"


def distill() -> Schema:
    """Teacher, data and output are the user's; the rest has defaults."""
    return obj(
        "Make the artifact by distillation, in a Job, instead of naming one. What comes of it is served by digest, and "
        "made once: the Job does not run again unless teacher, data, output or a setting changes. Meanwhile the "
        "artifact before goes on serving. The pool has to allow it (its spec.distillation).",
        _what() | _result() | _pod(),
        required=("teacher", "data", "output"),
    )


def _what() -> dict[str, Schema]:
    return {
        "teacher": string(
            "Encoder to fine-tune and distil: the folder of a checkpoint (config.json, tokenizer.json, "
            "model.safetensors) as pvc://CLAIM/PATH, s3://, gs://, https:// or file:///PATH (in the image), or the "
            "name of an encoder that the image has installed, such as minilm.",
            pattern=_SOURCE,
            length=(1, 2048),
        ),
        "data": string(
            "Labelled rows: a .jsonl or .csv file by its URI, as for teacher, or the name of a data set that the image "
            "has installed, such as trec6. What lies at a URI is not watched: give new rows a new URI.",
            pattern=_SOURCE,
            length=(1, 2048),
        ),
        "textColumn": string("The column of the rows that holds the text.", length=(1, 128), default="text"),
        "labelColumn": string("The column of the rows that holds the label.", length=(1, 128), default="label"),
        "students": integer(
            "Students to train. When left out, as many as accuracyBudget needs, or 4 without one.",
            low=1,
            high=MAX_STUDENTS,
        ),
        "rows": integer(
            "Encoder rows of each student. When left out, as few as accuracyBudget allows, or 2 without one.",
            low=1,
            high=MAX_ROWS,
        ),
        "accuracyBudget": number(
            "Look for the smallest shape that is at most so much less accurate than the teacher on validation rows; "
            "students and rows that are given are kept.",
            low=0,
            high=1,
        ),
        "seed": integer("Seeds all randomness.", low=0, high=2**31 - 1, default=0),
        "settings": opaque(
            "Any other setting of phalanx distill, nested as in its settings file, such as students: {fit: {epochs: "
            "3}}; docs/distillation.md lists them. The fields above overrule it."
        ),
    }


def _result() -> dict[str, Schema]:
    return {
        "output": string(
            "Folder for results, as pvc://CLAIM/PATH (the claim has to be listed in the pool's artifacts.claims), "
            "s3:// or gs://; each gets a folder of its own in it, and none is ever deleted. It has to be within the "
            "pool's artifacts.allow.",
            pattern=_OUTPUT,
            length=(7, 1900),
        ),
        "work": string(
            "Folder on a claim (pvc://CLAIM/PATH) for snapshots where the output is an object store: a pod that takes "
            "the place of an evicted one goes on from them. When left out, it begins anew. With an output on a claim "
            "they lie beside it.",
            pattern=_CLAIM,
            length=(7, 1900),
        ),
    }


def _pod() -> dict[str, Schema]:
    return {
        "attempt": integer(
            "Raise it to try again after a failure that had nothing to do with the spec. A result that is there is "
            "kept.",
            low=1,
            high=1_000_000,
            default=1,
        ),
        "retries": integer(
            "How often the Job starts another pod after one that failed. Evictions count on clusters before 1.29.",
            low=0,
            high=100,
            default=6,
        ),
        "deadlineSeconds": integer(
            "Seconds after which the Job is given up, retries included. When left out, never.", low=1, high=2**31 - 1
        ),
        "resources": opaque(
            "Requests and limits of the container, as in a pod; a GPU is asked for here, for example limits: "
            "nvidia.com/gpu: 1."
        ),
        "nodeSelector": strings_by_name("Labels that a node must have."),
        "tolerations": array("Taints that the pod tolerates, as in a pod.", opaque("A toleration."), longest=32),
        "image": string(
            "Image with phalanx and its extra distill, and the packages of encoders and data sets that are named. When "
            "left out, the image of the pool's workers.",
            length=(1, 512),
        ),
        "serviceAccountName": string(
            "ServiceAccount of the pod, where an object store asks for an identity. When left out, the workers' own.",
            pattern=NAME,
        ),
        "fsGroup": integer(
            "Group that the claims are made writable for. Some clusters (OpenShift) want one of the namespace's range.",
            low=1,
            high=2**31 - 1,
            default=65532,
        ),
        "env": array(
            "Environment variables of the container, as in a pod. Those that the operator sets are refused.",
            opaque("A name with a value, or with valueFrom."),
            longest=64,
        ),
    }
