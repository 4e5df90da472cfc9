"""Many tomograms on real worker processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from core.batch import Local, Order, Remote, Slurm, local, pick_all, slurm, tomogram_files, unique_names
from core.batch.records import content_hash, finished, keep_record, look, record_of
from core.batch.work import Outcome
from core.checkpoint import Checkpoint, save_checkpoint
from core.config import NetworkConfig, PickConfig, RunConfig, TrainConfig
from core.errors import ConfigError, PickerError
from core.io.particles import read_particles
from core.io.volumes import write_mrc, write_zarr
from core.messages import Progress, TomogramPicked, drain
from core.network import build
from core.particles import ClassSpec

ROOT = Path(__file__).parent.parent
MANY = 40
SLOW = PickConfig(device="cpu", half_turn=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 40 small tomograms, one of them cut off, and a network that finds something in noise."""
    folder = tmp_path_factory.mktemp("many")
    torch.manual_seed(0)
    checkpoint = Checkpoint(
        config=RunConfig(train=TrainConfig(patch=32)),
        classes=(ClassSpec(id=1, name="ribosome", diameter=100.0, color="#ff0000"),),
        voxel_size=10.0,
        weights=dict(build(NetworkConfig(), 1).state_dict()),
        calibration={1: (1.0, 0.0)},
        thresholds={1: 0.1},
        metrics={},
    )
    save_checkpoint(checkpoint, folder / "model.pt")
    (folder / "data").mkdir()
    rng = np.random.default_rng(0)
    for number in range(MANY):
        write_mrc(folder / "data" / f"t{number:02d}.mrc", rng.normal(size=(32, 32, 32)).astype(np.float32), 10.0)
    damaged = folder / "data" / "t07.mrc"
    damaged.write_bytes(damaged.read_bytes()[:5000])
    return folder


def orders_of(place: Path, out: Path, many: int = MANY, config: PickConfig | None = None) -> list[Order]:
    files = tomogram_files([str(place / "data" / "*.mrc")])[:many]
    return [
        Order(
            name=name,
            tomogram=str(path),
            model=str(place / "model.pt"),
            model_hash=content_hash(place / "model.pt"),
            settings=asdict(config or PickConfig(device="cpu")),
            picks=str(out / f"{name}.csv"),
        )
        for path, name in zip(files, unique_names(files), strict=True)
    ]


def workers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(one.cmdline())]


def listening() -> set[str]:
    """Addresses on which this process or its workers wait for others."""
    open_ = [one for process in (psutil.Process(), *workers()) for one in process.net_connections("tcp")]
    return {one.laddr.ip for one in open_ if one.status == psutil.CONN_LISTEN}


def inodes(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in out.iterdir()}


def test_a_killed_worker_and_a_damaged_file_cost_nothing_else(place: Path, tmp_path: Path) -> None:
    out, told, written = tmp_path / "picks", list[TomogramPicked](), dict[str, int]()
    orders = orders_of(place, out)
    job = pick_all(orders, Local(threads=1, devices=("", "")))
    try:
        while True:
            message = next(job)
            if isinstance(message, TomogramPicked):
                told.append(message)
                written |= {f"{message.name}.csv": inodes(out).get(f"{message.name}.csv", 0)}
                if len(told) == 5:
                    assert listening() == {"127.0.0.1"}
                    workers()[0].kill()
    except StopIteration as stop:
        found = stop.value
    assert len(told) == len({message.name for message in told}) == MANY
    # killed between writing a tomogram's files and telling of them, a worker leaves one that is found finished
    assert len(found.picked) + len(found.before) == MANY - 1
    assert len(found.before) <= 1
    assert "t07" in found.failed["t07"].refused
    assert found.failed.keys() == {"t07"}
    assert not workers()
    names = {f"t{number:02d}" for number in range(MANY)} - {"t07"}
    assert {path.name for path in out.iterdir()} == {f"{name}{end}" for name in names for end in (".csv", ".picked.json")}
    kept = inodes(out)
    assert {name: kept[name] for name in written if name != "t07.csv"} == {n: i for n, i in written.items() if n != "t07.csv"}
    picks = read_particles(out / "t03.csv").positions
    assert len(picks) == found.picked["t03"].counts["ribosome"]["picks"] > 0

    again = drain(pick_all([order for order in orders if order.name != "t07"], Local(threads=1, devices=())))
    assert (len(again.picked), len(again.before), len(again.failed)) == (0, MANY - 1, 0)
    assert inodes(out) == kept


