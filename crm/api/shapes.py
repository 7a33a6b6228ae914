"""How values look on the wire, for every door of the API."""

from datetime import datetime

from rest_framework import serializers

#: For addresses; ids in capitals are the same ids.
UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def iso(moment: datetime | None) -> str | None:
    """UTC in ISO 8601."""
    return serializers.DateTimeField().to_representation(moment) if moment else None
