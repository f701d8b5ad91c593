"""What belongs to an object is found without looking at all others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.api.types import Key
from phalanx_operator.observe.store import Ref, Store, lean, named_by, ref_of

names = st.sampled_from(["a", "b", "c"])
owners = st.none() | names | st.just(7)


def ensemble(name: str, pool: object, namespace: str = "default") -> dict[str, object]:
    spec = {} if pool is None else {"pool": pool}
    return {"kind": "StudentEnsemble", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


@given(st.lists(st.tuples(st.booleans(), names, owners, st.sampled_from(["default", "other"])), max_size=40))
def test_the_index_says_what_a_search_through_everything_would(steps):
    store = Store()
    for put, name, pool, namespace in steps:
        obj = ensemble(name, pool, namespace)
        if put:
            store.put(obj)
        else:
            store.remove(ref_of(obj))
    everything = store.all_of("StudentEnsemble")
    for namespace in ("default", "other"):
        for pool in ("a", "b", "c"):
            key = Key(namespace, pool)
            assert store.belonging_to("StudentEnsemble", key) == [each for each in everything if named_by(each) == key]
    assert store.belonging_to("StudentEnsemble", None) == [each for each in everything if named_by(each) is None]
    assert set(store.owners("StudentEnsemble")) == {named_by(each) for each in everything}


def test_an_object_whose_owner_is_no_name_belongs_to_nothing():
    assert named_by(ensemble("a", {"name": "b"})) is None
    assert named_by({"kind": "ServingPool", "metadata": {"name": "a"}, "spec": None}) is None
    store = Store([ensemble("a", None)])
    assert store.get(Ref("StudentEnsemble", Key("default", "a"))) is not None


def test_only_deployments_keep_who_set_which_field():
    accounts = {"name": "a", "uid": "u-1", "managedFields": [{"manager": "hpa"}]}
    scaled = {"kind": "Deployment", "metadata": accounts}
    assert lean(scaled) == scaled
    given = {"kind": "Pod", "metadata": accounts}
    assert lean(given) == {"kind": "Pod", "metadata": {"name": "a", "uid": "u-1"}}
    assert given["metadata"] == accounts, "what was given stays as it is"
