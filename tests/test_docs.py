"""The documents say what is so: nothing that an operator can type is left out, and what they show runs."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from heedful.compose import (
    fit_beside,
    keys_of,
    open_engine,
    read_settings,
    rotating,
    snapshot_beside,
    taste_beside,
)
from heedful.faces.cli.app import build as command_line
from heedful.faces.cli.files import opened
from heedful.faces.cli.opener import Opener
from heedful.faces.http.app import build, described
from heedful.faces.http.problem import KINDS
from heedful.models.measures.catalogue import definitions
from heedful.records.keys import KeyKind
from heedful.services.columns import Columns, Table
from heedful.vocabulary.access_settings import AccessSettings, HttpSettings
from heedful.vocabulary.consent import PrivacySettings
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.item import Item
from heedful.vocabulary.kinds import BUILT_IN, DEFAULT_MEANINGS, Meaning
from heedful.vocabulary.recall import RecalledDecision, RecalledItem
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendedItem, RecommendRequest
from heedful.vocabulary.settings import (
    CatalogueSettings,
    DecisionSettings,
    ForgettingSettings,
    MetricsSettings,
    ModelSettings,
    RetentionSettings,
    RightsSettings,
    Settings,
    VaultSettings,
)

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = [
    path for folder in ("src", "tests", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")
]


@cache
def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def sections(page: str) -> dict[str, str]:
    """The text under each heading of a page, without that of deeper ones taken out."""
    parts = re.split(r"^##+ (.+)$", text_of(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows_of(text: str) -> list[list[str]]:
    """The cells of every row of the tables in `text`."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


