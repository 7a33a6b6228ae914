"""Settings, one tab a file: the user's own first, then those of the creator whose pages they look at."""

from crm.views.settings import creators, keys, profile, sending, sign_ins, snippets, team

__all__ = ["creators", "keys", "profile", "sending", "sign_ins", "snippets", "team"]
