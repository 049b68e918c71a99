"""Bodies of the OpenAI endpoints. What is not supported is refused unless it asks for nothing."""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference.api.error import BadRequestError
from inference.sequence import Sampling

PriorityWord = Literal["high", "normal", "low"]

T = TypeVar("T", bound=BaseModel)
Stops = str | list[str] | None
# What pydantic says when a field that has one neutral value was given another.
_ASKS_TOO_MUCH = ("literal_error", "none_required", "too_long")
_PENALTIES = ("presence_penalty", "frequency_penalty")


class StreamOptions(BaseModel):
    """What else a stream tells."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool = False


class Body(BaseModel):
    """What completions and chat completions share.

    Fields typed as one neutral value stand for features that are not there: clients that
    send the default get through, clients that ask for more are told so.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Stops = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    priority: Annotated[int, Field(ge=-100, le=100)] | PriorityWord | None = None
    n: Literal[1] | None = None
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None

    def sampling(self) -> Sampling:
        """How tokens are chosen; OpenAI's defaults."""
        return Sampling(
            temperature=1.0 if self.temperature is None else self.temperature,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=self.seed,
        )

    def stops(self) -> tuple[str, ...]:
        """Up to four stop strings."""
        found = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if len(found) > 4 or not all(found):
            msg = "stop must be at most 4 strings, none of them empty"
            raise BadRequestError(msg, param="stop")
        return tuple(found)

    def wants_usage(self) -> bool:
        """Does the stream end with a usage chunk?"""
        return self.stream_options is not None and self.stream_options.include_usage


class CompletionBody(Body):
    """POST /v1/completions."""

    prompt: str | list[int] | Annotated[list[str], Field(min_length=1, max_length=1)]
    best_of: Literal[1] | None = None
    echo: Literal[False] | None = None
    logprobs: None = None
    suffix: None = None


class TextPart(BaseModel):
    """One part of a message's content; only text is understood."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None

    def plain(self) -> dict[str, str]:
        """As chat templates read it."""
        parts = self.content
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        return {"role": self.role, "content": text}


class ChatBody(Body):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: None = None
    tools: Annotated[list[object] | None, Field(max_length=0)] = None
    tool_choice: Literal["none"] | None = None
    response_format: None = None


def parse(kind: type[T], data: dict[str, object]) -> T:
    """Check a body; the first fault is told with its place."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        param = str(first["loc"][0])
        if first["type"] in _ASKS_TOO_MUCH or param in _PENALTIES:
            msg = f"{place} is not supported beyond its neutral value: {first['msg']}"
            raise BadRequestError(msg, param=param, code="unsupported_parameter") from None
        if first["type"] == "extra_forbidden":
            msg = f"{place} is not supported"
            raise BadRequestError(msg, param=param, code="unsupported_parameter") from None
        msg = f"{place}: {first['msg']}"
        raise BadRequestError(msg, param=param) from None
