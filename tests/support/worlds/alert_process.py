"""One step of alerts in a process of its own, so that it can be killed: ``python -m`` this, with JSON.

``{"url", "home", "what", "steps", "sink"}``: what is ``collect``, ``verdicts`` or ``deliver``; steps are
pairs of time and bars by symbol, the sink is a NATS server or none.
"""

import ipaddress
import json
import subprocess
import sys
from pathlib import Path

from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from condvest.live.delivering import deliver_until_stopped
from condvest.live.judging import give_verdicts
from condvest.live.sinking import sinking
from tests.support.exchange import NOW
from tests.support.worlds.alerted import collect

ROOT = Path(__file__).parents[3]


def start(alerted, what, steps=(), sink=None):
    """Start a step on the world of an `Alerted`."""
    settings = alerted.world.workspace.settings
    given = {"url": settings.database.url, "home": str(settings.home), "what": what, "steps": steps}
    given["sink"] = sink
    return subprocess.Popen([sys.executable, "-m", __name__, json.dumps(given)], cwd=ROOT)


def main():
    given = json.loads(sys.argv[1])
    settings = Settings(
        home=Path(given["home"]),
        database=DatabaseSettings(url=given["url"]),
        webhook_networks=(ipaddress.ip_network("127.0.0.0/8"),),
    )
    with open_workspace(settings, now=NOW) as workspace:
        if given["what"] == "collect":
            with sinking(workspace, given["sink"], print):
                collect(workspace, given["steps"])
        elif given["what"] == "verdicts":
            give_verdicts(workspace)
        else:
            deliver_until_stopped(workspace, lambda _: None, once=True)


if __name__ == "__main__":
    main()
