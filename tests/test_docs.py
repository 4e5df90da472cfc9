from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from core.cli import run
from core.config import RunConfig, TrainConfig
from core.demo import demo
from core.io.particles.registry import FORMATS, WRITABLE
from core.messages import drain
from core.simulate import PhantomConfig

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SMALL = PhantomConfig(shape=(32, 160, 64), counts={"ribosome": 16}, vesicles=0, gold=0, crowding=0.0)
QUICK = ["--steps", "1", "--set", "train.batch=1", "--set", "train.validations=1", "--device", "cpu"]


def commands(page: Path) -> list[list[str]]:
    """The lines of all blocks that are marked as runnable, as words."""
    blocks = re.findall(r"^```sh runnable\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [shlex.split(line, comments=True) for line in "".join(blocks).splitlines() if line.strip()]


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, with the results of a small demonstration."""
    monkeypatch.chdir(tmp_path)
    quick = RunConfig(train=TrainConfig(steps=1, batch=1, validations=1, device="cpu"))
    drain(demo(Path("results"), config=quick, phantom=SMALL))


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_run_as_they_stand_but_for_training_time(page: Path) -> None:
    for program, *words in commands(page):
        assert program == "deepetpicker"
        if "--minutes" in words:
            at = words.index("--minutes")
            words[at : at + 2] = QUICK
        assert run(words) == 0


def test_the_tutorial_is_among_them() -> None:
    assert [words[1] for words in commands(ROOT / "README.md")] == ["new", "import", "train", "pick", "export"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(((?!https?:)[^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_page_on_formats_tells_of_every_format_and_choice() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    overview, where = (
        page.split("## Where to click and what to run")[0],
        page.partition("## Where")[2].partition("## Not confirmed")[0],
    )
    assert [known.name for known in FORMATS if f"| {known.title} | `{known.name}` |" not in overview] == []
    assert [known.name for known in WRITABLE if f"| {known.title} | " not in where] == []
    choices = {(known.name, entry.name) for known in FORMATS for entry in fields(known.options)}
    assert {(name, word) for name, word in choices if not re.search(rf"\b{word}\b", page)} == set()


def test_the_page_on_architecture_names_every_module() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^(\w+)/?  ", page, re.MULTILINE))
    found = {path.stem for path in (ROOT / "core").glob("[!_]*") if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - listed == set()
