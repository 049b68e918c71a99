"""Turns a document that was found right into the playbook that the engine follows."""

import hashlib
import json

from healer.model.outcome import Json
from healer.model.playbook import (
    CheckSpec,
    Escalate,
    GuardSpec,
    Mode,
    Playbook,
    Remedy,
    Step,
    StepId,
    Undo,
    Verify,
)
from healer.playbook.schema import PlaybookDocument, RemedyPart, SpecPart


def digest_of(value: Json) -> str:
    """The version of a document: the same for the same content, however it is laid out."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def build(document: PlaybookDocument, *, path: str, digest: str) -> Playbook:
    """The playbook; `path` is the file it stands in."""
    meta, spec = document.metadata, document.spec
    return Playbook(
        name=meta.name,
        title=meta.title,
        path=path,
        digest=digest,
        match=tuple(tuple(alternative) for alternative in spec.match),
        services=tuple(spec.services),
        joins=tuple(spec.joins),
        mode=Mode(spec.mode),
        runbook=meta.runbook or "",
        target=spec.target,
        guards=tuple(
            GuardSpec(guard=part.guard, params=part.with_, path=f"guards/{index}")
            for index, part in enumerate(spec.guards)
        ),
        diagnose=tuple(
            CheckSpec(id=part.id, check=part.check, params=part.with_, path=f"diagnose/{index}")
            for index, part in enumerate(spec.diagnose)
        ),
        remedies=tuple(
            _remedy(part, f"remedies/{index}") for index, part in enumerate(spec.remedies)
        ),
        verify=_verify(spec),
        escalate=_escalate(spec),
    )


def _remedy(part: RemedyPart, path: str) -> Remedy:
    steps = (
        Step(
            id=StepId(step.id),
            action=step.action,
            params=step.with_,
            timeout=step.timeout,
            attempts=step.attempts,
            undo=Undo(step.undo),
            path=f"{path}/steps/{index}",
        )
        for index, step in enumerate(part.steps)
    )
    return Remedy(
        name=part.name, when=part.when, because=part.because, steps=tuple(steps), path=path
    )


def _verify(spec: SpecPart) -> Verify:
    part = spec.verify
    return Verify(
        until=part.until,
        for_=part.for_,
        timeout=part.timeout,
        every=part.every,
        watch=part.watch,
    )


def _escalate(spec: SpecPart) -> Escalate:
    part = spec.escalate
    return Escalate(
        after=part.after,
        when=part.when or "",
        to=tuple(part.to),
        failures=part.failures,
        update_every=part.update_every,
    )
