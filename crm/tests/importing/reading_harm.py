"""Run by test_harm in a process of its own: read each file, and say what it cost and what was said of it, as JSON."""

import json
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import django


def memory(what: str) -> float:
    """Mebibytes: ``VmRSS`` now, ``VmHWM`` at most since it was forgotten."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


def read(path: Path) -> Counter[str]:
    """How often which reason was given; the refusal, when nothing of the file can be read."""
    from crm.importing.problems import CannotImport
    from crm.importing.records import records
    from crm.importing.rows import Options, Row, RowReader
    from crm.importing.survey import opened, survey
    from crm.models import Creator

    try:
        found = survey(lambda: path.open("rb"), Options())
    except CannotImport as refusal:
        return Counter([str(refusal)])
    reader, said = RowReader(found.reading, Creator(name="Ava")), Counter[str]()
    with opened(lambda: path.open("rb"), found.reading.encoding) as text:
        for record in islice(records(text, found.reading.separator), 1, None):
            row = reader.read(record)
            said.update([] if isinstance(row, Row) else [problem.reason for problem in row])
    return said


def main(paths: list[Path]) -> None:
    django.setup()
    read(paths[0])
    found = {}
    for path in paths:
        Path("/proc/self/clear_refs").write_text("5")
        idle = memory("VmRSS")
        said = read(path)
        found[path.stem] = {"said": said, "memory": memory("VmHWM") - idle}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
