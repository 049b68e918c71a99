"""Drills on certificates that are about to expire, or seem to be."""

from healer.lab.drill.operator import Answer
from healer.lab.drill.scenario import Ending, Scenario

DRILLS = (
    Scenario(
        name="INC-006",
        fault="expiring-certificate",
        what="the certificate of a service has five days left, and cert-manager keeps it",
        remedy="renew",
        answer=Answer.APPROVE,
    ),
    Scenario(
        name="INC-006.manual",
        fault="expiring-certificate-manual",
        what="the same, but it is manual, and people have laid a new one ready",
        remedy="replace-certificate",
        answer=Answer.APPROVE,
    ),
    Scenario(
        name="INC-006.denied",
        fault="expiring-certificate",
        what="the certificate of a service has five days left, and a person says no",
        remedy="renew",
        ending=Ending.UNTOUCHED,
        compared=True,
        answer=Answer.DENY,
    ),
    Scenario(
        name="INC-006.issuer",
        fault="expiring-certificate-issuer",
        what="the same, and the issuer has lost the key that it signs with",
        remedy="report-issuer",
        ending=Ending.UNTOUCHED,
        compared=True,
    ),
    Scenario(
        name="INC-006.no-source",
        fault="expiring-certificate-forgotten",
        what="the same, but it is manual, and nobody has thought of a new one",
        remedy="report-no-source",
        ending=Ending.UNTOUCHED,
        compared=True,
    ),
    Scenario(
        name="INC-006.stale",
        fault="stale-certificate-metric",
        what="the certificate was renewed, and the prober died before it saw the new one",
        remedy="metric-is-stale",
        ending=Ending.UNTOUCHED,
        compared=True,
    ),
    Scenario(
        name="INC-006.passing",
        fault="expiring-certificate-passing",
        what="the certificate has five days left, and somebody renews it while healer looks",
        remedy="",
        ending=Ending.UNTOUCHED,
    ),
)
