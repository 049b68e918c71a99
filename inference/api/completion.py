"""POST /v1/completions and /v1/chat/completions."""

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from typing import TypeVar

from aiohttp import web

from inference.admission import Claim, DeadlineError, RejectedError
from inference.api.account import Account
from inference.api.claim import claim_of
from inference.api.error import BadRequestError, LoadingError, body, count, json_body
from inference.api.schema import Body, ChatBody, CompletionBody, parse
from inference.api.shape import ChatShape, CompletionShape, Shape
from inference.engine import State
from inference.generation import GenerationError, Order
from inference.parts import PARTS, Parts
from inference.sequence import Finish
from inference.serving import Serving

routes = web.RouteTableDef()

T = TypeVar("T")
_LONG = 16_384
_LATE = "the request's time was over before its answer was complete"
_ABSENT = {
    State.LOADING: "the model is loading",
    State.REFUSED: "the model did not pass its integrity check",
}


@routes.post("/v1/completions")
async def completions(request: web.Request) -> web.StreamResponse:
    """Continue a prompt."""
    parts = request.app[PARTS]
    asked = parse(CompletionBody, await json_body(request))
    with _serving(parts, asked).used() as serving:
        prompt = asked.prompt
        tokens = [each for each in prompt if isinstance(each, int)]
        if not tokens:
            text = prompt if isinstance(prompt, str) else str(prompt[0])
            tokens = await _encoded(text, serving.tokenizer.encode, len(text))
        shape = CompletionShape(model=serving.name)
        limit = asked.max_tokens if asked.max_tokens is not None else 16
        order = _order(serving, asked, tokens, limit, shape.id)
        return await _serve(request, parts, serving, order, asked, shape)


@routes.post("/v1/chat/completions")
async def chat(request: web.Request) -> web.StreamResponse:
    """Continue a conversation."""
    parts = request.app[PARTS]
    asked = parse(ChatBody, await json_body(request))
    with _serving(parts, asked).used() as serving:
        messages = [message.plain() for message in asked.messages]
        size = sum(len(message["content"]) for message in messages)
        try:
            tokens = await _encoded(messages, serving.tokenizer.chat, size)
        except ValueError as error:
            raise BadRequestError(str(error), param="messages") from error
        shape = ChatShape(model=serving.name)
        limit = asked.max_completion_tokens or asked.max_tokens
        if limit is None:
            limit = max(1, min(parts.settings.default_max_tokens, serving.budget - len(tokens)))
        order = _order(serving, asked, tokens, limit, shape.id)
        return await _serve(request, parts, serving, order, asked, shape)


async def _encoded(content: T, encode: Callable[[T], list[int]], size: int) -> list[int]:
    """Tokens; a long text is encoded in a thread, for the loop answers probes meanwhile."""
    return encode(content) if size < _LONG else await asyncio.to_thread(encode, content)


def _serving(parts: Parts, asked: Body) -> Serving:
    serving = parts.serving
    if serving is None:
        state = parts.models.progress().state
        raise LoadingError(_ABSENT.get(state, f"the model is {state}"))
    if asked.model is not None and asked.model != serving.name:
        msg = f"model {asked.model!r} is not served here; {serving.name!r} is"
        raise BadRequestError(msg, param="model", code="model_not_found", status=404)
    if asked.stream_options is not None and not asked.stream:
        msg = "stream_options needs stream to be true"
        raise BadRequestError(msg, param="stream_options")
    return serving


def _order(serving: Serving, asked: Body, tokens: list[int], limit: int, name: str) -> Order:
    """Check the token budget before anything is queued."""
    if not tokens:
        msg = "the prompt is empty"
        raise BadRequestError(msg, param="prompt")
    if max(tokens) >= serving.vocabulary or min(tokens) < 0:
        msg = f"token ids must lie from 0 to {serving.vocabulary - 1}"
        raise BadRequestError(msg, param="prompt")
    if len(tokens) + limit > serving.budget:
        msg = (
            f"prompt of {len(tokens)} tokens and {limit} tokens to generate exceed the "
            f"{'context' if serving.budget == serving.context else 'budget'} of {serving.budget}"
        )
        raise BadRequestError(msg, param="max_tokens", code="context_length_exceeded")
    return Order(
        id=name,
        prompt=tokens,
        max_tokens=limit,
        sampling=asked.sampling(),
        stops=asked.stops(),
    )


