"""The webhook: 200 only for what is recorded, 503 for what is not, 4xx for what never can be."""

import base64
import gzip
import zlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import orjson
import pytest

from healer.errors import ConflictError, TimelineError, UnavailableError
from healer.intake.auth import Keyring, WebhookDoor
from healer.intake.limit import Limits
from tests.fakes.edge import DELIVERS, PATH, TOKEN, Served, delivery, post, served

CORPUS = {path.name: path.read_bytes() for path in (Path(__file__).parent / "corpus").iterdir()}


async def test_a_recorded_delivery_is_answered_with_its_number(edge: Served) -> None:
    status, receipt = await post(edge, delivery("A", "B"))
    assert status == 200
    assert receipt == {"delivery": 1, "alerts": 2}
    assert [alert.name for alert in edge.desk.received[0].alerts] == ["A", "B"]


async def test_a_delivery_sent_twice_is_answered_200_twice(edge: Served) -> None:
    await post(edge, delivery("A"))
    status, receipt = await post(edge, delivery("A"))
    assert (status, receipt["delivery"]) == (200, 2)


async def test_what_can_never_parse_is_400_and_says_where(edge: Served) -> None:
    wrong = delivery("A")
    wrong["alerts"] = [{"status": "firing", "labels": {"a": "b"}, "startsAt": "yesterday"}]
    status, answer = await post(edge, wrong)
    assert status == 400
    assert answer == {"error": 'not a time: "yesterday"', "where": "alerts[0].startsAt"}
    assert edge.desk.received == []


@pytest.mark.parametrize("name", sorted(CORPUS))
async def test_the_corpus_is_answered_as_its_names_say(edge: Served, name: str) -> None:
    status, answer = await post(edge, CORPUS[name])
    assert status == (200 if name.startswith("good-") else 400)
    assert ("error" in answer) is (status == 400)


@pytest.mark.parametrize(
    "error", [TimelineError("disk full"), ConflictError("moved on"), UnavailableError("away")]
)
async def test_what_could_not_be_recorded_is_503(edge: Served, error: Exception) -> None:
    edge.desk.broken = error
    async with edge.http.post(PATH, json=delivery("A"), headers=DELIVERS) as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "5"
        assert await response.json() == {"error": str(error)}


async def test_an_unexpected_error_is_json_500_and_logged_without_the_body(
    edge: Served, caplog: pytest.LogCaptureFixture
) -> None:
    edge.desk.broken = ZeroDivisionError("a bug")
    async with edge.http.post(
        PATH, json=delivery("Secret"), headers=DELIVERS | {"Accept": "text/html"}
    ) as response:
        assert response.status == 500
        assert response.content_type == "application/json"
        assert "log" in (await response.json())["error"]
    assert "POST /webhook/alertmanager failed" in caplog.text
    assert "Secret" not in caplog.text
    assert edge.registry.get_sample_value("healer_webhooks_total", {"code": "500"}) == 1


async def test_deliveries_are_counted(edge: Served) -> None:
    await post(edge, delivery("A", "B"))
    await post(edge, b"nonsense")
    value = edge.registry.get_sample_value
    assert value("healer_webhooks_total", {"code": "200"}) == 1
    assert value("healer_webhooks_total", {"code": "400"}) == 1


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Token {TOKEN}",
        "Bearer \udcff",
        "Basic !!!",
        "Basic " + base64.b64encode(b"am:wrong").decode(),
        "Basic " + base64.b64encode(b"am:").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "x" * 4000,
    ],
)
async def test_a_wrong_credential_is_401_and_says_what_would_be_right(
    edge: Served, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with edge.http.post(PATH, json=delivery("A"), headers=headers) as response:
        assert response.status == 401
        assert response.headers.getall("WWW-Authenticate") == [
            'Bearer realm="healer"',
            'Basic realm="healer"',
        ]
        assert "credential" in (await response.json())["error"]
    assert edge.desk.received == []


@pytest.mark.parametrize(
    "header",
    [
        "Bearer other",
        f"bearer {TOKEN}",
        "Basic " + base64.b64encode(b"am:secret").decode(),
    ],
)
async def test_every_configured_credential_passes(edge: Served, header: str) -> None:
    async with edge.http.post(
        PATH, json=delivery("A"), headers={"Authorization": header}
    ) as response:
        assert response.status == 200


async def test_without_any_credential_configured_only_loopback_may_deliver() -> None:
    async with served(door=WebhookDoor()) as edge:
        async with edge.http.post(PATH, json=delivery("A")) as response:
            assert response.status == 200
        forwarded = {"X-Forwarded-For": "10.0.0.1"}
        async with edge.http.post(PATH, json=delivery("A"), headers=forwarded) as response:
            assert response.status == 401
        async with edge.http.post(
            PATH, json=delivery("A"), headers={"Host": "evil.example:80"}
        ) as response:
            assert response.status == 401


@pytest.mark.parametrize("secret", ["", " "])
def test_an_empty_secret_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        Keyring({secret: "ada"})
    with pytest.raises(ValueError, match="must not be empty"):
        WebhookDoor(passwords={"am": ""})


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_413(chunked: bool) -> None:
    async with served(limits=Limits(body=100_000)) as edge:
        content = b" " * 100_001

        async def pieces() -> AsyncGenerator[bytes]:
            for start in range(0, len(content), 10_000):
                yield content[start : start + 10_000]

        data: object = pieces() if chunked else content
        async with edge.http.post(PATH, data=data, headers=DELIVERS) as response:
            assert response.status == 413
            assert "100000 octets" in (await response.json())["error"]


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_a_bomb_is_413_however_small_it_travels(
    edge: Served, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    bomb = pack(b" " * 64 * 1024 * 1024)
    assert len(bomb) < 100_000
    status, _ = await post(edge, bomb, **{"Content-Encoding": encoding})
    assert status == 413


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_packed_bodies_are_unpacked(
    edge: Served, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    status, _ = await post(
        edge, pack(orjson.dumps(delivery("A"))), **{"Content-Encoding": encoding}
    )
    assert status == 200


async def test_a_body_that_is_not_what_its_encoding_says_is_400(edge: Served) -> None:
    status, answer = await post(edge, b"not gzip at all", **{"Content-Encoding": "gzip"})
    assert (status, answer["where"]) == (400, "body")


async def test_ten_thousand_alerts_in_one_delivery_are_recorded(edge: Served) -> None:
    big = delivery(*(f"A{number}" for number in range(10_000)))
    status, receipt = await post(edge, big)
    assert (status, receipt["alerts"]) == (200, 10_000)


async def test_a_label_of_a_megabyte_is_recorded_cut(edge: Served) -> None:
    wide = delivery("A")
    wide["alerts"] = [
        {
            "status": "firing",
            "labels": {"alertname": "A", "service": "llm", "wide": "w" * 1_000_000},
            "startsAt": "2026-01-02T03:04:05Z",
        }
    ]
    status, _ = await post(edge, wide)
    assert status == 200
    assert len(edge.desk.received[0].alerts[0].labels["wide"]) < 70_000
