"""Spec of the ServingPool: the hardware."""

from __future__ import annotations

from phalanx_operator.api.schema.fields import (
    Schema,
    array,
    boolean,
    duration,
    integer,
    obj,
    opaque,
    quantity,
    string,
    strings_by_name,
)
from phalanx_operator.api.schema.metrics import metrics
from phalanx_operator.api.schema.network import network_policy
from phalanx_operator.api.schema.shared import NAME, PREFIX


def spec() -> Schema:
    """Everything but the metadata has a default."""
    return obj(
        "The hardware and how it is run: one Deployment of workers.",
        {
            "replicas": _replicas(),
            "autoscaling": string(
                "Who decides the number of workers between min and max. Operator: the operator, from the load. "
                "External: whoever writes count through the scale subresource, such as a HorizontalPodAutoscaler, KEDA "
                "or kubectl scale. Off: the Deployment keeps the number it has, for whoever scales that.",
                enum=("Operator", "External", "Off"),
                default="Operator",
            ),
            "objective": obj(
                "What the pool's users are promised.",
                {
                    "p99": duration(
                        "Latency that 99 of 100 texts should stay below, from the end of tokenization to the answer. "
                        "Students are dropped, and at last requests refused with 429, to keep it.",
                        default="50ms",
                    )
                },
                default={},
            ),
            "worker": _worker(),
            "rollout": _rollout(),
            "metrics": metrics(),
            "adapters": _adapters(),
            "artifacts": _artifacts(),
            "networkPolicy": network_policy(),
            "distillation": string(
                "Whether StudentEnsembles of the pool may run distillation Jobs (their spec.distill). Whoever may "
                "write such an ensemble then chooses image, environment and claims of pods in this namespace.",
                enum=("Refused", "Allowed"),
                default="Refused",
            ),
            "paused": boolean("Leave the pool as it is: no changes to children, no decisions.", default=False),
            "recommendOnly": boolean(
                "Make decisions and show them in status, but do not apply them: students and thresholds stay where "
                "the spec puts them.",
                default=False,
            ),
        },
        default={},
    )


def _replicas() -> Schema:
    return obj(
        "Number of workers.",
        {
            "min": integer("Fewest workers. 0 allows the pool to be switched off.", low=0, high=1000, default=1),
            "max": integer("Most workers. When left out, as many as min (at least 1).", low=1, high=1000),
            "count": integer(
                "Workers wanted now, held between min and max; used with autoscaling External alone. The scale "
                "subresource (kubectl scale, a HorizontalPodAutoscaler) writes it.",
                low=0,
                high=1000,
                default=1,
            ),
        },
        default={},
    )


def _worker() -> Schema:
    return obj(
        "Knobs of the pods.",
        {
            "image": string("Image of the worker. When left out, the one of the operator's release.", length=(1, 512)),
            "imagePullPolicy": string("When to pull the image.", enum=("Always", "IfNotPresent", "Never")),
            "imagePullSecrets": array(
                "Secrets to pull the image with.",
                obj(
                    "A Secret in the namespace of the pool.",
                    {"name": string("Name of the Secret.", pattern=NAME)},
                    required=("name",),
                ),
                longest=16,
            ),
            "resources": opaque(
                "Requests and limits of the container, as in a pod; a GPU is asked for here, for example limits: "
                "nvidia.com/gpu: 1."
            ),
            "nodeSelector": strings_by_name("Labels that a node must have."),
            "tolerations": array("Taints that the pods tolerate, as in a pod.", opaque("A toleration."), longest=32),
            "runtimeClassName": string("RuntimeClass of the pods, where the GPU runtime needs one.", pattern=NAME),
            "priorityClassName": string("PriorityClass of the pods.", pattern=NAME),
            "env": array(
                "Environment variables of the container, as in a pod; PHALANX_WORKER_<SETTING> tunes the worker. Those "
                "that the operator sets are refused.",
                opaque("A name with a value, or with valueFrom."),
                longest=64,
            ),
            "device": string(
                "What computes; auto takes the GPU where there is one.", enum=("auto", "cpu", "cuda"), default="auto"
            ),
            "terminationGracePeriodSeconds": integer(
                "Seconds in which a worker finishes its requests before it is killed.", low=1, high=3600, default=60
            ),
        },
        default={},
    )


def _rollout() -> Schema:
    return obj(
        "How pods are replaced when their template changes. A change of students, thresholds or adapters replaces "
        "none.",
        {
            "maxSurge": integer(
                "Pods above the wanted number. 0, because with every GPU taken a further pod would wait for ever.",
                low=0,
                high=1000,
                default=0,
            ),
            "maxUnavailable": integer(
                "Pods that may be missing meanwhile. Not 0 together with maxSurge 0.", low=0, high=1000, default=1
            ),
            "surge": string(
                "WhenItFits: begin with one pod more and none missing; if there is no room for that pod for 60 s, go "
                "on with maxSurge and maxUnavailable. Never: these two from the start.",
                enum=("Never", "WhenItFits"),
                default="Never",
            ),
        },
        default={},
    )


def _adapters() -> Schema:
    return obj(
        "Room for tenants' adapters in each worker.",
        {
            "deviceSlots": integer("Adapters held on the device at a time.", low=1, high=4096, default=64),
        },
        default={},
    )


def _artifacts() -> Schema:
    return obj(
        "Where artifacts come from.",
        {
            "claims": array(
                "PersistentVolumeClaims in the pool's namespace, mounted read-only; pvc://CLAIM/PATH reads from them.",
                string("Name of a claim.", pattern=NAME),
                longest=16,
                kind="set",
            ),
            "allow": array(
                "Where artifacts of ensembles and adapters may lie: each entry allows what lies at or below it, as in "
                "s3://models/team-a, pvc://models, https://models.example or, for every host, https://. What is not "
                "listed is refused. When left out, everything that a worker can read is allowed.",
                string("A URI; whole segments of its path count.", pattern=PREFIX, length=(5, 2048)),
                longest=64,
                kind="set",
            ),
            "cacheSize": quantity(
                "Disk for local copies of artifacts. To stay within it a worker drops what no plan names any more, and "
                "loads nothing that has no room (CacheFull). When left out, that happens when the disk is full."
            ),
        },
        default={},
    )