async def _serve(
    request: web.Request,
    parts: Parts,
    serving: Serving,
    order: Order,
    asked: Body,
    shape: Shape,
) -> web.StreamResponse:
    """Wait for a place, generate, and hold the place until the last byte is out."""
    longest = parts.settings.request_timeout
    tokens = len(order.prompt) + order.max_tokens
    claim = claim_of(request, asked.priority, longest=longest, tokens=tokens)
    answer = _Answer(request, parts, serving, order, shape, claim)
    status = "error"
    try:
        async with parts.admission.admitted(claim):
            answer.admitted()
            if asked.stream:
                response = await answer.stream(with_usage=asked.wants_usage())
            else:
                response = await answer.whole()
            status = answer.failed or "success"
            return response
    except RejectedError:
        status = "rejected"
        raise
    except DeadlineError:
        status = "expired"
        raise
    except (asyncio.CancelledError, ConnectionResetError):
        status = "cancelled"
        raise
    finally:
        answer.ended(status)


class _Answer:
    """Writes one response."""

    def __init__(
        self, request: web.Request, parts: Parts, serving: Serving, order: Order, shape: Shape,
        claim: Claim,
    ) -> None:  # fmt: skip
        self._request = request
        self._serving = serving
        self._order = order
        self._shape = shape
        self._deadline = claim.deadline
        self._account = Account(
            metrics=parts.metrics, order=order, model=serving.name, operation=shape.operation
        )
        self.failed = ""
        self.admitted, self.ended = self._account.admitted, self._account.ended

    async def whole(self) -> web.StreamResponse:
        """Everything at once."""
        text: list[str] = []
        finish = Finish.STOP
        try:
            async with (
                asyncio.timeout_at(self._deadline),
                aclosing(self._serving.generator.run(self._order)) as pieces,
            ):
                async for piece in pieces:
                    self._account.take(piece)
                    text.append(piece.text)
                    finish = piece.finish or finish
        except TimeoutError:
            raise DeadlineError(_LATE) from None
        content = self._shape.whole("".join(text), finish, self._usage())
        response = web.json_response(content)
        await response.prepare(self._request)
        await response.write_eof()
        return response

    async def stream(self, *, with_usage: bool) -> web.StreamResponse:
        """Server-sent events, ended by [DONE]; a failure on the way is an event too."""
        response = web.StreamResponse(headers={"Cache-Control": "no-cache"})
        response.content_type = "text/event-stream"
        await response.prepare(self._request)
        first = True
        try:
            async with (
                asyncio.timeout_at(self._deadline),
                aclosing(self._serving.generator.run(self._order)) as pieces,
            ):
                async for piece in pieces:
                    self._account.take(piece)
                    if piece.text or piece.finish or first:
                        await _send(
                            response, self._shape.chunk(piece.text, piece.finish, first=first)
                        )
                        first = False
        except GenerationError as error:
            self.failed = "error"
            count(self._request, error)
            await _send(response, body(str(error), kind="server_error", code="engine_error"))
        except TimeoutError:
            self.failed = "expired"
            await _send(response, body(_LATE, kind="timeout", code="deadline_exceeded"))
        if with_usage:
            await _send(response, self._shape.ending(self._usage()))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    def _usage(self) -> dict[str, int]:
        prompt, tokens = len(self._order.prompt), self._account.tokens
        return {
            "prompt_tokens": prompt,
            "completion_tokens": tokens,
            "total_tokens": prompt + tokens,
        }


async def _send(response: web.StreamResponse, content: dict[str, object]) -> None:
    await response.write(f"data: {json.dumps(content)}\n\n".encode())
