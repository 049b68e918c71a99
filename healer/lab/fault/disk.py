"""filling-disk and its kin: a model cache, logs, checkpoints and data until 88 % is used (INC-007).

Real bytes of real ages, laid down inside a pod as the tools that make them would; nobody marks what
may go.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from healer.errors import PermanentError
from healer.lab.fault.contract import Say
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

SEEN_WITHIN = 30.0
FULL = 0.88
FOLDERS = ("hub", "logs", "checkpoints", "data")

SCRIPT = """
set -eu
cd /mnt/ssd
revisions=$1 log=$2 age=$3
mib() { fallocate -l "$(($2 * 1048576))" "$1"; }

model=hub/models--largeforge--expert
mkdir -p $model/blobs $model/refs
for one in 1 2 3; do
  size=$revisions; [ $one = 3 ] && size=1
  [ "$revisions" = 0 ] && [ $one != 3 ] && continue
  mkdir -p $model/snapshots/rev$one
  mib $model/blobs/blob$one $size
  ln -s ../../blobs/blob$one $model/snapshots/rev$one/model.safetensors
  touch -h -d "$((40 - one)) days ago" $model/snapshots/rev$one/model.safetensors
  touch -d "$((40 - one)) days ago" $model/blobs/blob$one $model/snapshots/rev$one
done
printf rev3 > $model/refs/main

mkdir -p logs
line='2026-01-01T00:00:00Z INFO inference request served in 0.42 s'
for one in '' .1 .2 .3; do
  (yes "$line" 2>/dev/null || true) | head -c "$log" > "logs/server.log$one"
done

mkdir -p checkpoints
for one in 1 2 3 4 5 6; do
  mkdir checkpoints/checkpoint-${one}00
  mib checkpoints/checkpoint-${one}00/optimizer.pt 5
  touch -d "$((age * (7 - one))) minutes ago" \
    checkpoints/checkpoint-${one}00/optimizer.pt checkpoints/checkpoint-${one}00
done

mkdir -p data
set -- $(df --output=used,avail -B1 /mnt/ssd | tail -n 1)
more=$((($1 + $2) * 88 / 100 - $1))
[ "$more" -gt 0 ] || exit 3
fallocate -l "$more" data/train.bin
df --output=pcent /mnt/ssd | tail -n 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillingDisk:
    """`revision` MiB in each of two old revisions, `log` bytes in each log, and checkpoints that
    were written every `every` minutes; the rest is data that nobody may take away.
    """

    name: str
    revision: int
    log: int
    every: int
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Returns once the servers themselves have told of it; the end takes all of it away."""
        site = SITES[self.service]
        try:
            words = [str(self.revision), str(self.log), str(self.every)]
            said = await _run(remote, site, ["bash", "-c", SCRIPT, "bash", *words])
            say(f"{said} of the volume of {self.service} is used: models, logs, checkpoints, data.")
            await _seen(remote, site)
            yield
        finally:
            await _run(remote, site, ["rm", "-rf", *(f"/mnt/ssd/{one}" for one in FOLDERS)])


async def _run(remote: Remote, site: Site, argv: list[str]) -> str:
    pods = await remote.ready_pods(site.namespace, site.selector)
    if not pods:
        message = f"no pod of {site.name} is ready: nowhere to break anything"
        raise PermanentError(message)
    ran = await remote.run_in(site.namespace, pods[0], argv)
    if ran.code != 0:
        message = f"the disk could not be filled (exit {ran.code}): {ran.output.strip()}"
        raise PermanentError(message)
    return ran.output.strip()


async def _seen(remote: Remote, site: Site) -> None:
    query = (
        f'max(1 - health_ssd_free_space_gb{{namespace="{site.namespace}"}}'
        f' / health_ssd_total_gb{{namespace="{site.namespace}"}})'
    )
    try:
        async with asyncio.timeout(SEEN_WITHIN):
            while True:
                if (await remote.query(query) or 0.0) > FULL - 0.01:
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        message = f"no server of {site.name} told of a full disk within {SEEN_WITHIN:g} s"
        raise PermanentError(message) from None