def test_closing_ends_the_workers_within_a_second(place: Path, tmp_path: Path) -> None:
    job = pick_all(orders_of(place, tmp_path, 4, SLOW), Local(threads=1, devices=("",)))
    first = next(job)
    while not workers():
        first = next(job)
    assert isinstance(first, Progress)
    began = time.monotonic()
    job.close()
    assert time.monotonic() - began < 3  # a second on a quiet machine
    assert not workers()


def test_ctrl_c_leaves_what_is_finished_and_no_process(place: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "main.py"), "pick", str(place / "data" / "t0?.mrc"), "--model", str(place / "model.pt")]
    command += ["--out", str(tmp_path / "picks"), "--workers", "1", "--device", "cpu", "--json"]
    began = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # where tests run in the background it is ignored
    )
    while len(list(tmp_path.glob("picks/t*.json"))) < 2:
        assert began.poll() is None, began.communicate()
        time.sleep(0.02)
    os.killpg(began.pid, signal.SIGINT)  # as a terminal does: to all of them
    out, err = began.communicate(timeout=60)
    assert (began.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert "what is finished is kept" in err
    left = [one for one in psutil.process_iter(["status"]) if one.pid != began.pid and _group(one.pid) == began.pid]
    assert not [one for one in left if one.info["status"] != psutil.STATUS_ZOMBIE]  # ended, and soon forgotten by the system
    finished_then = {path.name for path in tmp_path.glob("picks/t*.json")}
    assert not list(tmp_path.glob("picks/.*"))
    assert 2 <= len(finished_then) < 9
    went_on = subprocess.run(command, capture_output=True, text=True, check=False)
    assert went_on.returncode == 1  # for the damaged one
    told = json.loads(went_on.stdout)
    assert {f"{name}.picked.json" for name in told["before"]} == finished_then
    assert (len(told["tomograms"]), list(told["failed"])) == (9, ["t07"])
    assert "distributed" not in went_on.stderr


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid) if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else -1
    except (ProcessLookupError, psutil.NoSuchProcess):
        return -1


def test_what_is_finished_is_known_by_network_settings_and_voxels(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.mrc"
    file.write_bytes((place / "data" / "t00.mrc").read_bytes())
    order = replace(orders_of(place, tmp_path / "picks", 1)[0], tomogram=str(file))
    (tmp_path / "picks").mkdir()
    Path(order.picks).write_text("x")
    keep_record(order, {**look(file), "content": content_hash(file)}, Outcome(name="t00", files=[order.picks]))
    assert finished(order) is not None
    for other in (
        replace(order, model_hash="0"),
        replace(order, threshold=0.5),
        replace(order, region="0:9,:,:"),
        replace(order, settings=order.settings | {"floor": 0.2}),
        replace(order, format="star"),
    ):
        assert finished(other, thorough=True) is None
    assert finished(replace(order, settings=order.settings | {"device": "cuda"})) is not None
    os.utime(file, (1, 1))  # a copy
    assert finished(order) is None
    assert finished(order, thorough=True) is not None
    data = bytearray(file.read_bytes())
    data[70_001] ^= 1
    file.write_bytes(data)
    assert finished(order, thorough=True) is None
    file.write_bytes((place / "data" / "t00.mrc").read_bytes())
    Path(order.picks).unlink()
    assert finished(order, thorough=True) is None
    record_of(order).write_text("[")
    assert finished(order) is None


def test_a_folder_is_recognised_by_all_its_files(tmp_path: Path) -> None:
    write_zarr(tmp_path / "a.zarr", np.arange(8.0**3, dtype=np.float32).reshape(8, 8, 8), 10.0)
    before = content_hash(tmp_path / "a.zarr"), look(tmp_path / "a.zarr")
    assert (content_hash(tmp_path / "a.zarr"), look(tmp_path / "a.zarr")) == before
    chunk = next(path for path in sorted((tmp_path / "a.zarr").rglob("*")) if path.is_file() and path.name != "zarr.json")
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"\x07")
    assert content_hash(tmp_path / "a.zarr") != before[0]
    assert look(tmp_path / "a.zarr") != before[1]


