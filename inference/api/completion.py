"""POST /v1/completions, /v1/chat/completions and GET /v1/models."""

import asyncio
import json
import time
from contextlib import aclosing

from aiohttp import web

from inference.api.error import BadRequestError, LoadingError, body, count, json_body
from inference.api.schema import Body, ChatBody, CompletionBody, parse
from inference.api.shape import ChatShape, CompletionShape, Shape
from inference.generation import GenerationError, Order
from inference.parts import PARTS, Parts, Serving
from inference.sequence import Finish

routes = web.RouteTableDef()


@routes.get("/v1/models")
async def models(request: web.Request) -> web.Response:
    """The one model that is served."""
    parts = request.app[PARTS]
    data: list[dict[str, object]] = []
    if parts.serving is not None:
        model = {"id": parts.settings.served_name, "object": "model", "owned_by": "local"}
        data.append({**model, "max_model_len": parts.serving.context})
    return web.json_response({"object": "list", "data": data})


@routes.post("/v1/completions")
async def completions(request: web.Request) -> web.StreamResponse:
    """Continue a prompt."""
    parts = request.app[PARTS]
    asked = parse(CompletionBody, await json_body(request))
    serving = _serving(parts, asked)
    prompt = asked.prompt
    tokens = [each for each in prompt if isinstance(each, int)]
    if not tokens:
        tokens = serving.tokenizer.encode(prompt if isinstance(prompt, str) else str(prompt[0]))
    shape = CompletionShape(model=parts.settings.served_name)
    limit = asked.max_tokens if asked.max_tokens is not None else 16
    order = _order(serving, asked, tokens, limit, shape.id)
    return await _serve(request, parts, serving, order, asked, shape)


@routes.post("/v1/chat/completions")
async def chat(request: web.Request) -> web.StreamResponse:
    """Continue a conversation."""
    parts = request.app[PARTS]
    asked = parse(ChatBody, await json_body(request))
    serving = _serving(parts, asked)
    try:
        tokens = serving.tokenizer.chat([message.plain() for message in asked.messages])
    except ValueError as error:
        raise BadRequestError(str(error), param="messages") from error
    shape = ChatShape(model=parts.settings.served_name)
    limit = asked.max_completion_tokens or asked.max_tokens
    if limit is None:
        limit = max(1, min(parts.settings.default_max_tokens, serving.context - len(tokens)))
    order = _order(serving, asked, tokens, limit, shape.id)
    return await _serve(request, parts, serving, order, asked, shape)


def _serving(parts: Parts, asked: Body) -> Serving:
    if parts.serving is None:
        msg = "the model is loading"
        raise LoadingError(msg)
    name = parts.settings.served_name
    if asked.model is not None and asked.model != name:
        msg = f"model {asked.model!r} is not served here; {name!r} is"
        raise BadRequestError(msg, param="model", code="model_not_found", status=404)
    if asked.stream_options is not None and not asked.stream:
        msg = "stream_options needs stream to be true"
        raise BadRequestError(msg, param="stream_options")
    return parts.serving


def _order(serving: Serving, asked: Body, tokens: list[int], limit: int, name: str) -> Order:
    """Check the token budget before anything is queued."""
    if not tokens:
        msg = "the prompt is empty"
        raise BadRequestError(msg, param="prompt")
    if max(tokens) >= serving.vocabulary or min(tokens) < 0:
        msg = f"token ids must lie from 0 to {serving.vocabulary - 1}"
        raise BadRequestError(msg, param="prompt")
    if len(tokens) + limit > serving.context:
        msg = (
            f"prompt of {len(tokens)} tokens and {limit} tokens to generate exceed the "
            f"context of {serving.context}"
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
    writer = _Answer(request, parts, serving, order, shape)
    status = "error"
    admitted = False
    try:
        async with parts.admission.admitted():
            admitted = True
            writer.admitted()
            response = await (
                writer.stream(with_usage=asked.wants_usage()) if asked.stream else writer.whole()
            )
            status = "success"
            return response
    except (asyncio.CancelledError, ConnectionResetError):
        status = "cancelled"
        raise
    finally:
        parts.metrics.requests.labels(
            status=status if admitted or status == "cancelled" else "rejected"
        ).inc()
        if admitted:
            parts.metrics.observe(parts.metrics.latency, writer.seconds())


class _Answer:
    """Writes one response."""

    def __init__(
        self, request: web.Request, parts: Parts, serving: Serving, order: Order, shape: Shape
    ) -> None:
        self._request = request
        self._metrics = parts.metrics
        self._serving = serving
        self._order = order
        self._shape = shape
        self._arrived = time.monotonic()

    def seconds(self) -> float:
        """Since the request came."""
        return time.monotonic() - self._arrived

    def admitted(self) -> None:
        """The wait is over."""
        self._metrics.observe(self._metrics.queue_time, self.seconds())

    async def whole(self) -> web.StreamResponse:
        """Everything at once."""
        text: list[str] = []
        tokens, finish = 0, Finish.STOP
        async with aclosing(self._serving.generator.run(self._order)) as pieces:
            async for piece in pieces:
                self._first(tokens)
                text.append(piece.text)
                tokens, finish = piece.tokens, piece.finish or finish
        content = self._shape.whole("".join(text), finish, self._usage(tokens))
        response = web.json_response(content)
        await response.prepare(self._request)
        await response.write_eof()
        return response

    async def stream(self, *, with_usage: bool) -> web.StreamResponse:
        """Server-sent events, ended by [DONE]; a failure on the way is an event too."""
        response = web.StreamResponse(headers={"Cache-Control": "no-cache"})
        response.content_type = "text/event-stream"
        await response.prepare(self._request)
        tokens, first = 0, True
        try:
            async with aclosing(self._serving.generator.run(self._order)) as pieces:
                async for piece in pieces:
                    self._first(tokens)
                    tokens = piece.tokens
                    if piece.text or piece.finish or first:
                        await _send(
                            response, self._shape.chunk(piece.text, piece.finish, first=first)
                        )
                        first = False
        except GenerationError as error:
            count(self._request, error)
            await _send(response, body(str(error), kind="server_error", code="engine_error"))
        if with_usage:
            await _send(response, self._shape.ending(self._usage(tokens)))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    def _first(self, tokens: int) -> None:
        if tokens == 0:
            self._metrics.observe(self._metrics.first_token, self.seconds())

    def _usage(self, tokens: int) -> dict[str, int]:
        prompt = len(self._order.prompt)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": tokens,
            "total_tokens": prompt + tokens,
        }


async def _send(response: web.StreamResponse, content: dict[str, object]) -> None:
    await response.write(f"data: {json.dumps(content)}\n\n".encode())
