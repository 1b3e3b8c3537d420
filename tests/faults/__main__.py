"""``python -m faults [KIND …]``, in the folder ``tests``: run the campaign and print its counts."""

import sys
import tempfile
from pathlib import Path

from faults.kinds import KINDS
from faults.material import Material
from faults.running import Counts, campaign

with tempfile.TemporaryDirectory() as folder:
    material = Material(Path(folder))
    total = Counts()
    rows = []
    for name, kind in KINDS.items():
        if len(sys.argv) > 1 and not any(word in name for word in sys.argv[1:]):
            continue
        counts = campaign(kind(material), lambda text: print(text, file=sys.stderr, flush=True))
        rows.append(counts.row(name))
        for field in ("runs", "refused", "accepted", "traceback", "wrong", "hang"):
            setattr(total, field, getattr(total, field) + getattr(counts, field))
        print(rows[-1], file=sys.stderr, flush=True)
    print("| inputs | runs | good refusals | accepted | tracebacks | wrong | hangs |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    print("\n".join([*rows, total.row("**all**")]))
