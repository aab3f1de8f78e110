"""Amounts as Kubernetes writes them."""

from decimal import Decimal

from app.domain.runs import Amounts, Resources

GPU = "nvidia.com/gpu"


def resources(asked: Resources) -> dict[str, dict[str, str]]:
    """The container's `resources`; empty where nothing was said. GPUs are devices: Kubernetes wants their
    requests and limits alike, so the limit counts where both were said."""
    requests, limits = _amounts(asked.requests), _amounts(asked.limits)
    gpu = asked.limits.gpu if asked.limits.gpu is not None else asked.requests.gpu
    if gpu:
        requests[GPU] = limits[GPU] = str(gpu)
    return {key: value for key, value in (("requests", requests), ("limits", limits)) if value}


def _amounts(amounts: Amounts) -> dict[str, str]:
    found: dict[str, str] = {}
    if amounts.cpu is not None:
        found["cpu"] = f"{max(1, round(amounts.cpu * 1000))}m"
    if amounts.memory is not None:
        found["memory"] = str(amounts.memory)
    return found


_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}


def read_quantity(text: str) -> float:
    """A number that Kubernetes wrote (`12m`, `64Mi`). Raises ValueError, decimal.InvalidOperation."""
    number = text.rstrip("numkKMGTi")
    suffix = text[len(number) :]
    if suffix not in _SUFFIXES:
        raise ValueError(f"{text!r} is no quantity")
    return float(Decimal(number) * _SUFFIXES[suffix])
