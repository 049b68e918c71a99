"""Who may do what: bearer tokens to identities, and RBAC objects to yes or no."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from healer.lab.api.failure import ApiError
from healer.lab.api.store import Store
from healer.lab.api.target import Target
from healer.lab.api.value import items
from healer.lab.contract import Object

MASTERS = "system:masters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a token stands for."""

    user: str
    groups: frozenset[str] = frozenset()


ANONYMOUS = Identity(user="system:anonymous", groups=frozenset({"system:unauthenticated"}))


def service_account(namespace: str, name: str) -> Identity:
    """Who a pod's token stands for."""
    groups = {"system:serviceaccounts", f"system:serviceaccounts:{namespace}"}
    return Identity(user=f"system:serviceaccount:{namespace}:{name}", groups=frozenset(groups))


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorizer:
    """Reads the RBAC objects anew for every question."""

    store: Store

    def allows(self, who: Identity, target: Target) -> bool:
        """Whether any rule bound to `who` covers the request."""
        if MASTERS in who.groups:
            return True
        return any(_covers(rule, target) for rule in self._rules(who, target))

    def demand(self, who: Identity, target: Target) -> None:
        """Raise Forbidden unless allowed."""
        if not self.allows(who, target):
            raise _forbidden(who, target)

    def _rules(self, who: Identity, target: Target) -> Iterator[Object]:
        for binding in self.store.list("clusterrolebindings"):
            yield from self._bound(who, binding, "")
        if target.is_resource and target.namespace:
            for binding in self.store.list("rolebindings", target.namespace):
                yield from self._bound(who, binding, target.namespace)

    def _bound(self, who: Identity, binding: Object, namespace: str) -> Iterator[Object]:
        if not any(_is_subject(who, one, namespace) for one in items(binding, "subjects")):
            return
        ref = binding.get("roleRef", {})
        cluster_wide = ref.get("kind") == "ClusterRole"
        plural, space = ("clusterroles", "") if cluster_wide else ("roles", namespace)
        role = self.store.get(plural, space, str(ref.get("name", "")))
        yield from items(role, "rules")


def _is_subject(who: Identity, subject: Object, namespace: str) -> bool:
    name = subject.get("name")
    match subject.get("kind"):
        case "User":
            return name == who.user
        case "Group":
            return name in who.groups
        case "ServiceAccount":
            space = subject.get("namespace") or namespace
            return who.user == f"system:serviceaccount:{space}:{name}"
        case _:
            return False


def _covers(rule: Object, target: Target) -> bool:
    if not _has(items(rule, "verbs"), target.verb):
        return False
    if not target.is_resource:
        return any(_path_matches(one, target.path) for one in items(rule, "nonResourceURLs"))
    names = items(rule, "resourceNames")
    return (
        _has(items(rule, "apiGroups"), target.group)
        and _resource_matches(items(rule, "resources"), target)
        and (not names or target.name in names)
    )


def _has(listed: Sequence[str], wanted: str) -> bool:
    return "*" in listed or wanted in listed


def _resource_matches(listed: Sequence[str], target: Target) -> bool:
    if not target.part:
        return _has(listed, target.plural)
    return _has(listed, f"{target.plural}/{target.part}") or f"*/{target.part}" in listed


def _path_matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return pattern.rstrip("/") == path.rstrip("/")


def _forbidden(who: Identity, target: Target) -> ApiError:
    if not target.is_resource:
        why = f'User "{who.user}" cannot {target.verb} path "{target.path}"'
        return ApiError(403, "Forbidden", f"forbidden: {why}", details={})
    plural = f"{target.plural}/{target.part}" if target.part else target.plural
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    qualified = f"{target.plural}.{target.group}" if target.group else target.plural
    subject = f'{qualified} "{target.name}"' if target.name else qualified
    why = (
        f'User "{who.user}" cannot {target.verb} resource "{plural}" '
        f'in API group "{target.group}" {where}'
    )
    details: Object = {"name": target.name} if target.name else {}
    if target.group:
        details["group"] = target.group
    details["kind"] = target.plural
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details=details)
