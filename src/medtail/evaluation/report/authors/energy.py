"""An estimate of the energy that a training took."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

#: Watts under load, where nothing was measured.
GPU_WATTS, CORE_WATTS = 350, 10


@final
@dataclass(frozen=True)
class Energy:
    """Energy = time × units × watts per unit; nothing was measured, and cooling is not counted.

    Attributes:
        hours: Of the training, since its last start.
        units: GPUs, or threads of a CPU.
        unit: What one of them is.
        watts: Of one under load.

    Example:
        >>> Energy.of({"seconds": 7200, "device": "cuda", "hardware": "2 × NVIDIA H100"}).kilowatt_hours
        1.4
        >>> Energy.of({"seconds": 36, "device": "cpu", "hardware": "EPYC, 8 cores, 4 threads"}).formula
        '0.01 h × 4 CPU threads × 10 W = 0.0004 kWh'
    """

    hours: float
    units: int
    unit: str
    watts: int

    @classmethod
    def of(cls, environment: Mapping[str, Any]) -> "Energy":
        """Return the estimate for the content of ``environment.json``."""
        hours, hardware = float(environment["seconds"]) / 3600, str(environment["hardware"])
        if environment["device"] == "cuda":
            found = re.match(r"(\d+) × ", hardware)
            return cls(hours, int(found[1]) if found else 1, "GPU", GPU_WATTS)
        found = re.search(r"(\d+) threads", hardware) or re.search(r"(\d+) (?:CPU )?cores", hardware)
        return cls(hours, int(found[1]) if found else 1, "CPU thread", CORE_WATTS)

    @property
    def kilowatt_hours(self) -> float:
        """The estimate."""
        return self.hours * self.units * self.watts / 1000

    @property
    def formula(self) -> str:
        """The estimate with what it was computed from."""
        plural = "" if self.units == 1 else "s"
        return (
            f"{self.hours:.2g} h × {self.units} {self.unit}{plural} × {self.watts} W = "
            f"{self.kilowatt_hours:.2g} kWh"
        )
