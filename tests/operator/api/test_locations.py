"""What a pool allows is a place and what lies below it, however a URI is written and whoever reads it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pytest
import yarl
from hypothesis import assume, example, given
from hypothesis import strategies as st

from phalanx_operator.api.issues import SpecError
from phalanx_operator.api.locations import is_allowed, prefix_fault, uri_fault
from phalanx_operator.api.parse import parse_pool
from phalanx_server.loading.source import Claim, Folder, locate
from tests.operator import objects

segments = st.from_regex(r"[a-z0-9][-a-z0-9_.]{0,6}", fullmatch=True).filter(lambda text: ".." not in text)
paths = st.lists(segments, max_size=4)
hosts = st.from_regex(r"[a-z][-a-z0-9]{0,8}", fullmatch=True)
schemes = st.sampled_from(["s3", "gs", "http", "https", "pvc"])
odd = ["team", "teams", "x", "..", ".", "", "%2e%2e", "%252E%252e", "%2F", "..%2f..", "%5c..", "a b%20", "?", "#"]
tricks = st.lists(st.sampled_from(odd), max_size=7)


def uri_of(scheme: str, host: str, path: list[str]) -> str:
    return f"{scheme}://{host}/{'/'.join(path)}"


@given(schemes, hosts, paths, paths, st.booleans())
def test_a_place_allows_itself_and_all_below_it(scheme, host, path, below, slash):
    prefix = uri_of(scheme, host, path).rstrip("/") + ("/" if slash else "")
    assert not prefix_fault(prefix)
    assert is_allowed(uri_of(scheme, host, path + below), [prefix])


@given(schemes, hosts, paths, paths, st.from_regex(r"[-a-z0-9]{1,4}", fullmatch=True))
def test_a_longer_name_is_another_place(scheme, host, path, below, more):
    """As text it begins with the prefix."""
    prefix = uri_of(scheme, host, path).rstrip("/")
    assert not is_allowed(f"{prefix}{more}/{'/'.join(below)}", [prefix])


@given(schemes, hosts, hosts, st.sampled_from(["s3", "gs", "http", "https", "pvc"]), paths)
def test_another_host_or_scheme_is_another_place(scheme, host, other, other_scheme, path):
    assume((scheme, host) != (other_scheme, other))
    assert not is_allowed(uri_of(other_scheme, other, path), [uri_of(scheme, host, [])])


@given(schemes, hosts, paths, paths, st.integers(0, 3), st.sampled_from(["..", "..\\", "\\.."]))
def test_no_way_of_writing_two_dots_passes(scheme, host, before, after, rounds, dots):
    for _ in range(rounds):
        dots = quote(dots, safe="").replace(".", "%2E")
    uri = uri_of(scheme, host, [*before, dots, *after])
    assert not is_allowed(uri, [f"{scheme}://"])


@given(schemes, hosts, paths, st.lists(st.tuples(schemes, hosts, paths), max_size=4), st.tuples(schemes, hosts, paths))
def test_a_further_prefix_never_takes_a_permission_away(scheme, host, path, prefixes, further):
    uri, texts = uri_of(scheme, host, path), [uri_of(*prefix) for prefix in prefixes]
    assert is_allowed(uri, [*texts, uri_of(*further)]) >= is_allowed(uri, texts)


@pytest.fixture(scope="module")
def claims(tmp_path_factory) -> Path:
    """A folder in which the claim `models` is mounted."""
    folder = tmp_path_factory.mktemp("claims")
    (folder / "models").mkdir()
    return folder


@given(path=tricks)
@example(path=["team", "%2e%2e", "x"])
def test_a_worker_reads_no_claim_or_folder_above_what_is_allowed(claims, path):
    for scheme, host, top in (("pvc", "models", claims / "models" / "team"), ("file", "", Path("/team"))):
        uri = uri_of(scheme, host, path)
        if is_allowed(uri, [uri_of(scheme, host, ["team"])]):
            found = locate(uri, claims_dir=claims, stall_s=1.0)
            assert isinstance(found, Folder | Claim)
            folder = found.mount / found.path if isinstance(found, Claim) else found.path
            assert Path(os.path.normpath(folder)).is_relative_to(top)


@given(tricks)
def test_an_http_client_asks_for_nothing_above_what_is_allowed(path):
    uri = uri_of("https", "store", path)
    if is_allowed(uri, ["https://store/team"]):
        asked = yarl.URL(f"{uri.rstrip('/')}/manifest.json")
        assert asked.host == "store"
        assert asked.path.startswith("/team/")


@pytest.mark.parametrize(
    ("uri", "prefix", "allowed"),
    [
        ("s3://models-evil/x", "s3://models", False),
        ("s3://models/team-b/x", "s3://models/team-a", False),
        ("https://Models.Example:443/x", "https://models.example", True),
        ("https://models.example:8443/x", "https://models.example", False),
        ("https://models.example.evil/x", "https://models.example", False),
        ("https://models.example@evil/x", "https://models.example", False),
        ("https://evil/https://models.example/", "https://models.example", False),
        ("https://any.host/x", "https://", True),
        ("http://any.host/x", "https://", False),
        ("pvc://anything/x", "pvc://", True),
        ("file:///etc/x", "file://", True),
        ("file:///models/x", "file:///models/", True),
        ("file:////models/x", "file:///models", False),
        ("s3://models/x::file:///etc", "s3://models", False),
        ("https://models.example/x?next=evil", "https://models.example", False),
        ("https://:443/x", "https://", False),
    ],
)
def test_examples(uri, prefix, allowed):
    assert is_allowed(uri, [prefix]) is allowed


def test_an_empty_list_allows_nothing():
    assert not is_allowed("s3://models/x", [])


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("s3:///x", "HOST"),
        ("file://models", "three slashes"),
        ("https://u:p@h", "credentials"),
        ("pvc://m/%2e%2E/x", "'..'"),
        ("https://h/?x", "none of ?"),
        ("https://h:99999", "not a URI"),
    ],
)
def test_a_bad_prefix_is_refused_by_its_place_in_the_list(prefix, says):
    with pytest.raises(SpecError) as caught:
        parse_pool(objects.pool(artifacts={"allow": ["s3://good", prefix]}))
    (issue,) = caught.value.errors
    assert issue.field == "spec.artifacts.allow[1]"
    assert says in issue.message


def test_encoded_dots_are_refused_without_any_list():
    assert "'..'" in uri_fault("file:///models/%252e%252e/etc")
