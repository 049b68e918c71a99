"""Certificates and their issuers, as cert-manager keeps them; of issuers only those with a CA.

The condition Issuing is what makes a new certificate: this sets it itself for a Secret that is
missing or due (`renewBefore`), and anybody may set it by hand. While the issuer cannot sign, it
stays, and the old certificate with it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from healer.lab.api.termination import stamp
from healer.lab.api.value import dig, items, section
from healer.lab.authority import Pair, issue, pair_of
from healer.lab.contract import Change, Cluster, Object
from healer.lab.controller.loop import Controller, Key, itself, key_of, run
from healer.lab.controller.state import Now, condition, set_condition
from healer.lab.monitoring.duration import parse

_BEFORE = timedelta(minutes=5)
_LIFE = "2160h"
_AGAIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuers:
    """Says of each issuer whether the Secret of its authority is one that signs."""

    cluster: Cluster
    now: Now

    async def run(self) -> None:
        """For ever."""
        watches = {"issuers": itself, "secrets": self._of_secret}
        await run(self.cluster, Controller(name="issuer", watches=watches, reconcile=self.check))

    async def check(self, key: Key) -> float | None:
        """Write its condition Ready."""
        found = self.cluster.get("issuers", *key)
        if found is None:
            return None
        try:
            authority_of(self.cluster, found)
            ready, reason, message = True, "KeyPairVerified", "Signing CA verified"
        except ValueError as error:
            ready, reason = False, "ErrInvalidKeyPair"
            message = f"Error getting keypair for CA issuer: {error}"

        def write(issuer: Object) -> None:
            set_condition(
                issuer, "Ready", status=ready, reason=reason, message=message, now=self.now()
            )

        self.cluster.update("issuers", *key, write)
        return None

    def _of_secret(self, change: Change) -> list[Key]:
        namespace, name = key_of(change.object)
        found = self.cluster.list("issuers", namespace)
        return [key_of(one) for one in found if dig(one, "spec", "ca", "secretName") == name]


def authority_of(cluster: Cluster, issuer: Object) -> Pair:
    """Who signs for it; ValueError where nobody can."""
    name = str(dig(issuer, "spec", "ca", "secretName") or "")
    return pair_of(cluster.get("secrets", issuer["metadata"]["namespace"], name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Makes a certificate where one is being asked for, and asks for those that are due."""

    cluster: Cluster
    now: Now

    async def run(self) -> None:
        """For ever."""
        watches = {
            "certificates": itself,
            "issuers": self._of_issuer,
            "secrets": self._of_secret,
        }
        controller = Controller(name="certificate", watches=watches, reconcile=self.reconcile)
        await run(self.cluster, controller)

    async def reconcile(self, key: Key) -> float | None:
        """One step nearer to a Secret that holds a valid certificate."""
        found = self.cluster.get("certificates", *key)
        if found is None:
            return None
        if not _is_true(found, "Issuing"):
            if not (reason := self._due(found)):
                return _AGAIN
            self._ask(key, reason)
            return None
        issuer = self.cluster.get("issuers", key[0], str(dig(found, "spec", "issuerRef", "name")))
        if issuer is None or not _is_true(issuer, "Ready"):
            return None  # the issuer wakes it when it can sign
        self._issue(found, authority_of(self.cluster, issuer))
        return None

    def _due(self, found: Object) -> str:
        """Why a new one is due; '' while none is."""
        namespace = found["metadata"]["namespace"]
        secret = self.cluster.get("secrets", namespace, str(dig(found, "spec", "secretName")))
        if secret is None:
            return "DoesNotExist"
        try:
            until = _until(pair_of(secret))
        except ValueError:
            return "InvalidKeyPair"
        early = timedelta(seconds=parse(str(dig(found, "spec", "renewBefore") or "720h")))
        return "Renewing" if until - early <= self.now() else ""

    def _ask(self, key: Key, reason: str) -> None:
        message = "Issuing certificate as the present one is missing, unfit or due"

        def mark(certificate: Object) -> None:
            set_condition(
                certificate, "Issuing", status=True, reason=reason, message=message, now=self.now()
            )

        self.cluster.update("certificates", *key, mark)

    def _issue(self, found: Object, authority: Pair) -> None:
        spec, now = found["spec"], self.now()
        life = timedelta(seconds=parse(str(spec.get("duration") or _LIFE)))
        pair = issue(authority, spec["dnsNames"], not_before=now - _BEFORE, not_after=now + life)
        self._store(found, pair.secret(authority=authority.certificate))

        def done(certificate: Object) -> None:
            status = section(certificate, "status")
            status["conditions"] = [
                one for one in items(status, "conditions") if one["type"] != "Issuing"
            ]
            message = "Certificate is up to date and has not expired"
            set_condition(
                certificate, "Ready", status=True, reason="Ready", message=message, now=now
            )
            status["revision"] = int(status.get("revision") or 0) + 1
            status["notBefore"], status["notAfter"] = stamp(now - _BEFORE), stamp(now + life)

        self.cluster.update("certificates", *key_of(found), done)
        self.cluster.record(
            found,
            kind="Normal",
            reason="Issuing",
            message="The certificate has been successfully issued",
        )

    def _store(self, found: Object, data: dict[str, str]) -> None:
        namespace, name = found["metadata"]["namespace"], found["spec"]["secretName"]
        if self.cluster.get("secrets", namespace, name) is None:
            meta = {
                "name": name,
                "namespace": namespace,
                "annotations": {"cert-manager.io/certificate-name": found["metadata"]["name"]},
            }
            secret = {"metadata": meta, "type": "kubernetes.io/tls", "data": data}
            self.cluster.create("secrets", secret)
            return
        self.cluster.update("secrets", namespace, name, lambda one: one.update(data=data))

    def _of_issuer(self, change: Change) -> list[Key]:
        namespace, name = key_of(change.object)
        found = self.cluster.list("certificates", namespace)
        return [key_of(one) for one in found if dig(one, "spec", "issuerRef", "name") == name]

    def _of_secret(self, change: Change) -> list[Key]:
        namespace, name = key_of(change.object)
        found = self.cluster.list("certificates", namespace)
        return [key_of(one) for one in found if dig(one, "spec", "secretName") == name]


def _is_true(obj: Object, kind: str) -> bool:
    return bool(dig(condition(obj, kind), "status") == "True")


def _until(pair: Pair) -> datetime:
    return x509.load_pem_x509_certificate(pair.certificate).not_valid_after_utc
