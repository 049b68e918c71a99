"""The deployment that a step is about, and what all actions on deployments share."""

from healer.action.contract import StepContext
from healer.client.kubernetes.object import Deployment
from healer.errors import PermanentError

STEP = "healer.dev/step"
"""The annotation that tells after a crash that a step was done."""


def deployment_of(ctx: StepContext) -> tuple[str, str]:
    """Namespace and name of the target; it must be a deployment."""
    if ctx.target.kind.lower() != "deployment":
        message = f"{ctx.target} is no deployment: this action cannot change it"
        raise PermanentError(message)
    return ctx.target.namespace, ctx.target.name


def refuse_paused(deployment: Deployment, ctx: StepContext) -> None:
    """A paused rollout takes no new template: it would be asked for in vain."""
    if deployment.spec.paused:
        message = f"the rollout of {ctx.target} is paused: resume it first (kubectl rollout resume)"
        raise PermanentError(message)
