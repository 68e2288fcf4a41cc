"""A router in this process over one scripted upstream and one that is not there."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from edgerouter.config import Config, load
from tests.support.inside import inside
from tests.support.listening import Edge
from tests.support.scripted import Handler, ScriptedUpstream, closed_port


class Routers:
    """Makes routers: a request goes to `here`, with `X-To: gone` to an upstream where nobody listens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def over(self, handler: Handler, **server: object) -> AsyncIterator[Edge]:
        async with ScriptedUpstream(handler) as upstream, inside(self._config(upstream, server)) as edge:
            yield edge

    def _config(self, upstream: ScriptedUpstream, server: dict[str, object]) -> Config:
        rule = {"name": "gone", "match": {"header": {"X-To": "gone"}}, "route": {"upstreams": "gone"}}
        other = {"name": "here", "match": {}, "route": {"upstreams": f"here-{upstream.port}"}}
        (self._folder / "rules.yaml").write_text(json.dumps({"rules": [rule, other]}))
        upstreams = {
            f"here-{upstream.port}": {"url": f"{upstream.url}/rs", "profile": "orthanc"},
            "gone": {"url": f"http://127.0.0.1:{closed_port()}/rs"},
        }
        main = {"server": server, "upstreams": upstreams, "rules": ["rules.yaml"]}
        (self._folder / "edgerouter.yaml").write_text(yaml.safe_dump(main, sort_keys=False))
        return load(self._folder / "edgerouter.yaml")


@pytest.fixture
def routers(tmp_path: Path) -> Routers:
    return Routers(tmp_path)
