"""The inference servers of a service, and what those of them say that answer at all."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from healer.check.contract import CheckContext
from healer.check.gather import ask_each
from healer.client.inference import Inference
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.permission import allow
from healer.client.kubernetes.pod import Pods
from healer.errors import HealerError, TemporaryError, UnavailableError
from healer.model.effect import Permission

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(Generic[AnswerT]):
    """The answers by pod, and why the others did not answer."""

    answers: dict[str, AnswerT]
    silent: dict[str, str]

    def demand(self, what: str) -> dict[str, AnswerT]:
        """The answers; a TemporaryError where there is none."""
        if self.answers:
            return self.answers
        reasons = "; ".join(self.silent.values()) or "no pod runs"
        message = f"no inference server tells {what}: {reasons}"
        raise TemporaryError(message)

    def demand_all(self, what: str) -> dict[str, AnswerT]:
        """The answers, where nobody is silent: a sum over some would pass for one over all."""
        answers = self.demand(what)
        if self.silent:
            message = f"not every inference server tells {what}: {'; '.join(self.silent.values())}"
            raise TemporaryError(message)
        return answers


def server_permissions(namespace: str) -> Sequence[Permission]:
    """Finding the pods and reading from them through the API server."""
    return (*allow(namespace, "pods", "list"), *allow(namespace, "pods/proxy", "get"))


async def running_pods(pods: Pods, ctx: CheckContext) -> list[Pod]:
    """Those that could answer."""
    found = await pods.select(ctx.target.namespace, ctx.service.selector)
    return [pod for pod in found if pod.status.phase == "Running" and not pod.leaving]


async def hear(
    pods: Pods,
    asked: Sequence[Pod],
    ctx: CheckContext,
    ask: Callable[[Inference], Awaitable[AnswerT]],
) -> Heard[AnswerT]:
    """Ask side by side. A server that is away is silent; a refusal is an error."""

    async def question(pod: Pod) -> AnswerT:
        server = Inference(
            pods,
            namespace=ctx.target.namespace,
            pod=pod.name,
            endpoint=ctx.service.inference,
        )
        return await ask(server)

    answers: dict[str, AnswerT] = {}
    silent: dict[str, str] = {}
    for pod, answer in await ask_each(asked, question):
        match answer:
            case UnavailableError():
                silent[pod.name] = str(answer)
            case HealerError():
                raise answer
            case _:
                answers[pod.name] = answer
    return Heard(answers=answers, silent=silent)
