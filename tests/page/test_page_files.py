"""The page's files over HTTP, and the charts of `condvest plot`."""

import re
import xml.etree.ElementTree as ET

import httpx
import pytest
from click.testing import CliRunner

from condvest.batch_layer.shared.errors import UsageError
from condvest.cli.commands.plot import plot
from condvest.cli.context import Cli
from condvest.serving_layer.access import Keys
from condvest.serving_layer.http.guarding.guards import Rules
from condvest.serving_layer.page.assets import assets
from tests.support.exchange import NOW
from tests.support.serving import served

SVG = "{http://www.w3.org/2000/svg}"


def test_every_file_is_served_with_its_type_and_asked_again_by_its_tag(sample_address):
    with httpx.Client(base_url=sample_address) as client:
        for name, asset in assets().items():
            path = "/" if name == "index.html" else f"/page/{name}"
            answer = client.get(path)
            assert (answer.status_code, answer.content) == (200, asset.content)
            assert answer.headers["content-type"] == asset.media_type
            assert "default-src 'self'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]
            again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            plain = client.get(path, headers={"Accept-Encoding": "identity"})
            assert plain.content == asset.content
            if len(asset.content) > 2000:
                assert answer.headers["etag"] != plain.headers["etag"]
        assert client.get("/page/none.js").status_code == 404
        assert client.get("/page/../app.py").status_code == 404


def test_the_page_needs_no_key_but_its_data_do(sample, tmp_path):
    keys = Keys.of_home(tmp_path)
    keys.add("desk", NOW, None)
    with served(sample.workspace.settings, Rules(keys=keys)) as address:
        statuses = [httpx.get(address + path).status_code for path in ("/", "/page/main.js", "/v1/status")]
    assert statuses == [200, 200, 401]


@pytest.fixture
def run(sample):
    """Run `condvest plot` on the sample."""

    def run(*arguments):
        done = CliRunner().invoke(plot, list(map(str, arguments)), obj=Cli(sample.workspace.settings))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


def test_plot_writes_svg_with_the_open_bar_and_the_flags_of_its_bars_alone(run):
    root = ET.fromstring(run("AAPL", "--start", "2009-01-01", "--log").stdout)  # noqa: S314  # our own
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert {"AAPL, bars of 13 sessions", "9 of 13 sessions, closes 2013-03-07", "D 2.65"} <= set(texts)
    assert not any(each.startswith("S ") for each in texts)  # its splits were in 2000 and 2005
    assert (root.get("width"), root.get("viewBox")) == ("1100", "0 -26 1100 506")


def test_plot_writes_html_with_a_table_and_png(run, tmp_path):
    run("FB", "--interval", "21", "-o", tmp_path / "fb.html", "--theme", "dark")
    assert (tmp_path / "fb.html").read_text().count("<tr>") == 1 + 11  # 196 sessions: 1, 9 times 21, 6
    run("FB", "-o", tmp_path / "fb.PNG", "--size", "640x320")
    content = (tmp_path / "fb.PNG").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(content[16:20]), int.from_bytes(content[20:24])) == (640, 346)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["IBM", "-o", "ibm.jpg"], "ends with none of .svg, .html, .png"),
        (["IBM", "--size", "10x10"], "expected width and height in pixels"),
        (["IBM", "--end", "1999-12-31"], "has no bar of 13 sessions between these dates"),
    ],
)
def test_plot_says_what_it_expects(run, arguments, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        run(*arguments)
