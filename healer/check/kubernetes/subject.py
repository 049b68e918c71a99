"""About whom a check asks: the deployment and the pods that are the target's."""

from healer.check.contract import CheckContext
from healer.errors import PermanentError

_LONGEST = 200


def deployment_of(ctx: CheckContext, name: str | None = None) -> tuple[str, str]:
    """Namespace and name: the one that is named, else the target, which must be a deployment."""
    if name is not None:
        return ctx.target.namespace, name
    if ctx.target.kind.lower() != "deployment":
        message = f"{ctx.target} is no deployment: say which one is meant (name: …)"
        raise PermanentError(message)
    return ctx.target.namespace, ctx.target.name


def selector_of(ctx: CheckContext, selector: str | None) -> str:
    """The one that is given, else the service's own; never an empty one."""
    found = (ctx.service.selector if selector is None else selector).strip()
    if not found:
        message = f"{ctx.service.name} has an empty selector, which would mean every pod: refused"
        raise PermanentError(message)
    return found


def short(text: str, longest: int = _LONGEST) -> str:
    """One line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
