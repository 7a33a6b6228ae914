"""The staff's tool, one topic a file."""

from crm.admin import conversations, lines, people

__all__ = ["conversations", "lines", "people"]
