"""The pages, grouped by topic."""

from collections.abc import Callable

from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path

from crm.views import (
    analytics,
    campaigns,
    composing,
    conversations,
    fan,
    fan_card,
    fans,
    goto,
    handling,
    imports,
    preferences,
    presence,
    recipients,
    replies,
    segments,
    settings,
    signing_in,
    styleguide,
)


def page(address: str, view: Callable[..., HttpResponseBase], name: str) -> list[URLPattern]:
    """A page people may type by hand: with a slash at its end it answers, too, and is not redirected."""
    return [path(f"{address}/", view), path(address, view, name=name)]


sign_in = [
    *page("login", signing_in.SignInView.as_view(), name="login"),
    path("logout", signing_in.SignOutView.as_view(), name="logout"),
    path("welcome/<uidb64>/<token>", signing_in.welcome, name="welcome"),
    path("language", signing_in.choose_language, name="choose_language"),
]

inbox = [
    *page("messages/onlyfans", conversations.inbox, name="inbox"),
    *page("messages/onlyfans/preferences", preferences.preferences, name="inbox_preferences"),
    path("messages/onlyfans/goto", goto.goto, name="goto"),
    path("messages/onlyfans/conversations", conversations.conversations, name="conversation_list"),
    path("messages/onlyfans/changes", conversations.changes, name="inbox_changes"),
    path("messages/onlyfans/handle", handling.many, name="handle_conversations"),
    *page("messages/onlyfans/<uuid:public_id>", conversations.conversation, name="conversation"),
    path("messages/onlyfans/<uuid:public_id>/messages", conversations.messages, name="messages"),
    path("messages/onlyfans/<uuid:public_id>/messages/<uuid:message_id>", replies.settle, name="settle_message"),
    path("messages/onlyfans/<uuid:public_id>/read", conversations.mark_read, name="mark_read"),
    path("messages/onlyfans/<uuid:public_id>/assign", conversations.assign, name="assign"),
    path("messages/onlyfans/<uuid:public_id>/close", handling.close, name="close_conversation"),
    path("messages/onlyfans/<uuid:public_id>/snooze", handling.snooze, name="snooze_conversation"),
    path("messages/onlyfans/<uuid:public_id>/presence", presence.presence, name="presence"),
    path("messages/onlyfans/<uuid:public_id>/draft", replies.draft, name="draft"),
    path("messages/onlyfans/<uuid:public_id>/snippets", replies.snippets, name="composer_snippets"),
    path("messages/onlyfans/<uuid:public_id>/fan", fan_card.card, name="fan_card"),
    path("messages/onlyfans/<uuid:public_id>/fan/tags", fan_card.tags, name="fan_card_tags"),
    path("messages/onlyfans/<uuid:public_id>/fan/notes", fan_card.notes, name="fan_card_notes"),
    path("messages/onlyfans/<uuid:public_id>/fan/notes/<uuid:note_id>", fan_card.note, name="fan_card_note"),
]

people = [
    *page("fans", fans.fans, name="fans"),
    path("fans/export", fans.export, name="export_fans"),
    *page("fans/new", fan.new, name="new_fan"),
    *page("fans/<uuid:public_id>", fan.fan, name="fan"),
    *page("fans/<uuid:public_id>/edit", fan.edit, name="edit_fan"),
    *page("fans/<uuid:public_id>/erase", fan.erase, name="erase_fan"),
    path("fans/<uuid:public_id>/tags", fan.tags, name="fan_tags"),
    path("fans/<uuid:public_id>/conversation", fan.talk, name="fan_conversation"),
    path("fans/<uuid:public_id>/notes", fan.write_note, name="fan_notes"),
    path("fans/<uuid:public_id>/notes/<uuid:note_id>", fan.note, name="fan_note"),
    *page("segments", segments.segments, name="segments"),
    *page("segments/new", segments.new, name="new_segment"),
    path("segments/count", segments.count, name="segment_count"),
    *page("segments/<uuid:public_id>", segments.segment, name="segment"),
]

campaigning = [
    *page("campaigns", campaigns.campaigns, name="campaigns"),
    *page("campaigns/new", composing.new, name="new_campaign"),
    *page("messages/bulk", composing.new, name="bulk"),
    path("campaigns/preview", composing.preview, name="campaign_preview"),
    *page("campaigns/<uuid:public_id>", campaigns.detail, name="campaign"),
    *page("campaigns/<uuid:public_id>/edit", composing.edit, name="edit_campaign"),
    path("campaigns/<uuid:public_id>/progress", campaigns.progress, name="campaign_progress"),
    *page("campaigns/<uuid:public_id>/recipients", recipients.recipients, name="recipients"),
    path("campaigns/<uuid:public_id>/recipients.csv", recipients.file, name="recipients_file"),
]

figures = [
    *page("platforms/onlyfans/analytics", analytics.page, name="analytics"),
    *page("platforms/onlyfans/analytics/transactions", analytics.transactions, name="transactions"),
    *page("platforms/onlyfans/analytics/replies", analytics.replies, name="replies"),
    *page("platforms/onlyfans/analytics/subscriptions", analytics.subscriptions, name="subscriptions"),
    path("platforms/onlyfans/analytics/<slug:name>.csv", analytics.file, name="analytics_file"),
]

importing = [
    *page("platforms/connect/onlyfans", imports.connect, name="connect"),
    *page("platforms/connect/onlyfans/imports/<uuid:public_id>", imports.detail, name="import"),
    path("platforms/connect/onlyfans/imports/<uuid:public_id>/errors", imports.errors, name="import_errors"),
]

own_settings = [
    *page("settings", settings.profile.profile, name="settings"),
    path("settings/password", settings.profile.password, name="change_password"),
    *page("settings/sign-ins", settings.sign_ins.list_of, name="sign_ins"),
    *page("settings/keys", settings.keys.keys, name="api_keys"),
    path("settings/keys/<uuid:public_id>", settings.keys.revoke, name="revoke_key"),
    *page("settings/creator", settings.creators.creator, name="creator_settings"),
    path("settings/creator/pause", settings.creators.pause, name="pause_creator"),
    *page("settings/team", settings.team.team, name="team"),
    path("settings/team/<uuid:user_id>", settings.team.member, name="member"),
    *page("settings/snippets", settings.snippets.snippets, name="snippets"),
    *page("settings/snippets/new", settings.snippets.new, name="new_snippet"),
    *page("settings/snippets/<uuid:public_id>", settings.snippets.snippet, name="snippet"),
    *page("settings/sending", settings.sending.sending, name="sending"),
]

developing = page("styleguide", styleguide.styleguide, name="styleguide")

urlpatterns: list[URLPattern | URLResolver] = [
    *sign_in,
    *inbox,
    *people,
    *campaigning,
    *figures,
    *importing,
    *own_settings,
    *developing,
]
