"""The site of docs/: built strictly, every link leads somewhere, its picture is what a script draws."""

import configparser
import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
import yaml

import condvest
from condvest.batch_layer.shared.models.sessions import calendar_of
from condvest.batch_layer.shared.utils.calendar import exchange_sessions
from condvest.cli import condvest as program
from tests.support import diagrams

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


class Links(HTMLParser):
    """The links, sources and ids of a page."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.sources, self.ids = [], [], set()
        self.feed(text)

    def handle_starttag(self, _, attributes):
        given = dict(attributes)
        self.ids.update(filter(None, (given.get("id"), given.get("name"))))
        if given.get("href"):
            self.targets.append(given["href"])
        if given.get("src"):
            self.sources.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site: path to what it links to and from."""
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(place)]
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return {page: Links(page.read_text()) for page in place.rglob("*.html")}


def test_every_page_is_built_and_found_from_the_first(site):
    root = min(site, key=lambda page: len(page.parts)).parent
    built = {page.relative_to(root).with_suffix("").as_posix() for page in site} - {"404"}
    assert built == {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")}
    start = site[root / "index.html"]
    listed = {urldefrag(target)[0] for target in start.targets}
    assert {f"{name}.html" for name in built} - listed == set()


def test_every_link_of_the_site_leads_somewhere(site):
    for page, links in site.items():
        if page.name == "404.html":  # its links are of the site's root
            continue
        for target in [*links.targets, *links.sources]:
            if urlsplit(target).scheme or target.startswith("//"):
                continue
            path, anchor = urldefrag(target)
            other = (page.parent / unquote(path)).resolve() if path else page
            other = other / "index.html" if other.is_dir() else other
            assert other.is_file(), f"{page.name}: {target}"
            if anchor and other in site:
                assert anchor in site[other].ids, f"{page.name}: {target}"


def test_the_site_loads_nothing_from_another_host(site):
    """Links may lead there; scripts, styles, fonts and pictures may not be there."""
    for links in site.values():
        assert [source for source in links.sources if urlsplit(source).netloc] == []


def test_every_diagram_has_its_picture_and_no_picture_is_left_over():
    """Nothing of Mermaid is loaded by the site; `make diagrams` draws what is missing here."""
    assert {path.name for path in (DOCS / "diagrams").iterdir()} == diagrams.texts().keys()


def test_words_of_code_are_kept_whole_and_paths_break_at_their_parts(site):
    written = "".join(path.read_text() for path in site)
    assert '<code><span class="word">--include-open</span></code>' in written
    path = "tests/<wbr>integration/<wbr>database/<wbr>test_<wbr>embedded_<wbr>security.py"
    assert f"<code>{path}</code>" in written
    assert '<span class="word">' not in re.sub("<code>.*?</code>", "", written, flags=re.DOTALL)


def test_the_reference_of_python_has_every_public_function(site):
    (page,) = (links for path, links in site.items() if path.name == "python.html")
    names = {name for name in condvest.__all__ if name[0].islower()}
    assert {name for name in names if not any(each.endswith(f".{name}") for each in page.ids)} == set()


def test_the_picture_of_a_window_is_what_the_script_draws(tmp_path):
    drawn = tmp_path / "window.svg"
    subprocess.run([sys.executable, str(ROOT / "examples/window.py"), str(drawn)], check=True)
    assert drawn.read_text() == (DOCS / "window.svg").read_text()


def test_the_pictures_sessions_have_their_ordinals():
    """Windows of 5 are counted from 1962-01-02, not from the picture's first year."""
    calendar = calendar_of(*exchange_sessions(1926, 2025))
    words = re.findall(r"<text[^>]*>([^<]+)<", (DOCS / "window.svg").read_text())
    days = [at for at, word in enumerate(words) if re.fullmatch(r"\d\d-\d\d", word)]
    drawn = {words[at]: int(words[at + 1]) for at in days}
    assert drawn == {day: calendar.ordinal(dt.date.fromisoformat(f"2024-{day}")) for day in drawn}
    assert len(drawn) == 15
    firsts = [drawn[words[at]] for at in days[::5]]
    assert [f"window {first // 5} = ordinal // 5" in words for first in firsts] == [True] * 3
    assert [first % 5 for first in firsts] == [0, 0, 0]


def block(page, title):
    """Return the block of a page that has a title."""
    match = re.search(
        rf'^```\w+ title="{re.escape(title)}"\n(.*?)^```$',
        (DOCS / page).read_text(),
        re.MULTILINE | re.DOTALL,
    )
    return match[1]


def test_acceptance_14_the_units_of_systemd_are_read():
    """The timer counts in New York's zone; what the service runs are commands of Condvest."""
    service, timer = configparser.ConfigParser(), configparser.ConfigParser()
    for unit in (service, timer):
        unit.optionxform = str
    service.read_string(block("operating.md", "/etc/systemd/system/condvest.service"))
    timer.read_string(block("operating.md", "/etc/systemd/system/condvest.timer"))
    assert timer["Timer"]["OnCalendar"].endswith(" America/New_York")
    for name in ("ExecStart", "ExecStartPost"):
        _, word = service["Service"][name].split()
        assert program.get_command(None, word) is not None
    assert service["Service"]["EnvironmentFile"] == "/etc/condvest.env"
    failed = block("operating.md", "/etc/systemd/system/condvest-failed.service")
    assert "/opt/condvest/bin/condvest status --check" in failed
    assert "OnFailure=condvest-failed.service" in (DOCS / "operating.md").read_text()


def test_acceptance_14_the_timer_is_at_half_past_six_in_new_york():
    """As systemd reads it, in summer and in winter; the machine's zone moves nothing."""
    timer = block("operating.md", "/etc/systemd/system/condvest.timer")
    when = re.search(r"^OnCalendar=(.*)$", timer, re.MULTILINE)[1]
    if shutil.which("systemd-analyze") is None:
        assert when == "Mon..Fri 18:30 America/New_York"
        return
    command = ["systemd-analyze", "calendar", "--iterations=2", "--base-time=2026-03-06 12:00 UTC", when]
    environ = os.environ | {"TZ": "UTC", "LC_ALL": "C"}
    said = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    # Daylight saving began on Sunday, 2026-03-08.
    assert re.findall(r"20\d\d-\d\d-\d\d \d\d:\d\d", said) == ["2026-03-06 23:30", "2026-03-09 22:30"]


def test_acceptance_14_grafanas_data_source_is_a_reader():
    """It asks the port that the embedded server has by default, as a role that is no owner."""
    (source,) = yaml.safe_load(block("operating.md", "/etc/grafana/provisioning/datasources/condvest.yaml"))[
        "datasources"
    ]
    (port,) = [
        each for each in program.get_command(None, "db").get_command(None, "up").params if each.name == "port"
    ]
    assert (source["type"], source["url"]) == ("postgres", f"127.0.0.1:{port.default}")
    assert source["user"] != "condvest"
    assert "$" in source["secureJsonData"]["password"]


def test_the_compose_file_is_read_and_names_what_is_there():
    """Extras, volumes, commands and settings; the container's user owns what is mounted."""
    compose = yaml.safe_load(block("operating.md", "compose.yaml"))
    assert set(compose["services"]) == {"database", "condvest"}
    mounted = [each for service in compose["services"].values() for each in service["volumes"]]
    assert {each.split(":")[0] for each in mounted} == compose["volumes"].keys()
    service = compose["services"]["condvest"]
    recipe = service["build"]["dockerfile_inline"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.search(r"\[([\w,]+)\]", recipe)[1].split(",")) <= extras.keys()
    home = service["environment"]["CONDVEST_HOME"]
    assert service["volumes"] == [f"home:{home}"]
    assert recipe.index(f"chown condvest {home}") < recipe.index("USER condvest")
    assert program.get_command(None, service["command"][1]) is not None
    page = (DOCS / "operating.md").read_text()
    given = "${CONDVEST_PASSWORD:?}"
    assert service["environment"]["PGPASSWORD"] == given
    assert compose["services"]["database"]["environment"]["POSTGRES_PASSWORD"] == given
    assert "printf 'CONDVEST_PASSWORD=%s" in page
