"""`healer playbook rbac`: the least rights that the loaded playbooks need, for kubectl."""

import importlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from healer.cli.playbook import Source, read_all, source_options
from healer.engine.need import Words, needs
from healer.model.effect import Permission

Manifest = dict[str, Any]
_API = "rbac.authorization.k8s.io"
_LABELS = {"app.kubernetes.io/name": "healer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The ServiceAccount that gets the rights; the roles have its name."""

    namespace: str
    name: str


@click.command()
@source_options
@click.option(
    "-n", "--namespace", default="healer", show_default=True, help="Where the daemon runs."
)
@click.option(
    "--service-account", default="healer", show_default=True, help="As whom the daemon runs."
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="As documents for kubectl, or as one list.",
)
@click.pass_context
def rbac(
    ctx: click.Context,
    config: Path,
    playbooks: tuple[Path, ...],
    namespace: str,
    service_account: str,
    output: str,
) -> None:
    """Roles and bindings for what the playbooks look at and do, per namespace of the services.

    Exit code 1, and nothing printed, where a playbook has faults: its rights are not known.
    """
    known, services = read_all(ctx, Source(config=config, paths=playbooks))
    rights = needs(known, services, the_words(ctx))
    made = manifests(rights, Account(namespace=namespace, name=service_account))
    if output == "json":
        click.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": made}, indent=2))
    else:
        click.echo(yaml.safe_dump_all(made, sort_keys=False), nl=False)


def the_words(ctx: click.Context) -> Words:
    """Those that the caller brought (`obj=`), or those of the daemon."""
    brought = ctx.find_object(Words)
    if brought is not None:
        return brought
    provide: Callable[[], Words] = importlib.import_module("healer.app.nowhere").words
    return provide()


def manifests(rights: Iterable[Permission], account: Account) -> list[Manifest]:
    """A role and its binding for each namespace, and for the cluster where anything is its."""
    by_place: dict[str, list[Permission]] = {}
    for right in sorted(rights):
        by_place.setdefault(right.namespace, []).append(right)
    return [
        one
        for namespace, granted in sorted(by_place.items())
        for one in _role(namespace, _rules(granted), account)
    ]


def _role(namespace: str, rules: list[Manifest], account: Account) -> tuple[Manifest, Manifest]:
    kind = "Role" if namespace else "ClusterRole"
    place = {"namespace": namespace} if namespace else {}
    meta = {"name": account.name, **place, "labels": _LABELS}
    role = {"apiVersion": f"{_API}/v1", "kind": kind, "metadata": meta, "rules": rules}
    subject = {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}
    binding = {
        "apiVersion": f"{_API}/v1",
        "kind": f"{kind}Binding",
        "metadata": dict(meta),
        "roleRef": {"apiGroup": _API, "kind": kind, "name": account.name},
        "subjects": [subject],
    }
    return role, binding


def _rules(rights: Iterable[Permission]) -> list[Manifest]:
    """One rule for what has the same verbs; none for names of what is allowed by any name."""
    every = list(rights)
    wide = {(one.group, one.resource, one.verb) for one in every if not one.names}
    verbs: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for one in every:
        if one.names and (one.group, one.resource, one.verb) in wide:
            continue
        verbs.setdefault((one.group, one.resource, one.names), []).append(one.verb)
    alike: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (group, resource, names), found in verbs.items():
        alike.setdefault((group, names, tuple(sorted(set(found)))), []).append(resource)
    return [
        {
            "apiGroups": [group],
            "resources": sorted(set(resources)),
            **({"resourceNames": list(names)} if names else {}),
            "verbs": list(found),
        }
        for (group, names, found), resources in sorted(alike.items())
    ]
