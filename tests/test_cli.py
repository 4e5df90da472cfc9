from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

import main
from core.cli import COMMANDS, run
from core.io.particles import read_particles, write_particles
from core.io.volumes import open_tomogram, write_mrc, write_zarr
from core.messages import drain
from core.simulate import PhantomConfig, simulate

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.particles import ParticleTable
    from core.types import Positions

    Call = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).parent.parent
QUICK = ["--steps", "2", "--set", "train.patch=32", "--set", "train.batch=2", "--set", "train.validations=1", "--device", "cpu"]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Run a command in an empty folder; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    capsys.readouterr()

    def called(*words: object) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return called


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small tomogram, its true centres, and those as a table of references."""
    folder = tmp_path_factory.mktemp("sample")
    made = drain(simulate(PhantomConfig(shape=(32, 96, 64), counts={"ferritin": 20}, vesicles=0, gold=0, crowding=0.0)))
    write_mrc(folder / "sample.mrc", made.tomogram.data, made.tomogram.voxel_size)
    write_particles(folder / "clicks.csv", made.truth, made.classes, made.tomogram, name="sample")
    (folder / "truth.csv").write_text(references(made.truth))
    return folder


def references(truth: ParticleTable) -> str:
    rows = [f"ferritin,{x},{y},{z},12" for z, y, x in truth.positions]
    return "\n".join(["class,x,y,z,diameter_voxels", *rows]) + "\n"


def project(call: Call, sample: Path) -> None:
    assert call("new", "project", sample / "sample.mrc", "--class", "ferritin=120", "--region", "sample=:,:,:")[0] == 0
    assert call("import", "project", sample / "clicks.csv", "--tomogram", "sample")[0] == 0


def free(sample: Path) -> Positions:
    """Return three places far from all particles, (3, 3) zyx voxels."""
    grid = np.stack(np.meshgrid(np.arange(2, 32, 4), np.arange(2, 96, 4), np.arange(2, 64, 4), indexing="ij"), axis=-1).reshape(
        -1, 3
    )
    away = np.linalg.norm(grid[:, None] - read_particles(sample / "clicks.csv").positions, axis=-1).min(axis=1)
    return grid[np.argsort(-away)[:3]].astype(float)


def test_a_project_is_trained_picked_scored_and_exported(call: Call, sample: Path) -> None:
    def exported(name: str, *words: str) -> Positions:
        assert call("export", "project", *words, "--out", f"{name}.csv")[0] == 0
        return read_particles(Path(f"{name}.csv")).positions

    project(call, sample)
    code, out, _ = call("train", "project", *QUICK, "--json")
    assert code == 0
    trained = json.loads(out)
    assert {"best.pt", "last.pt", "config.toml", "history.json", "inputs.json"} <= {p.name for p in Path(trained["run"]).iterdir()}

    code, out, _ = call("pick", "project", "--threshold", "0", "--json")
    assert code == 0
    picked = json.loads(out)
    assert picked["model"].endswith(Path(trained["model"]).name)
    found = picked["tomograms"]["sample"]["ferritin"]
    assert found["picks"] == found["candidates"] > 0
    assert {p.name for p in Path(picked["run"]).iterdir()} == {"config.toml", "picking.json", "sample.csv"}

    scored = json.loads(call("evaluate", "project", "--json")[1])["tomograms"]["sample"]["classes"]["ferritin"]
    assert (scored["picks"], scored["truth"]) == (found["picks"], len((sample / "truth.csv").read_text().splitlines()) - 1)

    outside = json.loads(call("evaluate", sample / "truth.csv", f"{picked['run']}/sample.csv", "--json")[1])["classes"]["ferritin"]
    assert {name: outside[name] for name in ("picks", "hits", "truth")} == {
        name: scored[name] for name in ("picks", "hits", "truth")
    }
    taken = exported("candidate", "--status", "candidate")
    every, clicks = read_particles(Path(picked["run"]) / "sample.csv"), read_particles(sample / "clicks.csv")
    away = np.linalg.norm(every.positions[:, None] - clicks.positions, axis=-1).min(axis=1)
    radius = 120 / 2 / open_tomogram(sample / "sample.mrc").voxel_size
    np.testing.assert_allclose(taken, every.positions[away > radius], atol=1e-3)
    assert len(exported("all", "--status", "all")) == len(clicks.positions) + len(taken)
    assert len(exported("shown", "--status", "shown", "--threshold", "ferritin=0")) == len(clicks.positions) + len(taken)


def test_picking_again_replaces_the_candidates_of_the_earlier_run(call: Call, sample: Path) -> None:
    project(call, sample)
    call("train", "project", *QUICK)
    call("pick", "project", "--threshold", "0")
    found = json.loads(call("pick", "project", "--threshold", "0", "--json")[1])["tomograms"]["sample"]["ferritin"]["picks"]
    assert json.loads(call("info", "project", "--json")[1])["tomograms"][0]["candidate"] == found


def test_a_tomogram_file_is_picked_into_a_file(call: Call, sample: Path) -> None:
    project(call, sample)
    model = json.loads(call("train", "project", *QUICK, "--json")[1])["model"]
    region = "0:32,0:48,0:64"
    code, out, _ = call("pick", sample / "sample.mrc", "--model", model, "--threshold", 0, "--region", region, "--out", "p.csv")
    assert (code, "p.csv" in out) == (0, True)
    rows = np.genfromtxt("p.csv", delimiter=",", names=True, dtype=None, encoding="utf-8", ndmin=1)
    assert len(rows) > 0
    assert (rows["y"] < 48).all()


def test_the_same_voxels_give_the_same_picks_whatever_the_format(call: Call, sample: Path, tmp_path: Path) -> None:
    project(call, sample)
    model = json.loads(call("train", "project", *QUICK, "--json")[1])["model"]
    tomogram = open_tomogram(sample / "sample.mrc")
    write_zarr(tmp_path / "a.zarr", tomogram.data, tomogram.voxel_size)
    tifffile.imwrite(tmp_path / "b.tif", np.asarray(tomogram.data), compression="zlib", photometric="minisblack")
    found = []
    for path in (sample / "sample.mrc", tmp_path / "a.zarr", tmp_path / "b.tif"):
        options = ("--threshold", 0, "--voxel-size", tomogram.voxel_size, "--out", "p.csv")
        assert call("pick", path, "--model", model, *options)[0] == 0
        found.append(np.genfromtxt("p.csv", delimiter=",", skip_header=1, usecols=(2, 3, 4)))
    assert len(found[0]) > 0
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_a_run_stopped_by_ctrl_c_says_how_to_resume_and_does(call: Call, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(call, sample)
    with monkeypatch.context() as patch:
        patch.setattr("core.cli.report.epoch_line", interrupt)
        code, _, err = call("train", "project", *QUICK, "--set", "train.validations=2")
    assert code == 130
    run_folder = err.rpartition("--resume ")[2].strip()
    assert json.loads((Path(run_folder) / "history.json").read_text())[-1]["step"] == 1
    code, out, _ = call("train", "--resume", run_folder, "--json")
    assert code == 0
    assert json.loads((Path(run_folder) / "history.json").read_text())[-1]["step"] == 2
    assert json.loads(out)["run"] == run_folder


def interrupt(_: object) -> str:
    raise KeyboardInterrupt


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(call: Call, command: str) -> None:
    code, out, _ = call(command, "--help")
    assert code == 0
    assert f"Example:  deepetpicker {command}" in out


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["train"],
        ["train", "a", "--resume", "b"],
        ["train", "--resume", "b", "--tomogram", "t"],
        ["train", "a", "--steps", "many"],
        ["pick", "a.mrc"],
        ["pick", ".", "--out", "p.csv"],
        ["import", "a"],
        ["export", "a", "--out", "b.csv", "--status", "good"],
    ],
)
def test_wrong_usage_ends_with_2_and_shows_no_traceback(call: Call, words: list[str]) -> None:
    code, out, err = call(*words)
    assert code == 2
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "absent"], "There is no folder absent"),
        (["train", "."], "is not a project"),
        (["train", "--resume", "absent"], "not the folder of a training run"),
        (["train", "absent", "--config", "absent.toml"], "absent.toml"),
        (["train", "absent", "--set", "train.stepz=4"], "Unknown setting 'stepz'"),
        (["pick", "absent.mrc", "--model", "absent.pt"], "absent.mrc"),
        (["evaluate", "absent.csv", "absent.csv"], "absent.csv"),
        (["info", "absent.mrc"], "absent.mrc"),
        (["info", "absent.pt"], "absent.pt"),
        (["new", "p", "absent.mrc"], "absent.mrc"),
        (["new", "p", "--class", "ribosome"], "ribosome=250"),
        (["new", "p", "--region", "1:2,3:4"], "TS_01="),
    ],
)
def test_errors_are_one_sentence_and_end_with_1(call: Call, words: list[str], says: str) -> None:
    code, out, err = call(*words)
    assert (code, out) == (1, "")
    assert says in err
    assert err.startswith("Error: ")
    assert "Traceback" not in err
    assert not Path("p").exists()


def test_a_folder_that_cannot_be_made_is_an_error_and_no_traceback(call: Call) -> None:
    Path("results").write_text("in the way")
    code, _, err = call("demo", "--out", "results", "--steps", 1)
    assert code == 1
    assert "results" in err


def test_an_import_without_a_known_class_tells_what_to_do(call: Call, sample: Path) -> None:
    call("new", "project", sample / "sample.mrc")
    words = ("import", "project", sample / "clicks.csv", "--tomogram", "sample", "--class", "apo")
    code, _, err = call(*words)
    assert (code, "give its diameter" in err) == (1, True)
    assert call(*words, "--diameter", 120)[0] == 0
    code, _, err = call(*words, "--diameter", 130)
    assert (code, "120 Å already" in err) == (1, True)


def test_positions_outside_are_refused_dropped_or_kept(call: Call, sample: Path) -> None:
    call("new", "project", sample / "sample.mrc", "--class", "apo=120")
    Path("clicks.csv").write_text("x,y,z\n5,5,5\n500,5,5\n")
    words = ("import", "project", "clicks.csv", "--tomogram", "sample", "--json")
    assert call(*words)[0] == 1
    assert json.loads(call(*words, "--outside", "drop")[1])["imported"] == 1
    assert json.loads(call(*words, "--outside", "keep")[1])["imported"] == 2


def test_a_project_grows_by_regions_and_tomograms(call: Call, sample: Path) -> None:
    call("new", "project", sample / "sample.mrc")
    code, out, _ = call("new", "project", "--region", "sample=4:,:60,:", "--class", "apo=120", "--json")
    assert code == 0
    values = json.loads(out)
    assert (values["tomograms"][0]["region"], values["tomograms"][0]["complete"]) == ("4:32,0:60,0:64", True)
    assert [(spec["name"], spec["diameter"]) for spec in values["classes"]] == [("apo", 120.0)]
    code, _, err = call("new", "project", "--region", "other=:,:,:")
    assert (code, "other" in err) == (1, True)


def test_export_says_that_candidates_were_left_out(call: Call, sample: Path) -> None:
    project(call, sample)
    total = len((sample / "clicks.csv").read_text().splitlines()) - 1
    call("import", "project", sample / "clicks.csv", "--tomogram", "sample", "--status", "candidate")  # on the marks: decided
    Path("free.csv").write_text("x,y,z\n" + "".join(f"{x},{y},{z}\n" for z, y, x in free(sample)))
    call("import", "project", "free.csv", "--tomogram", "sample", "--class", "ferritin", "--status", "candidate")
    code, out, _ = call("export", "project", "--out", "picks.coords", "--json")
    assert code == 0
    values = json.loads(out)
    assert values["exported"] == total
    assert values["notices"][0].startswith("3 candidates were not exported")
    assert len(Path("picks.coords").read_text().splitlines()) == total


@pytest.mark.parametrize(("name", "kind"), [("sample.mrc", "tomogram"), ("clicks.csv", "particles")])
def test_info_tells_what_a_file_is(call: Call, sample: Path, name: str, kind: str) -> None:
    code, out, _ = call("info", sample / name, "--json")
    assert (code, json.loads(out)["kind"]) == (0, kind)


def test_info_measures_a_tomogram(call: Call, tmp_path: Path) -> None:
    data = np.arange(8 * 16 * 32, dtype=np.int16).reshape(8, 16, 32)
    write_mrc(tmp_path / "t.mrc", data, 0.0)
    values = json.loads(call("info", "t.mrc", "--json")[1])
    assert (values["shape_zyx"], values["voxel_size"], values["mode"]) == ([8, 16, 32], None, 1)
    assert (values["minimum"], values["maximum"]) == (0, data.max())
    assert values["mean"] == pytest.approx(data.mean())
    assert values["std"] == pytest.approx(data.std())
    assert "voxel size" in values["notices"][0]
    assert json.loads(call("info", "t.mrc", "--voxel-size", 5, "--json")[1])["voxel_size"] == 5


def test_info_describes_a_trained_network(call: Call, sample: Path) -> None:
    project(call, sample)
    model = json.loads(call("train", "project", *QUICK, "--json")[1])["model"]
    values: dict[str, Any] = json.loads(call("info", model, "--json")[1])
    assert (values["kind"], values["preset"], values["classes"][0]["name"]) == ("trained network", "fast", "ferritin")
    assert call("info", model)[0] == 0


def test_without_a_window_the_program_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["deepetpicker"])
    # a test before may have loaded the window: None for every module of it, or the import finds it still
    for name in ("app", "app.launch"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main.main() == 2
    assert "no window yet" in capsys.readouterr().err


def test_a_folder_named_like_a_command_does_not_hide_it(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    del call
    Path("info").mkdir()
    monkeypatch.setattr(sys, "argv", ["deepetpicker", "info", "absent.mrc"])
    assert main.main() == 1


def test_the_program_runs_as_a_script() -> None:
    done = subprocess.run([sys.executable, "main.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "evaluate" in done.stdout
