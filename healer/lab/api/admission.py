"""What is refused or filled in by looking at other objects: namespaces, storage classes, quotas."""

from healer.lab.api.failure import forbidden, not_found
from healer.lab.api.quantity import quantity
from healer.lab.api.quota import exceeded
from healer.lab.api.resource import BY_PLURAL, Resource
from healer.lab.api.store import Store
from healer.lab.api.value import dig
from healer.lab.contract import Object

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def admit_create(store: Store, resource: Resource, new: Object) -> None:
    """Raise if it may not be created; fill in what depends on the cluster."""
    if resource.namespaced:
        _namespace(store, resource, new)
    if resource.plural == "pods" and (why := exceeded(store, new["metadata"]["namespace"])):
        raise forbidden(resource, str(new["metadata"].get("name", "")), why)
    if resource.plural == "persistentvolumeclaims":
        _default_class(store, new)


def admit_update(store: Store, resource: Resource, new: Object, old: Object) -> None:
    """Raise if it may not be changed so."""
    if resource.plural == "persistentvolumeclaims":
        _resize(store, resource, new, old)


def _namespace(store: Store, resource: Resource, new: Object) -> None:
    name = new["metadata"]["namespace"]
    namespace = store.get("namespaces", "", name)
    if namespace is None:
        raise not_found(BY_PLURAL["namespaces"], name)
    if dig(namespace, "status", "phase") == "Terminating":
        why = f"unable to create new content in namespace {name} because it is being terminated"
        raise forbidden(resource, str(new["metadata"].get("name", "")), why)


def _default_class(store: Store, claim: Object) -> None:
    if dig(claim, "spec", "storageClassName") is not None:
        return
    for one in store.list("storageclasses"):
        if dig(one, "metadata", "annotations", _DEFAULT_CLASS) == "true":
            claim["spec"]["storageClassName"] = one["metadata"]["name"]
            return


def _resize(store: Store, resource: Resource, new: Object, old: Object) -> None:
    wanted = dig(new, "spec", "resources", "requests", "storage")
    had = dig(old, "spec", "resources", "requests", "storage")
    if wanted is None or had is None or not _grows(wanted, had):
        return
    name = new["metadata"]["name"]
    if dig(old, "status", "phase") != "Bound":
        raise forbidden(resource, name, "Only bound persistent volume claims can be expanded")
    found = store.get("storageclasses", "", str(dig(old, "spec", "storageClassName") or ""))
    if not dig(found, "allowVolumeExpansion"):
        why = (
            "only dynamically provisioned pvc can be resized and the storageclass that provisions "
            "the pvc must support resize"
        )
        raise forbidden(resource, name, why)


def _grows(wanted: str, had: str) -> bool:
    try:
        return quantity(wanted) > quantity(had)
    except ValueError:
        return False  # validation says what is wrong with it
