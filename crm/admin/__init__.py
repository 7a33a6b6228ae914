"""The staff's tool, one topic a file."""

from django.contrib import admin

from crm.admin import access, campaigns, conversations, imports, ledger, lines, people

__all__ = ["access", "campaigns", "conversations", "imports", "ledger", "lines", "people"]

admin.site.site_header = admin.site.site_title = "Huntaze"
