"""A running lab from outside: its Kubernetes API, Prometheus, healer, Slack and PagerDuty by HTTP.

Faults and drills use nothing else, so that they would do the same to a real cluster.
"""

import contextlib
import json
import math
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp

from healer.errors import PermanentError, UnavailableError
from healer.lab.contract import Object
from healer.lab.state import State

GROUPS = {
    "certificates": "/apis/cert-manager.io/v1",
    "deployments": "/apis/apps/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "poddisruptionbudgets": "/apis/policy/v1",
    "replicasets": "/apis/apps/v1",
    "storageclasses": "/apis/storage.k8s.io/v1",
}
EXEC_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command in a pod ended."""

    code: int
    output: str


class Remote:
    """Questions to a lab, and commands in its pods."""

    def __init__(self, state: State, session: aiohttp.ClientSession) -> None:
        self.state = state
        self._session = session
        self._ssl: ssl.SSLContext | bool = True
        if state.kubernetes.startswith("https:"):
            self._ssl = ssl.create_default_context(cadata=state.ca)

    # --------------------------------------------------------------------------- kubernetes

    async def objects(self, plural: str, namespace: str, selector: str = "") -> list[Object]:
        """All objects of a kind in a namespace; of those that have none, where it is empty."""
        query = {"labelSelector": selector} if selector else {}
        url = self._place(plural, "", namespace)
        found = await self._get(url, query, token=self.state.token)
        return list(found["items"])

    async def object(self, plural: str, name: str, *, namespace: str = "") -> Object:
        """One object."""
        url = self._place(plural, name, namespace)
        return await self._get(url, token=self.state.token)

    async def patch(
        self, plural: str, name: str, body: Object | list[Object], *, namespace: str = ""
    ) -> Object:
        """Merge that into an object, as `kubectl patch --type=merge`; a list is a JSON patch."""
        url, kind = self._place(plural, name, namespace), "merge-patch"
        if isinstance(body, list):
            kind = "json-patch"
        return await self._send("PATCH", url, body, kind=f"application/{kind}+json")

    async def create(self, plural: str, body: Object, *, namespace: str = "") -> None:
        """A new object."""
        await self._send("POST", self._place(plural, "", namespace), body)

    async def answer(self, incident: str, word: str, body: Object) -> None:
        """`approve` or `deny` an incident, in the name of the lab's operator."""
        url = f"{self.state.healer}/api/v1/incidents/{incident}/{word}"
        await self._send("POST", url, body, token=self.state.operator)

    async def _send(
        self,
        method: str,
        url: str,
        body: Object | list[Object],
        *,
        kind: str = "application/json",
        token: str = "",
    ) -> Object:
        headers = {"Authorization": f"Bearer {token or self.state.token}", "Content-Type": kind}
        async with self._session.request(
            method, url, data=json.dumps(body), headers=headers, ssl=self._ssl
        ) as answer:
            if answer.status >= 400:
                message = f"{method} {url}: {answer.status} {(await answer.text())[:300]}"
                raise PermanentError(message)
            found: Object = await answer.json(content_type=None)
            return found

    def _place(self, plural: str, name: str, namespace: str) -> str:
        where = f"/namespaces/{namespace}" if namespace else ""
        path = f"{GROUPS.get(plural, '/api/v1')}{where}/{plural}"
        return self.state.kubernetes + (f"{path}/{name}" if name else path)

    async def ready_pods(self, namespace: str, selector: str) -> list[str]:
        """The names of the pods that take traffic."""
        pods = await self.objects("pods", namespace, selector)
        return sorted(pod["metadata"]["name"] for pod in pods if _ready(pod))

    async def delete(
        self, plural: str, namespace: str, name: str, *, grace: int | None = None
    ) -> None:
        """Delete an object, with its own grace or so many seconds; gone already is no error."""
        query = {} if grace is None else {"gracePeriodSeconds": str(grace)}
        url = self._place(plural, name, namespace)
        headers = {"Authorization": f"Bearer {self.state.token}"}
        async with self._session.delete(
            url, params=query, headers=headers, ssl=self._ssl
        ) as answer:
            if answer.status >= 400 and answer.status != 404:
                message = f"{url} answers {answer.status}: {(await answer.text())[:300]}"
                raise PermanentError(message)

    async def ask(self, namespace: str, pod: str, path: str, *, port: int, key: str) -> Object:
        """What a server in a pod answers to whoever has its admin key, by the pod proxy."""
        place = f"{self._place('pods', pod, namespace)}:{port}/proxy{path}"
        return await self._get(place, token=self.state.token, headers={"X-Admin-Key": key})

    async def run_in(self, namespace: str, pod: str, argv: Sequence[str]) -> Ran:
        """Run a command in a pod to its end, as `kubectl exec` does."""
        url = f"{self.state.kubernetes}/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        query = [("stdout", "true"), ("stderr", "true"), *(("command", one) for one in argv)]
        try:
            async with self._session.ws_connect(
                url,
                params=query,
                protocols=EXEC_PROTOCOLS,
                headers={"Authorization": f"Bearer {self.state.token}"},
                ssl=self._ssl,
                max_msg_size=0,
            ) as socket:
                if ran := await _ran(socket):
                    return ran
        except aiohttp.ClientError as error:
            message = f"nothing runs in {namespace}/{pod}: {error}"
            raise UnavailableError(message) from error
        broken = f"the command in {namespace}/{pod} broke off"
        raise UnavailableError(broken)

    # ------------------------------------------------------------------------------- healer

    async def incidents(self) -> list[Object]:
        """All of them, newest first."""
        found = await self._healer("/api/v1/incidents", {"limit": "500"})
        return list(found["incidents"])

    async def incident(self, incident: str) -> Object:
        """Everything known of one."""
        return await self._healer(f"/api/v1/incidents/{incident}")

    async def timeline(self, incident: str, *, after: int = 0) -> list[Object]:
        """Its entries."""
        path = f"/api/v1/incidents/{incident}/timeline"
        found = await self._healer(path, {"after": str(after)})
        return list(found["entries"])

    async def playbooks(self) -> list[str]:
        """The names of those in force."""
        found = await self._healer("/api/v1/playbooks")
        return [str(one["name"]) for one in found["playbooks"]]

    # ------------------------------------------------------------------------ the rest of it

    async def query(self, promql: str) -> float | None:
        """The one value of a query; None where there is none."""
        url = f"{self.state.prometheus}/api/v1/query"
        found = await self._get(url, {"query": promql})
        series = found["data"]["result"]
        return float(series[0]["value"][1]) if series else None

    async def range(
        self, promql: str, *, start: datetime, end: datetime, step: float = 1.0
    ) -> list[tuple[float, float]]:
        """The first series of a query over time: seconds since the epoch, and the value then."""
        url = f"{self.state.prometheus}/api/v1/query_range"
        query = {"query": promql, "start": str(start.timestamp()), "end": str(end.timestamp())}
        found = await self._get(url, {**query, "step": str(step)})
        series: list[Object] = found["data"]["result"]
        values: list[tuple[float, str]] = series[0]["values"] if series else []
        pairs = [(float(at), float(value)) for at, value in values]
        return [(at, value) for at, value in pairs if math.isfinite(value)]

    async def alerts(self) -> list[Object]:
        """What Prometheus holds pending or firing."""
        found = await self._get(f"{self.state.prometheus}/api/v1/alerts")
        return list(found["data"]["alerts"])

    async def slack(self) -> Object:
        """All messages, and as text."""
        return await self._get(f"{self.state.slack}/lab/state")

    async def silence(self, labels: Mapping[str, str]) -> str:
        """Silence the alerts that have exactly these labels, for an hour; the silence's id."""
        start = datetime.now(UTC)
        body = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True}
                for name, value in labels.items()
            ],
            "startsAt": start.isoformat(),
            "endsAt": (start + timedelta(hours=1)).isoformat(),
            "createdBy": "lab",
            "comment": "known",
        }
        url = f"{self.state.alertmanager}/api/v2/silences"
        return str((await self._send("POST", url, body))["silenceID"])

    async def unsilence(self, silence: str) -> None:
        """End a silence."""
        await self._send("DELETE", f"{self.state.alertmanager}/api/v2/silence/{silence}", {})

    async def alert(self, labels: Mapping[str, str], *, until: datetime) -> None:
        """An alert of somebody else's rule; told again, it ends at another time."""
        body = [{"labels": dict(labels), "endsAt": until.isoformat()}]
        url = f"{self.state.alertmanager}/api/v2/alerts"
        await self._send("POST", url, body)

    async def pagerduty(self) -> Object:
        """All incidents, and as text."""
        return await self._get(f"{self.state.pagerduty}/lab/state")

    async def _healer(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        return await self._get(self.state.healer + path, query or {}, token=self.state.operator)

    async def _get(
        self,
        url: str,
        query: Mapping[str, str] | None = None,
        *,
        token: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Object:
        sent = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        try:
            async with self._session.get(
                url, params=query or {}, headers=sent, ssl=self._ssl
            ) as answer:
                if answer.status >= 400:
                    said = (await answer.text())[:300]
                    message = f"{url} answers {answer.status}: {said}"
                    raise PermanentError(message)
                found: Object = await answer.json(content_type=None)
                return found
        except (aiohttp.ClientError, TimeoutError) as error:
            message = f"{url} does not answer: {str(error) or type(error).__name__}"
            raise UnavailableError(message) from error


@contextlib.asynccontextmanager
async def connected(state: State) -> AsyncGenerator[Remote]:
    """The way into a lab, while the block runs."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        yield Remote(state, session)


async def _ran(socket: aiohttp.ClientWebSocketResponse) -> Ran | None:
    """What it said until it ended; None where the connection ended first."""
    said: list[bytes] = []
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == 3:
            output = b"".join(said).decode(errors="replace")
            return Ran(code=_code(json.loads(data)), output=output)
        said.append(data)
    return None


def _ready(pod: Object) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _code(status: Object) -> int:
    """The exit code in the Status that ends an exec."""
    if status.get("status") == "Success":
        return 0
    causes = status.get("details", {}).get("causes", [])
    codes = [int(one["message"]) for one in causes if one.get("reason") == "ExitCode"]
    return codes[0] if codes else 1