def test_words_mean_files_folders_and_patterns(place: Path, tmp_path: Path) -> None:
    for name in ("a/tomo.mrc", "b/tomo.mrc", "b/TS_1.rec", "b/TS_1.mrc", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    files = tomogram_files([str(tmp_path / "**/tomo.mrc"), str(tmp_path / "b")])
    assert [str(path.relative_to(tmp_path)) for path in files] == ["a/tomo.mrc", "b/tomo.mrc", "b/TS_1.mrc", "b/TS_1.rec"]
    assert unique_names(files) == ["a_tomo", "b_tomo", "b_TS_1.mrc", "b_TS_1.rec"]
    with pytest.raises(PickerError, match="no file matches"):
        tomogram_files([str(tmp_path / "*.zarr")])


def test_cores_are_divided_among_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dask.system.CPU_COUNT", 16)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert local() == Local(8, ("3", "5"))
    assert local(device="cpu").devices[0] == ""
    assert local(8, "cpu") == Local(2, ("",) * 8)
    assert local(3) == Local(5, ("3", "5", "3"))
    with pytest.raises(ConfigError, match="at least 1"):
        local(0)


def test_the_workers_of_a_scheduler_pick_and_stay(place: Path, tmp_path: Path) -> None:
    contact, dask = tmp_path / "scheduler.json", [sys.executable, "-m", "dask"]
    here = {"cwd": ROOT, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(contact)]
    with ExitStack() as ending:
        began = []
        for words in (["scheduler", "--port", "0"], ["worker", "--nthreads", "1", "--memory-limit", "0", "--no-nanny"]):
            began.append(subprocess.Popen([*dask, *words, *quiet], **here))
            ending.callback(began[-1].wait)
            ending.callback(began[-1].kill)
        while not contact.exists():
            assert began[0].poll() is None
            time.sleep(0.02)
        address = json.loads(contact.read_text())["address"]
        assert address.startswith("tcp://127.0.0.1:")
        found = drain(pick_all(orders_of(place, tmp_path / "picks", 8), Remote(address)))
        assert (len(found.picked), list(found.failed)) == (7, ["t07"])
        assert {path.stem for path in (tmp_path / "picks").glob("*.csv")} == set(found.picked)
        assert [one.poll() for one in began] == [None, None]


def test_a_scheduler_that_is_not_there_is_named(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.batch.sites.TOLD", 0.5)
    with pytest.raises(PickerError, match="Expected a Dask scheduler at tcp:"):
        drain(pick_all(orders_of(place, tmp_path, 1), Remote("tcp://127.0.0.1:9")))


# ---- SLURM ----

SETTINGS = """\
jobs: 8
queue: gpu
account: em
walltime: "04:00:00"
cores: 6
memory: 24GB
gpus: 1
directives: ["--constraint=a100"]
prologue: ["module load cuda"]
python: /opt/envs/picker/bin/python
"""


def test_the_job_script_asks_slurm_for_what_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(SETTINGS)
    site = slurm(tmp_path / "cluster.yaml")
    assert site.jobs == 8
    with site.offered(host="127.0.0.1") as cluster:
        script = cluster.job_script()
    lines = [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH")]
    wanted = ["-p gpu", "-A em", "-n 1", "--cpus-per-task=6", "--mem=23G", "-t 04:00:00", "--gres=gpu:1", "--constraint=a100"]
    assert set(wanted) <= set(lines)
    assert script.index("export OMP_NUM_THREADS=6") < script.index("module load cuda") < script.index("/opt/envs/picker/bin/python")
    worker = script.strip().splitlines()[-1]
    assert "--nthreads 1" in worker
    assert worker.index("--memory-limit 22") < worker.index("--memory-limit 0")
    assert "--no-dashboard" in worker


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("quue: gpu", "Unknown setting 'quue'"),
        ("cores: many", "cores in .* must be of type int"),
        ("walltime: 14:00:00", "walltime in .* must be of type str, in quotes"),
        ("directives: --x", "must be a list of lines"),
        ("gpus: 4", "gpus must be 0 to 1"),
        ("- 1", "Expected lines such as"),
        ("a: [", "is none"),
        ("!!python/object/apply:os.system ['true']", "is none"),
    ],
)
def test_settings_of_a_cluster_are_checked(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        slurm(tmp_path / "cluster.yaml")


def test_without_a_file_slurm_gets_what_is_usual() -> None:
    assert slurm(None, 2) == replace(Slurm(), jobs=2)
