"""The page in a headless Chromium on loopback: 6,000 daily bars in view, beside the same chart by Bokeh.

Both draw candles with hatches for the open bar, volumes below and an axis that counts sessions. The time of a
first candle is the browser's own, from the moment at which the page is asked for; its bytes are those of all
answers, data among them, as they travel. The time of an interaction goes from the event to the end of the
frame that it changes. A request of the page to another host is an error.
"""

import functools
import http.server
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from bokeh.embed import file_html
from bokeh.layouts import column
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from bokeh.resources import INLINE

import condvest
from benchmarks import stored
from benchmarks.report import figures
from tests.support.browser import chromium
from tests.support.payloads import bars_payload
from tests.support.serving import served

BARS = 6_000
OURS, BOKEH = "ours", "Bokeh"
_FIRST = "return performance.getEntriesByName('first-candle')[0]?.startTime"
_BYTES = (
    "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
    ".reduce((sum, each) => sum + each.transferSize, 0)"
)
_FRAME = (
    "const done = arguments[arguments.length - 1]; const begun = performance.now(); {work};"
    "requestAnimationFrame(() => {{ const channel = new MessageChannel();"
    "channel.port1.onmessage = () => done(performance.now() - begun); channel.port2.postMessage(0); }})"
)
_KEY = "document.querySelector('.plot').dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}'}}))"
_MOVE = (
    "const box = document.querySelector('.plot').getBoundingClientRect();"
    "document.querySelector('.plot').dispatchEvent(new PointerEvent('pointermove',"
    "{clientX: box.left + 100 + Math.random() * 900, clientY: box.top + 100}))"
)
_BOKEH_ZOOM = (
    "const range = Bokeh.documents[0].roots()[0].children[0].x_range; range.start = range.start ? 0 : 1"
)
_BOKEH_FIRST = """<script>
(function look() {
  const made = window.Bokeh?.documents[0];
  if (made && made.is_idle) requestAnimationFrame(() => performance.mark("first-candle"));
  else requestAnimationFrame(look);
})();
</script></body>"""


def run(options):
    """Yield a figure per contender and moment."""
    with (
        stored.workspace() as opened,
        served(opened.settings) as address,
        chromium() as page,
        tempfile.TemporaryDirectory() as folder,
    ):
        load(opened)
        table = condvest.bars("LONG", interval=1, include_open=True, settings=opened.settings)
        Path(folder, "index.html").write_text(bokeh_page(table.to_pydict()))
        with static(Path(folder)) as other:
            contenders = {OURS: f"{address}/?symbol=LONG&interval=1&bars=all", BOKEH: f"{other}/index.html"}
            page.look()
            yield from moments(page, contenders, address, options.repeats)


def moments(page, contenders, address, repeats):
    first = {name: [] for name in contenders}
    size = {}
    acts = {"zoom": [], "zoom of Bokeh": [], "cursor": [], "pan": []}
    for _ in range(repeats + 1):  # the first round fills caches of the server and is not counted
        for name, url in contenders.items():
            page.command("Network.clearBrowserCache")
            page.requests()
            page.driver.get(url)
            first[name].append(page.until(_FIRST) / 1000)
            size[name] = page.run(_BYTES)
            if name == OURS:
                foreign = [each for each in page.requests() if not each.startswith(address + "/")]
                if foreign:
                    raise AssertionError(f"the page asked other hosts: {foreign}")
                page.settle()
                for what, work in (
                    ("zoom", _KEY.format(key="-")),
                    ("cursor", _MOVE),
                    ("pan", _KEY.format(key="PageUp")),
                ):
                    acts[what].append(frame(page, work))
            else:
                acts["zoom of Bokeh"].append(frame(page, _BOKEH_ZOOM))
    named = {f"first candle, {name} ({size[name] / 1000:.0f} kB)": times[1:] for name, times in first.items()}
    yield from figures(named, {}, BARS, next(iter(named)))
    yield from figures({name: times[1:] for name, times in acts.items()}, {}, BARS, "zoom")


def frame(page, work):
    """Return the seconds from a piece of script to the end of the frame that it changes."""
    return page.driver.execute_async_script(_FRAME.format(work=work)) / 1000


def load(opened):
    """Load a symbol of 6,000 daily bars that end with the newest session."""
    rng = np.random.default_rng(1)
    close = 50 * np.exp(rng.normal(0, 0.012, BARS).cumsum())
    last = opened.sessions.last_ordinal - 200
    rows = [
        {
            "symbol": "LONG",
            "session": opened.sessions.session(last - BARS + 1 + at).isoformat(),
            "open": round(close[at - 1] if at else close[0], 2),
            "high": round(max(close[at - 1] if at else 0, close[at]) * 1.01, 2),
            "low": round(min(close[max(at - 1, 0)], close[at]) * 0.99, 2),
            "close": round(close[at], 2),
            "volume": int(rng.integers(1, 10**7)),
            "vwap": None,
            "trades": None,
        }
        for at in range(BARS)
    ]
    loader = opened.loader(opened.sessions)
    loader.load_all([loader.read(bars_payload(rows))])


def bokeh_page(bars):
    """Return the same chart by Bokeh, its JavaScript in the page; only open bars are hatched."""
    names = ("window", "open", "high", "low", "close", "volume")
    rows = range(len(bars["window"]))
    color = ["#1667ad" if bars["close"][at] >= bars["open"][at] else "#c65300" for at in rows]
    wide = {"width": 1230, "tools": "xpan,xwheel_zoom,crosshair"}
    prices = figure(height=440, **wide)
    volumes = figure(height=110, x_range=prices.x_range, **wide)
    for is_complete in (True, False):
        own = [at for at in rows if bars["is_complete"][at] is is_complete]
        columns = {name: [bars[name][at] for at in own] for name in names}
        source = ColumnDataSource(columns | {"color": [color[at] for at in own]})
        prices.segment("window", "high", "window", "low", color="color", source=source)
        look = {"line_color": "color"} | ({"fill_color": "color"} if is_complete else {"hatch_pattern": "/"})
        prices.vbar("window", 0.7, "open", "close", source=source, **look)
        volumes.vbar("window", 0.7, "volume", fill_color="color", line_color=None, source=source)

    return file_html(column(prices, volumes), INLINE, "Bokeh").replace("</body>", _BOKEH_FIRST)


@contextmanager
def static(folder):
    """Serve a folder on loopback."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *_):
        """Say nothing."""