# The command line


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its full name."""
    root: Any = typer.main.get_command(
        command_line(Opener(open_engine, keys_of, snapshot_beside, fit_beside, taste_beside, rotating))
    )
    waiting = [("heedful", root)]
    while waiting:
        name, command = waiting.pop()
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            waiting += [(f"{name} {word}", each) for word, each in inner.items()]


def options(command: Any) -> set[str]:
    """Every option as it is typed, without --help."""
    return {
        word
        for parameter in command.params
        for word in (*parameter.opts, *parameter.secondary_opts)
        if word.startswith("--") and word != "--help"
    }


def test_every_command_has_its_section_and_no_other() -> None:
    assert {name for name in sections("docs/cli.md") if name.startswith("heedful ")} == dict(
        commands()
    ).keys()


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_option_of_a_command_is_in_its_table_and_no_other(name: str, command: Any) -> None:
    documented = {word for row in rows_of(sections("docs/cli.md")[name]) for word in quoted(row[0])}
    assert documented == options(command)


# Settings and the environment


def test_the_settings_shown_are_the_defaults_and_load(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", text_of("docs/settings.md"), re.DOTALL)
    (tmp_path / "settings.toml").write_text(shown, encoding="utf-8")
    loaded = read_settings(tmp_path)
    assert msgspec.structs.replace(loaded, kinds={}, names={}) == Settings()
    assert loaded.kinds["view"] == DEFAULT_MEANINGS["view"]
    assert set(tomllib.loads(shown)) == set(Settings.__struct_fields__)


def test_every_setting_is_explained_and_no_other() -> None:
    tables = {
        "access",
        "catalogue",
        "decisions",
        "forgetting",
        "http",
        "kinds",
        "metrics",
        "models",
        "privacy",
        "retention",
        "rights",
        "vault",
    }
    wanted = set(Settings.__struct_fields__) - tables
    wanted |= {f"access.{name}" for name in AccessSettings.__struct_fields__}
    wanted |= {f"http.{name}" for name in HttpSettings.__struct_fields__}
    wanted |= {f"catalogue.{name}" for name in CatalogueSettings.__struct_fields__}
    wanted |= {f"decisions.{name}" for name in DecisionSettings.__struct_fields__}
    wanted |= {f"forgetting.{name}" for name in ForgettingSettings.__struct_fields__}
    wanted |= {f"metrics.{name}" for name in MetricsSettings.__struct_fields__}
    wanted |= {f"models.{name}" for name in ModelSettings.__struct_fields__}
    wanted |= {f"vault.{name}" for name in VaultSettings.__struct_fields__}
    wanted |= {f"rights.{name}" for name in RightsSettings.__struct_fields__}
    wanted |= {f"retention.{name}" for name in RetentionSettings.__struct_fields__}
    wanted |= {f"privacy.{name}" for name in PrivacySettings.__struct_fields__}
    wanted |= {f"kinds.<kind>.{name}" for name in Meaning.__struct_fields__}
    explained = [
        next(iter(quoted(row[0])), "") for row in rows_of(sections("docs/settings.md")["settings.toml"])
    ]
    assert {name for name in explained if name} == wanted


def test_every_kind_is_listed_with_what_it_teaches() -> None:
    listed = {}
    for row in rows_of(sections("docs/settings.md")["Kinds"]):
        for kind in quoted(row[0]):
            listed[kind] = Meaning(int(row[1]), row[2] == "yes", row[3] == "yes")
    assert listed == {kind: DEFAULT_MEANINGS.get(kind, Meaning()) for kind in BUILT_IN if kind}


def test_every_variable_of_the_environment_is_listed_and_no_other() -> None:
    named = {f"HEEDFUL_{kind.value.upper()}_KEY" for kind in KeyKind}
    for path in CODE:
        if path != Path(__file__):
            named |= set(re.findall(r"\bHEEDFUL_[A-Z]+(?:_[A-Z]+)*\b", path.read_text(encoding="utf-8")))
    assert quoted("".join(row[0] for row in rows_of(sections("docs/settings.md")["Environment"]))) == named


# HTTP


@pytest.fixture(scope="module")
def routes() -> set[tuple[str, str]]:
    """Every method and path of the OpenAPI document."""
    framework: Any = build(open_engine())._rest
    paths = described(framework)["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_every_route_is_listed_and_no_other(routes: set[tuple[str, str]]) -> None:
    listed = set()
    for row in rows_of(sections("docs/api.md")["Routes"]):
        words = re.findall(r"\b(GET|POST|PUT|DELETE)\b|(/[\w./{}-]+)", row[0])
        methods = {method for method, _ in words if method}
        listed |= {(method, path) for _, path in words if path for method in methods}
    assert listed == routes


def test_every_failure_is_listed_with_its_status() -> None:
    listed = {}
    for row in rows_of(sections("docs/api.md")["Failures"]):
        listed.update(dict.fromkeys(quoted(row[1]), row[0]))
    assert {code: listed.get(code) for code in KINDS} == {
        code: str(kind.status) for code, kind in KINDS.items()
    }


@pytest.mark.parametrize(
    ("heading", "structs"),
    [
        ("Recommend", (RecommendRequest, RecommendAnswer, RecommendedItem)),
        ("Items", (Item,)),
        ("Decisions", (RecalledDecision, RecalledItem)),
    ],
)
def test_every_field_on_the_wire_is_explained(heading: str, structs: tuple[Any, ...]) -> None:
    explained = {word for row in rows_of(sections("docs/api.md")[heading]) for word in quoted(row[0])}
    for struct in structs:
        fields = {field.encode_name for field in msgspec.structs.fields(struct)}
        assert fields - explained <= ({"itemId", "trace"} if struct is not Item else set())


def test_every_metric_is_in_the_table_of_metrics_and_no_other() -> None:
    listed = [next(iter(quoted(row[0])), "") for row in rows_of(sections("docs/metrics.md")["The metrics"])]
    assert {name for name in listed if name} == definitions().keys()


# The floors


def test_the_table_of_floors_is_the_one_that_is_enforced() -> None:
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = [layer for layer in contracts[0]["layers"] if layer != "__main__"]
    enforced = [set(re.findall(r"\w+", layer)) for layer in layers]
    listed = {
        int(row[0]): {name.removesuffix("/").removesuffix(".py") for name in quoted(row[1])}
        for row in rows_of(sections("docs/architecture.md")["The floors"])
        if row[0].isdigit()
    }
    assert [listed[floor] for floor in sorted(listed, reverse=True)] == enforced


# Links


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_pages() -> None:
    assert {page.name for page in PAGES} >= {"README.md", "api.md", "cli.md", "settings.md", "operations.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_dead(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?:|mailto:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        assert place.exists(), f"{page.name} links to {target}, which is not there"
        assert not anchor or anchor in anchors(place), f"{page.name} links to {target}: no such heading"


def test_every_page_that_code_speaks_of_exists() -> None:
    for path in [*CODE, ROOT / "pyproject.toml", ROOT / "Makefile"]:
        if path == Path(__file__):
            continue
        for named in re.findall(r"\bdocs/[\w/]+\.md", path.read_text(encoding="utf-8")):
            assert (ROOT / named).exists(), f"{path.name} speaks of {named}"


def test_every_decision_is_dated_short_and_says_what_was_rejected() -> None:
    pages = list((ROOT / "docs" / "decisions").iterdir())
    assert pages
    for page in pages:
        content = page.read_text(encoding="utf-8")
        dated = re.match(r"(\d{4})(\d\d)(\d\d)_\w+\.md$", page.name)
        assert dated, page.name
        assert f"\n{'-'.join(dated.groups())}\n" in content
        assert len(content.splitlines()) <= 40, page.name
        assert {"Context", "Decision", "Rejected", "Consequences"} <= set(
            re.findall(r"^## (.+)$", content, re.M)
        )


# What the README shows, run


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-8"}


def test_the_python_in_the_readme_prints_what_it_says() -> None:
    shown = re.findall(
        r"<!-- runs -->\n```python\n(.*?)```\n\n```text\n(.*?)```", text_of("README.md"), re.DOTALL
    )
    assert shown
    for program, expected in shown:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            check=False, env=ENVIRONMENT, capture_output=True, text=True, encoding="utf-8", timeout=120,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == (expected, "")


@pytest.fixture(scope="module")
def demo() -> Iterator[dict[str, str]]:
    """A small demo shop: its address and keys, as the README's shell variables."""
    command = [
        sys.executable,
        "-m",
        "heedful",
        "demo",
        "--port",
        "0",
        "--items",
        "60",
        "--shoppers",
        "20",
        "--no-live",
    ]
    with subprocess.Popen(
        command,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    ) as shop:
        assert shop.stdout is not None
        said = ""
        for line in shop.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        try:
            found = re.search(r"open: (\S+) .*write key +(\S+)\nsecret key (\S+)\n", said, re.DOTALL)
            assert found, said
            yield dict(zip(("SHOP", "WRITE", "SECRET"), found.groups(), strict=True))
        finally:
            shop.send_signal(signal.SIGINT)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's tour needs curl")
