"""Tokens and certificate authorities, from what a pool's spec names to what Prometheus is shown."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.api.parse import parse_pool
from phalanx_operator.api.types import KeyRef, Prometheus
from phalanx_operator.observe.promapi import Endpoint
from phalanx_operator.reconcile.access import AccessError, endpoint_of
from tests.operator.objects import pool
from tests.operator.observe.servers import Certificates
from tests.operator.reconcile.memory import MemoryCluster

SECRET = {"name": "prom", "key": "password"}
TOKEN = KeyRef(
    kind="Secret", name="prom", key="password", field="spec.metrics.prometheus.authorization.credentials"
)  # fmt: skip


def secret(**values: bytes) -> dict[str, Any]:
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prom"}, "data": data}


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "roots"}, "data": data}


def source(**fields: Any) -> Prometheus:
    read = parse_pool(pool(metrics={"prometheus": {"url": "https://p:9091/", **fields}})).metrics.prometheus
    assert read is not None
    return read


async def endpoint(cluster: MemoryCluster, **fields: Any) -> Endpoint:
    return await endpoint_of(cluster, "default", source(**fields), fresh=False)


async def fault(cluster: MemoryCluster, **fields: Any) -> str:
    with pytest.raises(AccessError) as caught:
        await endpoint(cluster, **fields)
    # The traceback that a log would print must not tell either.
    assert caught.value.__cause__ is None or "secret" not in str(caught.value.__cause__)
    return str(caught.value)


async def test_without_credentials_the_endpoint_is_open():
    open_ = await endpoint_of(MemoryCluster(), "default", Prometheus(url="http://p"), fresh=False)
    assert open_ == Endpoint(url="http://p")
    assert "Authorization" not in open_.headers()


async def test_a_token_goes_into_the_header_without_the_line_break_of_its_file():
    cluster = MemoryCluster(secret(password=b"t0k-en.x\n"))
    found = await endpoint(cluster, authorization={"credentials": SECRET}, orgID="team-a", timeout="3s")
    assert found.headers()["Authorization"] == "Bearer t0k-en.x"
    assert (found.url, found.org_id, found.timeout_s) == ("https://p:9091", "team-a", 3.0)
    assert found.credentials == "key password of Secret prom"


@pytest.mark.parametrize("where", ["secret", "configMap"])
async def test_certificate_authorities_come_from_a_secret_or_a_config_map(tmp_path: Path, where: str):
    ca = Certificates(tmp_path / "pki").ca
    cluster = MemoryCluster(secret(pem=ca.encode()), config_map(pem=ca))
    name = "prom" if where == "secret" else "roots"
    tls = {"ca": {where: {"name": name, "key": "pem"}}, "serverName": "thanos"}
    first = await endpoint(cluster, tlsConfig=tls)
    assert isinstance(first.tls, ssl.SSLContext)
    assert [each["subject"] for each in first.tls.get_ca_certs()] == [((("commonName", "phalanx-test-ca"),),)]
    assert first.tls.verify_mode is ssl.CERT_REQUIRED
    assert first.server_name == "thanos"
    assert (await endpoint(cluster, tlsConfig=tls)).tls is first.tls, "so that connections are reused"


async def test_what_is_missing_is_named_with_the_field_to_correct():
    field = "spec.metrics.prometheus.authorization.credentials"
    said = await fault(MemoryCluster(), authorization={"credentials": SECRET})
    assert said == f"Secret prom does not exist; create it with the key password, or correct {field}"
    for other in (secret(other=b"secret"), secret(password=b"")):
        said = await fault(MemoryCluster(other), authorization={"credentials": SECRET})
        assert said == f"Secret prom has no key password; add it, or correct {field}.key"
    ca = {"ca": {"configMap": {"name": "roots"}}}
    said = await fault(MemoryCluster(), tlsConfig=ca)
    assert said.startswith("ConfigMap roots does not exist; create it with the key ca.crt")
    said = await fault(MemoryCluster(config_map(**{"ca.crt": "no certificate"})), tlsConfig=ca)
    assert said == "key ca.crt of ConfigMap roots holds no certificates in PEM; write those of the authority there"


async def test_a_secret_that_may_not_be_read_is_named():
    cluster = MemoryCluster()
    cluster.refuse = {"Secret"}
    said = await fault(cluster, authorization={"credentials": SECRET})
    assert said == "Secret prom could not be read: Secret: refused"


@pytest.mark.parametrize(
    "value", [b"secret one\nsecret two", "sécret".encode(), b"\xff\xfesecret", b" \n", b"secret\x00"]
)
async def test_what_is_no_token_is_not_sent_and_not_shown(value: bytes):
    said = await fault(MemoryCluster(secret(password=value)), authorization={"credentials": SECRET})
    assert said.startswith("key password of Secret prom holds no token")
    assert "secret" not in said.replace("Secret prom", "")


async def test_data_that_is_not_base64_is_not_shown():
    broken = secret() | {"data": {"password": "secret!"}}
    said = await fault(MemoryCluster(broken), authorization={"credentials": SECRET})
    assert said == "key password of Secret prom is not base64; write it again"


@given(st.binary(min_size=1, max_size=40))
async def test_whatever_a_secret_holds_the_header_is_one_line_of_ascii_or_there_is_none(value: bytes):
    cluster = MemoryCluster(secret(password=value))
    prometheus = Prometheus(url="https://p", token=TOKEN)
    try:
        found = await endpoint_of(cluster, "default", prometheus, fresh=False)
    except AccessError:
        return
    header = found.headers()["Authorization"]
    assert header == f"Bearer {value.decode().strip()}"
    assert header.isascii()
    assert header.isprintable()
    assert found.token not in repr(found).replace(found.url, "") or len(found.token) < 4
