"""The inference servers that an action speaks to: those of the service's pods that run."""

from healer.action.contract import StepContext
from healer.client.inference import Inference
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.pod import Pods
from healer.errors import TemporaryError


async def running_pods(pods: Pods, ctx: StepContext) -> list[Pod]:
    """Ready or not: a server behind an open breaker may be unready for that very reason."""
    found = await pods.select(ctx.target.namespace, ctx.service.selector)
    running = [pod for pod in found if pod.status.phase == "Running" and not pod.leaving]
    if not running:
        message = f"no pod of {ctx.target} runs: there is no server to speak to"
        raise TemporaryError(message)
    return running


def server_of(pods: Pods, pod: str, ctx: StepContext) -> Inference:
    """The server of that pod."""
    return Inference(pods, namespace=ctx.target.namespace, pod=pod, endpoint=ctx.service.inference)
