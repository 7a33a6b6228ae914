"""The public names of the ledger."""

from crm.models.attachments import Attachment
from crm.models.conversations import Conversation, FanNotReachable
from crm.models.creators import Creator, Membership, Platform
from crm.models.fans import Fan
from crm.models.lines import Dispatch, HoldCause, Line
from crm.models.messages import MOVES, IllegalMove, Message
from crm.models.users import User

__all__ = [
    "MOVES",
    "Attachment",
    "Conversation",
    "Creator",
    "Dispatch",
    "Fan",
    "FanNotReachable",
    "HoldCause",
    "IllegalMove",
    "Line",
    "Membership",
    "Message",
    "Platform",
    "User",
]