def test_the_readmes_tour_shows_an_answer_that_a_click_changed(demo: dict[str, str]) -> None:
    steps = re.findall(
        r"<!-- runs against the demo -->\n```sh\n(.*?)```\n+[^`]*?```\n(.*?)```",
        text_of("README.md"),
        re.DOTALL,
    )
    answers = []
    for step, shown in steps:
        done = subprocess.run(
            ["sh", "-ec", step], check=True, env={**ENVIRONMENT, **demo}, capture_output=True, timeout=60
        )
        answers.append(json.loads(done.stdout))
        assert json.loads(shown).keys() == answers[-1].keys()
    before, told, after = answers
    assert not before["personalized"]
    assert [event["status"] for event in told["events"]] == ["accepted"]
    assert after["personalized"]
    assert any(item["reason"]["because"] == ["fw-1001"] for item in after["items"])


def test_the_readmes_commands_exist_with_their_options() -> None:
    known = dict(commands())
    shown = re.findall(r"^heedful (\w+) ((?:.*\\\n)*.*)", text_of("README.md"), re.MULTILINE)
    assert {name for name, _ in shown} >= {"import", "recommend"}
    for name, rest in shown:
        assert set(re.findall(r"(?<!\S)--[\w-]+", rest)) <= options(known[f"heedful {name}"])


def test_the_readme_promises_only_targets_that_the_makefile_has() -> None:
    targets = set(re.findall(r"^([\w-]+):", text_of("Makefile"), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"(?:`|^)make (\w+)", page.read_text(encoding="utf-8"), re.MULTILINE))
        assert named <= targets, f"{page.name} speaks of make {named - targets}"


def retail() -> Path:
    """Where the real file is: HEEDFUL_DATA, or beside the repository."""
    return (
        Path(os.environ.get("HEEDFUL_DATA", ROOT / "../shared/data"))
        / "online_retail"
        / "online_retail.csv.zst"
    )


@pytest.mark.skipif(
    not retail().exists(), reason="no online_retail.csv.zst under HEEDFUL_DATA or ../shared/data"
)
def test_the_readmes_import_accounts_for_every_line_as_it_says() -> None:
    (shown,) = re.findall(r"^heedful import ((?:.*\\\n)*.*)", text_of("README.md"), re.MULTILINE)
    words = shlex.split(shown)
    given: dict[str, list[str]] = {}
    for word, value in pairwise(words):
        if word.startswith("--"):
            given.setdefault(word, []).append(value)
    pairs = {name: dict(pair.split("=") for pair in given[name]) for name in ("--map", "--skip")}
    columns = Columns(
        names=pairs["--map"],
        event=given["--event"][0],
        zone=given["--zone"][0],
        currency=given["--currency"][0],
        skip={column: tuple(values.split(",")) for column, values in pairs["--skip"].items()},
    )
    with opened(retail()) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        kinds = Counter(type(call) for _, call, _ in Table(columns).calls(text))
    counted = {"accepted": kinds[bytes], "skipped on purpose": kinds[type(None)], "refused": kinds[Invalid]}
    table = dict(re.findall(r"│ (\w[\w ]+?) +│ +([\d,]+) │", text_of("README.md")))
    assert {name: table[name] for name in counted} == {name: f"{count:,}" for name, count in counted.items()}
    assert f"{kinds.total():,} lines" in text_of("README.md")
