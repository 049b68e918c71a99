"""The alerts of an incident as a value that grows cheaply: a delivery costs what it brings.

Layers of ever smaller dicts, of which a new one takes in those that are no larger than itself; a
copy of all alerts at every delivery would make a storm upon one incident quadratic.
"""

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import Any, TypeVar, overload

from healer.model.alert import Alert, Fingerprint

Layer = dict[Fingerprint, Alert]
Other = TypeVar("Other")


class Roster(Mapping[Fingerprint, Alert]):
    """Never changes. In the order of first arrival; of each alert the latest that came."""

    __slots__ = ("_layers",)

    def __init__(self, alerts: Mapping[Fingerprint, Alert] | None = None) -> None:
        self._layers: tuple[Layer, ...] = (dict(alerts),) if alerts else ()

    @classmethod
    def of(cls, alerts: Mapping[Fingerprint, Alert]) -> "Roster":
        """The same alerts as a roster."""
        return alerts if isinstance(alerts, cls) else cls(alerts)

    def joined(self, alerts: Iterable[Alert]) -> "Roster":
        """The roster after these have arrived too."""
        new = {alert.fingerprint: alert for alert in alerts}
        layers = list(self._layers)
        while layers and len(layers[-1]) <= 2 * len(new):
            new = {**layers.pop(), **new}
        grown = Roster()
        grown._layers = (*layers, new) if new else self._layers
        return grown

    def __getitem__(self, fingerprint: Fingerprint) -> Alert:
        found = self.get(fingerprint)
        if found is None:
            raise KeyError(fingerprint)
        return found

    @overload
    def get(self, key: Fingerprint, /) -> Alert | None: ...
    @overload
    def get(self, key: Fingerprint, /, default: Alert | Other) -> Alert | Other: ...
    def get(self, key: Fingerprint, /, default: Any = None) -> Any:
        """The latest that came of this one."""
        for layer in reversed(self._layers):
            found = layer.get(key)
            if found is not None:
                return found
        return default

    def __iter__(self) -> Iterator[Fingerprint]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    def __bool__(self) -> bool:
        return bool(self._layers)

    def values(self) -> ValuesView[Alert]:
        """The alerts."""
        return self._whole().values()

    def items(self) -> ItemsView[Fingerprint, Alert]:
        """The alerts with their fingerprints."""
        return self._whole().items()

    def __repr__(self) -> str:
        return f"Roster({self._whole()!r})"

    def _whole(self) -> Layer:
        """All layers as one, kept: it is the same value in another shape."""
        if len(self._layers) != 1:
            whole: Layer = {}
            for layer in self._layers:
                whole.update(layer)
            self._layers = (whole,) if whole else ()
            return whole
        return self._layers[0]
