"""An uploaded file as something that can be opened anew, as often as it is read."""

import io
from pathlib import Path
from typing import BinaryIO

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile

from crm.importing.survey import Opener


def opener_of(file: UploadedFile) -> Opener:
    """Large ones lie on disk, small ones in memory."""
    if isinstance(file, TemporaryUploadedFile):
        path = Path(file.temporary_file_path())

        def from_disk() -> BinaryIO:
            return path.open("rb")

        return from_disk
    file.seek(0)
    content = file.read()
    return lambda: io.BytesIO(content)
