"""kubernetes.logs over the lab's API server: what is found, and when "nothing" may be said."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from healer.check.contract import CheckContext
from healer.check.kubernetes.log import LogLines, LogParams
from healer.check.kubernetes.pattern import find
from healer.errors import PermanentError, TemporaryError
from tests.fakes.lab import NAMESPACE, Lab


class Kept(dict[tuple[str, bool], bytes]):
    """Answers as a kubelet does for a life that never was."""

    def __missing__(self, key: tuple[str, bool]) -> bytes:
        raise LookupError(key)


def write(lab: Lab, *texts: str, previous: bool = False) -> list[str]:
    names = sorted(str(one["metadata"]["name"]) for one in lab.pods)
    for name, text in zip(names, texts, strict=False):
        lab.node.written[name, previous] = text.encode()
    return names


async def test_its_own_rights_are_enough_to_find_lines(lab: Lab, ctx: CheckContext) -> None:
    check, params = LogLines(lab.healer), LogParams(grep="(?i)cuda error|out of memory")
    lab.grant(check.permissions(params, namespace=NAMESPACE))
    names = write(lab, "fine\nCUDA error: 2\n", "fine\n", "Out of memory\nfine\n")

    found = await check.look(params, ctx)

    assert found.holds
    assert found.evidence["matches"] == 2
    assert found.evidence["first"] == f"{names[0]}: CUDA error: 2"
    assert found.evidence["lines"] == [f"{names[0]}: CUDA error: 2", f"{names[2]}: Out of memory"]
    assert (found.evidence["pods"], found.evidence["read"]) == (3, 5)


async def test_only_the_last_lines_are_read_and_few_are_kept(lab: Lab, ctx: CheckContext) -> None:
    write(lab, "".join(f"line {number} {'x' * 500}\n" for number in range(100)), "", "")

    found = await LogLines(lab.admin).look(LogParams(grep="line", tail=50), ctx)

    kept = found.evidence["lines"]
    assert isinstance(kept, list)
    assert (found.evidence["matches"], len(kept)) == (50, 20)
    assert all(len(str(line)) <= 300 for line in kept)
    assert " line 99 " in str(kept[-1])


async def test_the_former_life_is_another_log_and_who_had_none_wrote_nothing(
    lab: Lab, ctx: CheckContext
) -> None:
    names = write(lab, "killed by a signal\n", previous=True)
    for name in names[1:]:
        lab.node.written.pop((name, True), None)
    lab.node.written = Kept(lab.node.written)

    found = await LogLines(lab.admin).look(LogParams(grep="signal", previous=True), ctx)

    assert (found.evidence["matches"], found.evidence["pods"]) == (1, 1)


async def test_nothing_is_only_said_where_every_log_could_be_read(
    lab: Lab, ctx: CheckContext
) -> None:
    names = write(lab, "fine\n", "CUDA error\n", "fine\n")

    class Silent(dict[tuple[str, bool], bytes]):
        def __getitem__(self, key: tuple[str, bool]) -> bytes:
            if key[0] == names[0]:
                raise ConnectionError("dial tcp: the node does not answer")
            return super().__getitem__(key)

    lab.node.written = Silent(lab.node.written)
    check = LogLines(lab.admin)

    found = await check.look(LogParams(grep="CUDA"), ctx)
    assert (found.evidence["matches"], found.evidence["unread"]) == (1, [names[0]])

    with pytest.raises(TemporaryError, match="1 logs could not be read"):
        await check.look(LogParams(grep="no such text"), ctx)


@pytest.mark.parametrize("grep", ["(", r"(?=a)b", r"(a)\1", "", "x" * 201, r"(\w{100}){100}"])
def test_an_expression_that_cannot_be_searched_for_is_refused_when_it_is_read(grep: str) -> None:
    with pytest.raises(ValidationError):
        LogParams(grep=grep)


@pytest.mark.parametrize("grep", ["(a+)+$", "(a|a)*b", "(.*)(.*)(.*)(.*)=z", "(a*)*c"])
async def test_no_expression_makes_a_hostile_line_costly(grep: str) -> None:
    LogParams(grep=grep)

    assert await find(["a" * 4000 + "!"] * 200, grep) == []


async def test_a_costly_search_ends_at_its_deadline_and_says_what_to_change() -> None:
    with pytest.raises(PermanentError, match="simpler expression or a smaller tail"):
        await find(["a" * 50] * 100_000, r"\w{60}", patience=timedelta(milliseconds=50))
