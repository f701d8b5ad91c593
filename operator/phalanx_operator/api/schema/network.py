"""The part of the ServingPool's spec about who may talk to the workers, and they to whom."""

from __future__ import annotations

from phalanx_operator.api.schema.fields import Schema, array, integer, obj, string, strings_by_name

_MOST_PEERS = 64


def network_policy() -> Schema:
    """Off by default: a policy that appears by itself would cut off clients that nobody thought of."""
    return obj(
        "A NetworkPolicy for the workers. It needs a network plugin that enforces policies.",
        {
            "mode": string(
                "Off makes none. Restricted lets the operator and what is listed under from in, to the workers' port.",
                enum=("Off", "Restricted"),
                default="Off",
            ),
            "from": _peers(
                "Who may send requests or read metrics, besides the operator. When left out, all pods of the pool's "
                "namespace; name the namespace of your Prometheus here if it scrapes the workers."
            ),
            "egress": array(
                "Where workers may connect to. When left out, everywhere; an empty list allows nothing, which does for "
                "artifacts on claims. Stores need a rule for DNS (port 53, UDP and TCP) besides their own.",
                obj(
                    "Peers and ports; what is left out is not restricted.",
                    {"to": _peers("Whom they may reach."), "ports": _ports()},
                ),
                longest=_MOST_PEERS,
            ),
        },
        default={},
    )


def _peers(description: str) -> Schema:
    peer = obj(
        "Pods by their labels, and those of their namespaces, or addresses.",
        {
            "podSelector": _selector("Which pods; without namespaceSelector, of the pool's namespace."),
            "namespaceSelector": _selector("Pods of which namespaces; an empty one stands for all."),
            "ipBlock": obj(
                "Addresses outside of the cluster. Not together with selectors.",
                {
                    "cidr": string("A network, such as 10.0.0.0/8.", length=(4, 64)),
                    "except": array(
                        "Parts of it that are left out.",
                        string("A network within cidr.", length=(4, 64)),
                        longest=_MOST_PEERS,
                    ),
                },
                required=("cidr",),
            ),
        },
    )
    return array(description, peer, longest=_MOST_PEERS)


def _selector(description: str) -> Schema:
    return obj(description, {"matchLabels": strings_by_name("Labels that they must have.")})


def _ports() -> Schema:
    port = obj(
        "One port.",
        {
            "protocol": string("Protocol.", enum=("TCP", "UDP", "SCTP"), default="TCP"),
            "port": integer("Its number.", low=1, high=65535),
        },
        required=("port",),
    )
    return array("On which ports.", port, longest=_MOST_PEERS)
