"""Where and in which arithmetic to compute."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from core.errors import ConfigError
from core.memory import available

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from core.config import DeviceName, Precision

Module = TypeVar("Module", bound=torch.nn.Module)


@dataclass(frozen=True, slots=True)
class Compute:
    """A device and the arithmetic of forward passes on it.

    Attributes
    ----------
    device : torch.device
        Where tensors live.
    dtype : torch.dtype
        float32, or the 16-bit type that autocast uses.
    """

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """Return the context in which forward passes run."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout in which 3D convolutions ran fastest where it was measured: channels last."""
        return torch.contiguous_format if self.device.type == "mps" else torch.channels_last_3d


def choose(device: DeviceName = "auto", precision: Precision = "auto") -> Compute:
    """Choose a device and its arithmetic.

    Parameters
    ----------
    device : DeviceName
        ``auto`` takes CUDA, then Apple's GPU, then the CPU.
    precision : Precision
        ``auto`` takes bfloat16 where the hardware multiplies it natively, float16 on older CUDA devices, else float32.

    Returns
    -------
    Compute
        What to compute with.

    Raises
    ------
    ConfigError
        If the named device is not there.
    """
    name = _available(device)
    if precision == "auto":
        return Compute(torch.device(name), _native_dtype(name))
    return Compute(torch.device(name), {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision])


def _available(device: DeviceName) -> str:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, found in there.items() if found)
    if not there[device]:
        usable = ", ".join(name for name, found in there.items() if found)
        raise ConfigError(f"Device {device!r} was asked for but is not usable here; choose one of: auto, {usable}.")
    return device


def _native_dtype(name: str) -> torch.dtype:
    if name == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if name == "cpu" and (torch.cpu.get_capabilities().get("avx512_bf16") or torch.cpu.get_capabilities().get("amx_bf16")):
        return torch.bfloat16
    return torch.float32


def place(module: Module, compute: Compute) -> Module:
    """Move a module to the device, in the layout that is fastest there.

    Parameters
    ----------
    module : Module
        Any network.
    compute : Compute
        Where to.

    Returns
    -------
    Module
        The same module.
    """
    module.to(compute.device)
    for parameter in module.parameters():
        if parameter.dim() == 5:
            parameter.data = parameter.data.contiguous(memory_format=compute.memory_format)
    return module


def moved(values: NDArray[Any], device: torch.device) -> torch.Tensor:
    """Copy an array to a device.

    Parameters
    ----------
    values : NDArray
        In pinned memory, the copy need not be waited for; it must not change before the device has come so far.
    device : torch.device
        Where to.

    Returns
    -------
    Tensor
        Of the same shape and type; on the CPU it is the array itself.
    """
    return torch.from_numpy(values).to(device, non_blocking=True)


def pinned(values: NDArray[Any], device: torch.device) -> torch.Tensor:
    """Make a tensor of an array that a CUDA device can copy while everything else goes on.

    Parameters
    ----------
    values : NDArray
        Any.
    device : torch.device
        Where it is to go.

    Returns
    -------
    Tensor
        In page-locked memory for CUDA; for other devices the array itself.
    """
    made = torch.from_numpy(values)
    return made.pin_memory() if device.type == "cuda" else made


def fetched(values: torch.Tensor) -> Callable[[], NDArray[Any]]:
    """Begin to copy a tensor to the host.

    Parameters
    ----------
    values : Tensor
        On any device.

    Returns
    -------
    Callable
        Waits for the copy, and for no more than it, and returns the array.
    """
    if values.device.type != "cuda":
        array: NDArray[Any] = values.cpu().numpy()
        return lambda: array
    target, ready = torch.empty(values.shape, dtype=values.dtype, pin_memory=True), torch.cuda.Event()  # type: ignore[no-untyped-call]
    target.copy_(values, non_blocking=True)
    ready.record()

    def waited() -> NDArray[Any]:
        ready.synchronize()
        found: NDArray[Any] = target.numpy()
        return found

    return waited


def beside(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context whose work does not wait for what a CUDA device computes otherwise, and is not waited for."""
    if device.type != "cuda":
        return nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]


def utilisation(device: torch.device) -> float | None:
    """Return how busy a device has been for the last fraction of a second.

    Parameters
    ----------
    device : torch.device
        The device.

    Returns
    -------
    float | None
        Part of the time in which it computed, 0..1, as the driver counts; None where that is not known: on other devices than
        CUDA, and where NVIDIA's own library for Python is not installed.
    """
    if device.type != "cuda":
        return None
    try:
        return torch.cuda.utilization(device) / 100
    except Exception:  # noqa: BLE001 - of NVIDIA's library, whatever it cannot do here: no training stops for a figure
        return None


def free_memory(device: torch.device) -> int:
    """Return how many bytes are free on a device.

    Parameters
    ----------
    device : torch.device
        The device; for the CPU it is the memory of the machine, as far as this process may take it.

    Returns
    -------
    int
        Bytes.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return available()


def out_of_memory(exc: BaseException) -> bool:
    """Tell whether an error means that memory did not suffice.

    Parameters
    ----------
    exc : BaseException
        From a computation; torch has an error of its own on CUDA and a `RuntimeError` on the CPU and Apple's GPU.

    Returns
    -------
    bool
        False for any other error.
    """
    said = str(exc).lower()
    return isinstance(exc, torch.OutOfMemoryError | MemoryError) or "out of memory" in said or "can't allocate memory" in said
