"""Addresses of the ledger's API; each works with and without a trailing slash."""

from typing import Any

from django.urls import URLPattern, re_path

from crm.api import (
    analytics,
    campaigns,
    changes,
    conversations,
    fans,
    imports,
    keys,
    notes,
    segments,
    snippets,
    tags,
    tokens,
    transactions,
)
from crm.api.shapes import UUID
from crm.models import ImportKind, ImportState


def address(route: str, view: Any, name: str, **options: Any) -> URLPattern:
    """``route`` has the names of ids in braces."""
    pattern = route.replace("{", "(?P<").replace("}", f">{UUID})")
    return re_path(f"^crm/{pattern}/?$", view.as_view(**options), name=name)


urlpatterns = [
    re_path(r"^auth/token/?$", tokens.SignIn.as_view(), name="api-token"),
    re_path(r"^auth/refresh/?$", tokens.Refresh.as_view(), name="api-token-refresh"),
    re_path(r"^auth/logout/?$", tokens.SignOut.as_view(), name="api-logout"),
    re_path(r"^auth/keys/?$", keys.Keys.as_view(), name="api-keys"),
    re_path(rf"^auth/keys/(?P<key_id>{UUID})/?$", keys.OneKey.as_view(), name="api-key"),
    re_path(r"^messages/bulk/?$", campaigns.BulkSend.as_view(), name="api-bulk"),
    address("campaigns", campaigns.CampaignList, "api-campaigns"),
    address("campaigns/preview", campaigns.CampaignPreview, "api-campaign-preview"),
    address("campaigns/{campaign_id}", campaigns.CampaignDetail, "api-campaign"),
    address("campaigns/{campaign_id}/recipients", campaigns.CampaignRecipients, "api-campaign-recipients"),
    address("campaigns/{campaign_id}/launch", campaigns.CampaignLaunch, "api-campaign-launch"),
    address("campaigns/{campaign_id}/pause", campaigns.CampaignPause, "api-campaign-pause"),
    address("campaigns/{campaign_id}/resume", campaigns.CampaignResume, "api-campaign-resume"),
    address("campaigns/{campaign_id}/cancel", campaigns.CampaignCancel, "api-campaign-cancel"),
    address("campaigns/{campaign_id}/retry", campaigns.CampaignRetry, "api-campaign-retry"),
    address("campaigns/{campaign_id}/unschedule", campaigns.CampaignUnschedule, "api-campaign-unschedule"),
    address("campaigns/{campaign_id}/copy", campaigns.CampaignCopy, "api-campaign-copy"),
    address("campaigns/{campaign_id}/test", campaigns.CampaignTest, "api-campaign-test"),
    address("fans", fans.FanList, "api-fans"),
    address("fans/{fan_id}", fans.FanDetail, "api-fan"),
    address("fans/{fan_id}/tags/{tag_id}", tags.FanTagDetail, "api-fan-tag"),
    address("tags", tags.TagList, "api-tags"),
    address("tags/{tag_id}", tags.TagDetail, "api-tag"),
    address("tags/{tag_id}/merge", tags.TagMerge, "api-tag-merge"),
    address("tags/{tag_id}/fans", tags.TagFans, "api-tag-fans"),
    address("tags/{tag_id}/fans/remove", tags.TagFansRemove, "api-tag-fans-remove"),
    address("notes", notes.NoteList, "api-notes"),
    address("notes/{note_id}", notes.NoteDetail, "api-note"),
    address("segments", segments.SegmentList, "api-segments"),
    address("segments/ready-made", segments.ReadyMadeSegments, "api-segments-ready-made"),
    address("segments/preview", segments.SegmentPreview, "api-segment-preview"),
    address("segments/{segment_id}", segments.SegmentDetail, "api-segment"),
    address("segments/{segment_id}/count", segments.SegmentCount, "api-segment-count"),
    address("segments/{segment_id}/sample", segments.SegmentSample, "api-segment-sample"),
    address("snippets", snippets.SnippetList, "api-snippets"),
    address("snippets/{snippet_id}", snippets.SnippetDetail, "api-snippet"),
    address("snippets/{snippet_id}/text", snippets.SnippetText, "api-snippet-text"),
    address("transactions", transactions.TransactionList, "api-transactions"),
    address("subscription-events", transactions.SubscriptionEventList, "api-subscription-events"),
    address("analytics/overview", analytics.Overview, "api-analytics-overview"),
    address("analytics/revenue", analytics.Revenue, "api-analytics-revenue"),
    address("analytics/top-fans", analytics.TopFans, "api-analytics-top-fans"),
    address("analytics/subscribers", analytics.Subscribers, "api-analytics-subscribers"),
    address("analytics/replies", analytics.RepliesBy, "api-analytics-replies"),
    address("analytics/campaigns", analytics.CampaignEarnings, "api-analytics-campaigns"),
    address("changes", changes.Changes, "api-changes"),
    re_path(r"^onlyfans/import/csv/?$", imports.ImportNow.as_view(), name="api-import-now"),
    address("imports", imports.ImportList, "api-imports"),
    address("imports/{import_id}", imports.ImportDetail, "api-import"),
    address("imports/{import_id}/errors", imports.ImportErrors, "api-import-errors"),
    *(
        address(f"imports/{{import_id}}/{verb}", imports.ImportAct, f"api-import-{verb}", act=act)
        for verb, act in (
            ("check", ImportState.CHECKING),
            ("start", ImportState.RUNNING),
            ("cancel", ImportState.CANCELLED),
            ("undo", ImportState.UNDOING),
        )
    ),
    *(address(f"exports/{kind}", imports.Export, f"api-export-{kind}", kind=kind) for kind in ImportKind),
    address("conversations", conversations.ConversationList, "api-conversations"),
    address(
        "conversations/{conversation_id}/messages", conversations.ConversationMessages, "api-conversation-messages"
    ),
    address("conversations/{conversation_id}", conversations.ConversationDetail, "api-conversation"),
    address(
        "conversations/{conversation_id}/assignment",
        conversations.ConversationAssignment,
        "api-conversation-assignment",
    ),
    address("conversations/{conversation_id}/close", conversations.ConversationClose, "api-conversation-close"),
    address("conversations/{conversation_id}/snooze", conversations.ConversationSnooze, "api-conversation-snooze"),
    address("conversations/{conversation_id}/reopen", conversations.ConversationReopen, "api-conversation-reopen"),
    address("conversations/{conversation_id}/read", conversations.ConversationRead, "api-conversation-read"),
]
