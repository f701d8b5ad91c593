"""How a plan travels: gzip JSON, cut into parts that fit a ConfigMap each, and a header that binds them.

The operator writes part i into the ConfigMap `<pool>-plan-<i>`, under the key `plan.<iii>`; the header goes beside
part 0 as `plan.header.json`. Workers mount all of them into one folder. A kubelet may show new files of one
ConfigMap before those of another, so the header carries a hash of every part: a mixed set is refused whole,
and the worker keeps its plan until the set is complete.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from phalanx_contract.errors import FieldError, IntegrityError
from phalanx_contract.limits import MAX_PART_BYTES, MAX_PARTS, MAX_PLAN_BYTES
from phalanx_contract.plan import Digest, Hex64, Plan, PlanHash, encode_plan, parse_plan

HEADER_KEY: Final = "plan.header.json"


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What binds the parts: the plan's hash and the sha256 of each part, in order."""

    hash: Digest
    parts: Annotated[tuple[Hex64, ...], Meta(min_length=1, max_length=MAX_PARTS)]
    format: Literal["phalanx.plan/v1"] = "phalanx.plan/v1"


def part_key(index: int) -> str:
    """The file name of a part."""
    return f"plan.{index:03d}"


def pack(plan: Plan, *, max_part_bytes: int = MAX_PART_BYTES) -> tuple[PlanHash, list[dict[str, bytes]]]:
    """Cut a plan into the contents of one or more ConfigMaps.

    Returns the plan's hash and, for each ConfigMap, its files by name. The same plan gives the same bytes.

    Raises:
        FieldError: the plan is not valid, or needs more than `MAX_PARTS` parts.
    """
    raw = encode_plan(plan)
    plan_hash = PlanHash("sha256:" + hashlib.sha256(raw).hexdigest())
    data = gzip.compress(raw, mtime=0)
    parts = [data[start : start + max_part_bytes] for start in range(0, len(data), max_part_bytes)]
    if len(parts) > MAX_PARTS:
        raise FieldError("", f"the plan needs {len(parts)} parts; at most {MAX_PARTS}: use more pools")
    header = Header(hash=plan_hash, parts=tuple(hashlib.sha256(part).hexdigest() for part in parts))
    files = [{part_key(index): part} for index, part in enumerate(parts)]
    files[0][HEADER_KEY] = msgspec.json.encode(header)
    return plan_hash, files


def read_header(files: Mapping[str, bytes]) -> Header:
    """The header alone, to see cheaply whether the plan has changed.

    Raises:
        IntegrityError: there is none.
        FieldError: it is malformed.
    """
    if HEADER_KEY not in files:
        raise IntegrityError(f"{HEADER_KEY} is missing")
    try:
        return msgspec.json.decode(files[HEADER_KEY], type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FieldError(HEADER_KEY, str(error)) from error


def unpack(files: Mapping[str, bytes]) -> tuple[PlanHash, Plan]:
    """Put a plan together again from the files of all mounted ConfigMaps; files it does not name are ignored.

    Raises:
        IntegrityError: a part is missing or differs from its hash (a torn update: try again later).
        FieldError: the bytes are whole, and what they say is not a plan.
    """
    header = read_header(files)
    parts = []
    for index, digest in enumerate(header.parts):
        part = files.get(part_key(index))
        if part is None:
            raise IntegrityError(f"{part_key(index)} is missing")
        if hashlib.sha256(part).hexdigest() != digest:
            raise IntegrityError(f"{part_key(index)} is not the part that the header names")
        parts.append(part)
    raw = _inflate(b"".join(parts))
    if "sha256:" + hashlib.sha256(raw).hexdigest() != header.hash:
        raise IntegrityError("the plan is not the one that the header names")
    return PlanHash(header.hash), parse_plan(raw)


def _inflate(data: bytes) -> bytes:
    """Decompress with a bound, so that a small document cannot fill the memory."""
    stream = zlib.decompressobj(wbits=31)
    try:
        raw = stream.decompress(data, MAX_PLAN_BYTES + 1)
    except zlib.error as error:
        raise IntegrityError(f"not gzip: {error}") from error
    if len(raw) > MAX_PLAN_BYTES:
        raise IntegrityError(f"the plan inflates past {MAX_PLAN_BYTES} bytes")
    if not stream.eof or stream.unused_data:
        raise IntegrityError("the gzip stream is truncated or has bytes after its end")
    return raw
