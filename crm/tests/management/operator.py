"""An operator: types a command, reads what it says, and goes by its exit code."""

import json
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.core.management import CommandError, call_command

from crm.management.operating import WRONG_ARGUMENTS


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(command: str, *arguments: object) -> Said:
    """As ``manage.py`` runs it, in this process and on this connection."""
    out, err, code = StringIO(), StringIO(), 0
    try:
        call_command(command, *map(str, arguments), stdout=out, stderr=err)
    except CommandError as error:
        # What argparse refuses ends a process with this code; called in one it has none.
        code = WRONG_ARGUMENTS if str(error).startswith("Error:") else error.returncode
        err.write(f"CommandError: {error}")
    except SystemExit as ended:
        code = int(ended.code or 0)
    return Said(code, out.getvalue(), err.getvalue())
