"""What is to be taken back, in which order, and whether to try it again. Changes nothing."""

from collections.abc import Iterator, Sequence

from healer.engine.case import Case
from healer.engine.runner import Runner, Task
from healer.model.incident import Incident
from healer.model.outcome import Result
from healer.model.playbook import Undo

AFTERWARDS = (Undo.AFTERWARDS,)
ON_FAILURE = (Undo.ON_FAILURE, Undo.AFTERWARDS)


class Undoing:
    """A round that did not heal takes back its own steps, the newest first.

    The loans of rounds that did heal are put back together with those of the last one, after its
    watch.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def next(self, case: Case, when: Sequence[Undo] = ON_FAILURE) -> Task | None:
        """The newest step that wants to be taken back, and was not tried too often already."""
        undos = self._all(case, when)
        return next((task for task, tried in undos if tried < task.step.attempts), None)

    def left(self, case: Case) -> str:
        """What is in place still, although it was tried to take it back; '' if nothing is."""
        ids = [task.step.id for task, _ in self._all(case, ON_FAILURE)]
        return f"{', '.join(ids)} failed: what was done there is in place still" if ids else ""

    def _all(self, case: Case, when: Sequence[Undo]) -> Iterator[tuple[Task, int]]:
        """What is to be taken back, and how often that failed."""
        run = case.incident.run
        loans = run.loans if when is AFTERWARDS else run.loans[len(run.lent) :]
        for loan in reversed(loans):
            step = case.find_step(loan.started.step)
            if step is None or step.undo not in when:
                continue
            if task := self._runner.undo_of(step, loan.started, loan.outcome):
                yield task, run.failures.get(task.step.id, 0)


def may_retry(task: Task, incident: Incident) -> bool:
    """It failed just now, and is worth another try."""
    tried = incident.run.failures.get(task.step.id, 0)
    return 0 < tried < task.step.attempts and not hopeless(incident)


def hopeless(incident: Incident) -> bool:
    """Would another try of what was done last be blind or vain?"""
    last = incident.run.last
    if last is None:
        return False
    return last.result is Result.ABANDONED or bool(last.evidence.get("final"))
