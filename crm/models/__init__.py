"""The public names of the ledger."""

from crm.models.attachments import Attachment
from crm.models.attempts import SignInBucket
from crm.models.campaigns import Campaign, IllegalCampaignMove, Tally
from crm.models.conversations import AnsweredMeanwhile, Conversation, FanNotReachable, WrittenMeanwhile
from crm.models.creators import Creator, Membership, Platform
from crm.models.days import Census, Day
from crm.models.drafts import Draft
from crm.models.early import EarlyNews
from crm.models.families import TokenFamily
from crm.models.fans import Fan, Subscription
from crm.models.handling import Closing, State
from crm.models.imports import IllegalImportMove, Import, ImportChunk, ImportKind, ImportPart, ImportState
from crm.models.keys import ApiKey
from crm.models.lines import Dispatch, HoldCause, Line, PauseCause
from crm.models.messages import MOVES, IllegalMove, Message, StateForbids
from crm.models.notes import Note
from crm.models.presences import Presence
from crm.models.recipients import Recipient
from crm.models.replies import KeptReply
from crm.models.segments import Segment
from crm.models.sessions import Session
from crm.models.snippets import Snippet
from crm.models.tags import FanTag, Tag, TagInUse
from crm.models.transactions import Payment, SubscriptionEvent, Transaction
from crm.models.users import User
from crm.models.workers import Worker
from crm.naming import translate_names

__all__ = [
    "MOVES",
    "AnsweredMeanwhile",
    "ApiKey",
    "Attachment",
    "Campaign",
    "Census",
    "Closing",
    "Conversation",
    "Creator",
    "Day",
    "Dispatch",
    "Draft",
    "EarlyNews",
    "Fan",
    "FanNotReachable",
    "FanTag",
    "HoldCause",
    "IllegalCampaignMove",
    "IllegalImportMove",
    "IllegalMove",
    "Import",
    "ImportChunk",
    "ImportKind",
    "ImportPart",
    "ImportState",
    "KeptReply",
    "Line",
    "Membership",
    "Message",
    "Note",
    "PauseCause",
    "Payment",
    "Platform",
    "Presence",
    "Recipient",
    "Segment",
    "Session",
    "SignInBucket",
    "Snippet",
    "State",
    "StateForbids",
    "Subscription",
    "SubscriptionEvent",
    "Tag",
    "TagInUse",
    "Tally",
    "TokenFamily",
    "Transaction",
    "User",
    "Worker",
    "WrittenMeanwhile",
]

translate_names("crm")
