"""Who may do what: every route of the product by every kind of person. A route or method without a row fails.

A row says how each person is answered. `<name>` stands for the id of a row that the creator of this world has; see
`world` below. A request's body stands below its row: JSON for the API, a form for pages
and where a text begins with @, which stands for a file. `*` is every method.

    anonymous  nobody has signed in          manager, owner  may change campaigns, imports and settings
    other      owner of another creator      staff           opens the admin, member of no creator
    viewer     looks on                      chatter         writes to fans
    key        which scope a key of the owner needs; “never”: no key will do; “-”: nobody asks for one
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from pytest_django import DjangoDbBlocker

from crm import campaigning
from crm.clock import database_now
from crm.models import ApiKey, Creator, Membership, Note, Segment, Snippet, Tag, User
from crm.models.messages import Status
from crm.tests.factories import (
    PASSWORD,
    make_conversation,
    make_creator,
    make_fan,
    make_import,
    make_message,
    make_user,
)
from onlyfans.models import Connection, Provider

TABLE = """
                                                             anonymous other viewer chatter manager owner staff key
*      /                                                     302       302   302    302     302     302   302   -
*      /login                                                200       302   302    302     302     302   302   -
POST   /logout                                               302       302   302    302     302     302   302   -
POST   /language                                             302       302   302    302     302     302   302   -
       {"language": "fr"}
GET    /styleguide                                           404       404   404    404     404     404   404   -
GET    /admin/                                               302       302   302    302     302     302   200   -

GET    /messages/onlyfans                                    302       200   200    200     200     200   200   -
GET    /messages/onlyfans/conversations                      302       200   200    200     200     200   200   -
GET    /messages/onlyfans/changes                            302       200   200    200     200     200   200   -
GET    /messages/onlyfans/<conversation>                     302       404   200    200     200     200   404   -
POST   /messages/onlyfans/<conversation>                     302       404   403    303     303     303   404   -
       {"text": "Hello!"}
GET    /messages/onlyfans/<conversation>/messages            302       404   200    200     200     200   404   -
POST   /messages/onlyfans/<conversation>/read                302       404   403    303     303     303   404   -
POST   /messages/onlyfans/<conversation>/messages/<failed>   302       404   403    303     303     303   404   -
       {"act": "retry"}
POST   /messages/onlyfans/<conversation>/messages/<unknown>  302       404   403    403     303     303   404   -
       {"act": "sent"}
GET    /messages/onlyfans/preferences                        302       200   200    200     200     200   200   -
POST   /messages/onlyfans/preferences                        302       303   303    303     303     303   303   -
       {"undo_seconds": "10"}
GET    /messages/onlyfans/goto                               302       200   200    200     200     200   200   -
POST   /messages/onlyfans/<conversation>/assign              302       404   403    303     303     303   404   -
       {"to": ""}
POST   /messages/onlyfans/<conversation>/close               302       404   403    303     303     303   404   -
POST   /messages/onlyfans/<conversation>/snooze              302       404   403    303     303     303   404   -
       {"until": "tomorrow"}
POST   /messages/onlyfans/handle                             302       404   403    303     303     303   404   -
       {"act": "close", "about": "<conversation>"}
POST   /messages/onlyfans/<conversation>/presence            302       404   200    200     200     200   404   -
POST   /messages/onlyfans/<conversation>/draft               302       404   403    303     303     303   404   -
       {"text": "Hel"}
GET    /messages/onlyfans/<conversation>/snippets            302       404   403    200     200     200   404   -
GET    /messages/onlyfans/<conversation>/fan                 302       404   200    200     200     200   404   -
POST   /messages/onlyfans/<conversation>/fan/tags            302       404   403    303     303     303   404   -
       {"add": "Night owl"}
POST   /messages/onlyfans/<conversation>/fan/notes           302       404   403    303     303     303   404   -
       {"text": "Likes milk.", "category": "personal"}
POST   /messages/onlyfans/<conversation>/fan/notes/<note>    302       404   403    403     303     303   404   -
       {"act": "delete"}
GET    /messages/assisted                                    302       200   200    200     200     200   200   -
POST   /messages/assisted/<queued>                           302       404   403    409     409     409   404   -
       {"act": "sent"}

GET    /fans                                                 302       200   200    200     200     200   200   -
POST   /fans?creator=<creator>                               302       404   403    303     303     303   403   -
       {"act": "tag", "tag": "VIP", "which": "ticked", "fan": "<fan>"}
GET    /fans/export?creator=<creator>                        302       404   403    403     200     200   200   -
GET    /fans/new                                             302       200   403    200     200     200   200   -
POST   /fans/new                                             302       303   403    303     303     303   403   -
       {"platform": "onlyfans", "handle": "newcomer"}
GET    /fans/<fan>                                           302       404   200    200     200     200   404   -
GET    /fans/<fan>/edit                                      302       404   403    200     200     200   404   -
POST   /fans/<fan>/edit                                      302       404   403    303     303     303   404   -
       {"handle": "renamed"}
GET    /fans/<fan>/erase                                     302       404   403    403     200     200   404   -
POST   /fans/<fan>/erase                                     302       404   403    403     400     400   404   -
       {"typed": "somebody else"}
POST   /fans/<fan>/tags                                      302       404   403    303     303     303   404   -
       {"tags": "VIP"}
POST   /fans/<fan>/conversation                              302       404   403    303     303     303   404   -
POST   /fans/<fan>/notes                                     302       404   403    303     303     303   404   -
       {"text": "Likes tea.", "category": "mood"}
GET    /fans/<fan>/notes/<note>                              302       404   403    403     200     200   404   -
POST   /fans/<fan>/notes/<note>                              302       404   403    403     303     303   404   -
       {"act": "delete"}
GET    /segments                                             302       200   200    200     200     200   200   -
GET    /segments/count?segment=<segment>                     302       404   200    200     200     200   200   -
GET    /segments/new                                         302       200   403    403     200     200   200   -
POST   /segments/new                                         302       303   403    403     303     303   403   -
       {"do": "save", "name": "Spenders", "how-r": "all", "name-r.0": "valueMin", "value-r.0": "5"}
GET    /segments/<segment>                                   302       404   200    200     200     200   404   -
POST   /segments/<segment>                                   302       404   403    403     303     303   404   -
       {"do": "delete"}

GET    /campaigns                                            302       200   200    200     200     200   200   -
GET    /campaigns/new                                        302       200   403    403     200     200   200   -
POST   /campaigns/new                                        302       303   403    403     303     303   403   -
       {"name": "News", "text": "Hello!", "source": "filter", "pause_at_error_percent": "10"}
GET    /messages/bulk                                        302       200   403    403     200     200   200   -
POST   /messages/bulk                                        302       303   403    403     303     303   403   -
       {"name": "News", "text": "Hello!", "source": "filter", "pause_at_error_percent": "10"}
POST   /campaigns/preview                                    302       200   200    200     200     200   403   -
       {"source": "filter"}
GET    /campaigns/<draft>                                    302       404   200    200     200     200   404   -
POST   /campaigns/<draft>                                    302       404   403    403     303     303   404   -
       {"act": "launch"}
GET    /campaigns/<draft>/edit                               302       404   403    403     200     200   404   -
POST   /campaigns/<draft>/edit                               302       404   403    403     303     303   404   -
       {"name": "News", "text": "Bye!", "source": "filter", "pause_at_error_percent": "10"}
GET    /campaigns/<draft>/progress                           302       404   200    200     200     200   404   -
GET    /campaigns/<draft>/recipients                         302       404   200    200     200     200   404   -
GET    /campaigns/<draft>/recipients.csv                     302       404   200    200     200     200   404   -

GET    /platforms/onlyfans/analytics                         302       200   200    200     200     200   200   -
GET    /platforms/onlyfans/analytics/transactions            302       200   200    200     200     200   200   -
GET    /platforms/onlyfans/analytics/subscriptions           302       200   200    200     200     200   200   -
GET    /platforms/onlyfans/analytics/replies                 302       200   200    200     200     200   200   -
GET    /platforms/onlyfans/analytics/revenue.csv             302       200   200    200     200     200   200   -

GET    /platforms/connect/onlyfans                           302       200   200    200     200     200   200   -
POST   /platforms/connect/onlyfans                           302       303   403    403     303     303   403   -
       {"file": "@Username,Name"}
GET    /platforms/connect/onlyfans/account/<creator>         302       404   403    403     200     200   404   -
POST   /platforms/connect/onlyfans/account/<creator>         302       404   403    403     303     303   404   -
       {"act": "save", "provider": "assisted"}
GET    /platforms/connect/onlyfans/imports/<import>          302       404   200    200     200     200   404   -
POST   /platforms/connect/onlyfans/imports/<import>          302       404   403    403     303     303   404   -
       {"act": "check"}
GET    /platforms/connect/onlyfans/imports/<import>/errors   302       404   404    404     200     200   404   -

GET    /settings                                             302       200   200    200     200     200   200   -
POST   /settings                                             302       302   302    302     302     302   302   -
       {"first_name": "Mia", "undo_seconds": "5"}
POST   /settings/password                                    302       302   302    302     302     302   302   -
       {"old_password": "<password>", "new_password1": "another-horse-1", "new_password2": "another-horse-1"}
GET    /settings/sign-ins                                    302       200   200    200     200     200   200   -
POST   /settings/sign-ins                                    302       302   302    302     302     302   302   -
GET    /settings/keys                                        302       200   200    200     200     200   200   -
POST   /settings/keys                                        302       201   201    201     201     201   201   -
       {"name": "Reports", "scopes": "read", "days": "30"}
POST   /settings/keys/<key>                                  302       404   404    404     404     302   404   -
GET    /settings/creator?creator=<creator>                   302       404   200    200     200     200   200   -
POST   /settings/creator?creator=<creator>                   302       404   403    403     303     303   403   -
       {"name": "Mia", "timezone": "UTC", "pace": "5/60"}
POST   /settings/creator/pause?creator=<creator>             302       404   403    403     303     303   403   -
       {"act": "pause", "reason": "Holiday."}
GET    /settings/team?creator=<creator>                      302       404   200    200     200     200   200   -
POST   /settings/team?creator=<creator>                      302       404   403    403     201     201   403   -
       {"username": "newcomer", "role": "chatter"}
POST   /settings/team/<member>?creator=<creator>             302       404   403    403     303     303   403   -
       {"act": "role", "role": "viewer"}
GET    /settings/snippets?creator=<creator>                  302       404   200    200     200     200   200   -
GET    /settings/snippets/new?creator=<creator>              302       404   403    200     200     200   200   -
POST   /settings/snippets/new?creator=<creator>              302       404   403    303     303     303   403   -
       {"name": "Goodbye", "text": "Goodbye {name|dear}!"}
GET    /settings/snippets/<snippet>                          302       404   403    200     200     200   404   -
POST   /settings/snippets/<snippet>                          302       404   403    403     303     303   404   -
       {"delete": "1"}
GET    /settings/sending                                     302       403   403    403     403     403   200   -
POST   /settings/sending                                     302       403   403    403     403     403   302   -
       {"act": "stop", "reason": "Fire."}
GET    /welcome/<member>/made-up                             404       404   404    404     404     404   404   -
POST   /welcome/<member>/made-up                             404       404   404    404     404     404   404   -

POST   /api/auth/token                                       200       200   200    200     200     200   200   -
       {"username": "owner", "password": "<password>"}
POST   /api/auth/refresh                                     401       401   401    401     401     401   401   -
       {"refresh": "made up"}
POST   /api/auth/logout                                      401       401   401    401     401     401   401   -
       {"refresh": "made up"}

GET    /api/auth/keys                                        401       200   200    200     200     200   200   never
POST   /api/auth/keys                                        401       201   201    201     201     201   201   never
       {"name": "Reports", "scopes": ["read"]}
DELETE /api/auth/keys/<key>                                  401       404   404    404     404     204   404   never

GET    /api/crm/fans                                         401       200   200    200     200     200   200   read
POST   /api/crm/fans                                         401       404   403    201     201     201   404   write
       {"creatorId": "<creator>", "handle": "newcomer"}
GET    /api/crm/fans/<fan>                                   401       404   200    200     200     200   404   read
PUT    /api/crm/fans/<fan>                                   401       404   403    200     200     200   404   write
       {"platformId": "100", "name": "Mia"}
PATCH  /api/crm/fans/<fan>                                   401       404   403    200     200     200   404   write
       {"name": "Mia"}
DELETE /api/crm/fans/<fan>                                   401       404   403    403     204     204   404   write
PUT    /api/crm/fans/<fan>/tags/<tag>                        401       404   403    204     204     204   404   write
DELETE /api/crm/fans/<fan>/tags/<tag>                        401       404   403    204     204     204   404   write
GET    /api/crm/tags                                         401       200   200    200     200     200   200   read
POST   /api/crm/tags                                         401       404   403    201     201     201   404   write
       {"creatorId": "<creator>", "name": "New"}
GET    /api/crm/tags/<tag>                                   401       404   200    200     200     200   404   read
PATCH  /api/crm/tags/<tag>                                   401       404   403    200     200     200   404   write
       {"name": "Newer"}
DELETE /api/crm/tags/<tag>                                   401       404   403    403     204     204   404   write
POST   /api/crm/tags/<tag>/merge                             401       404   403    403     200     200   404   write
       {"into": "<other_tag>"}
POST   /api/crm/tags/<tag>/fans                              401       404   403    204     204     204   404   write
       {"fanIds": ["<fan>"]}
POST   /api/crm/tags/<tag>/fans/remove                       401       404   403    204     204     204   404   write
       {"fanIds": ["<fan>"]}
GET    /api/crm/notes?fanId=<fan>                            401       404   200    200     200     200   404   read
POST   /api/crm/notes                                        401       404   403    201     201     201   404   write
       {"fanId": "<fan>", "text": "Likes tea."}
GET    /api/crm/notes/<note>                                 401       404   200    200     200     200   404   read
PATCH  /api/crm/notes/<note>                                 401       404   403    403     200     200   404   write
       {"text": "Likes coffee."}
DELETE /api/crm/notes/<note>                                 401       404   403    403     204     204   404   write
GET    /api/crm/segments                                     401       200   200    200     200     200   200   read
POST   /api/crm/segments                                     401       404   403    403     201     201   404   write
       {"creatorId": "<creator>", "name": "All", "rule": {}}
GET    /api/crm/segments/ready-made                          401       200   200    200     200     200   200   read
POST   /api/crm/segments/preview                             401       404   200    200     200     200   404   write
       {"creatorId": "<creator>", "rule": {}}
GET    /api/crm/segments/<segment>                           401       404   200    200     200     200   404   read
PUT    /api/crm/segments/<segment>                           401       404   403    403     200     200   404   write
       {"name": "All", "rule": {}}
PATCH  /api/crm/segments/<segment>                           401       404   403    403     200     200   404   write
       {"name": "All"}
DELETE /api/crm/segments/<segment>                           401       404   403    403     204     204   404   write
GET    /api/crm/segments/<segment>/count                     401       404   200    200     200     200   404   read
GET    /api/crm/segments/<segment>/sample                    401       404   200    200     200     200   404   read
GET    /api/crm/snippets                                     401       200   200    200     200     200   200   read
POST   /api/crm/snippets                                     401       404   403    201     201     201   404   write
       {"creatorId": "<creator>", "name": "Goodbye", "text": "Hello!"}
GET    /api/crm/snippets/<snippet>                           401       404   200    200     200     200   404   read
PATCH  /api/crm/snippets/<snippet>                           401       404   403    200     200     200   404   write
       {"text": "Hi!"}
DELETE /api/crm/snippets/<snippet>                           401       404   403    403     204     204   404   write
GET    /api/crm/snippets/<snippet>/text?fanId=<fan>          401       404   200    200     200     200   404   read
GET    /api/crm/transactions                                 401       200   200    200     200     200   200   read
GET    /api/crm/subscription-events                          401       200   200    200     200     200   200   read
GET    /api/crm/analytics/overview?creatorId=<creator>       401       404   200    200     200     200   404   read
GET    /api/crm/analytics/revenue?creatorId=<creator>        401       404   200    200     200     200   404   read
GET    /api/crm/analytics/top-fans?creatorId=<creator>       401       404   200    200     200     200   404   read
GET    /api/crm/analytics/subscribers?creatorId=<creator>    401       404   200    200     200     200   404   read
GET    /api/crm/analytics/replies?creatorId=<creator>        401       404   200    200     200     200   404   read
GET    /api/crm/analytics/campaigns?creatorId=<creator>      401       404   200    200     200     200   404   read
GET    /api/crm/changes                                      401       200   200    200     200     200   200   read
GET    /api/crm/imports                                      401       200   200    200     200     200   200   read
POST   /api/crm/imports                                      401       404   403    403     201     201   404   import
       {"creatorId": "<creator>", "file": "@Username,Name"}
GET    /api/crm/imports/<import>                             401       404   200    200     200     200   404   read
PATCH  /api/crm/imports/<import>                             401       404   403    403     200     200   404   import
       {"dateOrder": "dmy"}
DELETE /api/crm/imports/<import>                             401       404   403    403     204     204   404   import
GET    /api/crm/imports/<import>/errors                      401       404   403    403     200     200   404   read
POST   /api/crm/imports/<import>/check                       401       404   403    403     202     202   404   import
POST   /api/crm/imports/<import>/start                       401       404   403    403     202     202   404   import
POST   /api/crm/imports/<import>/cancel                      401       404   403    403     200     200   404   import
POST   /api/crm/imports/<import>/undo                        401       404   403    403     409     409   404   import
GET    /api/crm/exports/fans?creatorId=<creator>             401       404   403    403     200     200   404   read
GET    /api/crm/exports/transactions?creatorId=<creator>     401       404   403    403     200     200   404   read
GET    /api/crm/conversations                                401       200   200    200     200     200   200   read
GET    /api/crm/conversations/<conversation>                 401       404   200    200     200     200   404   read
PUT    /api/crm/conversations/<conversation>/assignment      401       404   403    200     200     200   404   write
       {"userId": "me"}
DELETE /api/crm/conversations/<conversation>/assignment      401       404   403    204     204     204   404   write
GET    /api/crm/conversations/<conversation>/messages        401       404   200    200     200     200   404   read
POST   /api/crm/conversations/<conversation>/messages        401       404   403    202     202     202   404   send
       {"text": "Hello!"}
POST   /api/crm/conversations/<conversation>/close           401       404   403    200     200     200   404   write
POST   /api/crm/conversations/<conversation>/snooze          401       404   403    200     200     200   404   write
       {"until": "<tomorrow>"}
POST   /api/crm/conversations/<conversation>/reopen          401       404   403    200     200     200   404   write
POST   /api/crm/conversations/<conversation>/read            401       404   403    204     204     204   404   write

GET    /api/crm/campaigns                                    401       200   200    200     200     200   200   read
POST   /api/crm/campaigns                                    401       201   403    403     201     201   400   write
       {"name": "News", "text": "Hello!"}
POST   /api/crm/campaigns/preview                            401       400   200    200     200     200   400   read
       {"audience": {"fans": ["<fan>"]}}
GET    /api/crm/campaigns/<draft>                            401       404   200    200     200     200   404   read
PATCH  /api/crm/campaigns/<draft>                            401       404   403    403     200     200   404   write
       {"text": "Bye!"}
DELETE /api/crm/campaigns/<draft>                            401       404   403    403     204     204   404   write
GET    /api/crm/campaigns/<draft>/recipients                 401       404   200    200     200     200   404   read
POST   /api/crm/campaigns/<draft>/launch                     401       404   403    403     200     200   404   send
POST   /api/crm/campaigns/<draft>/pause                      401       404   403    403     409     409   404   send
POST   /api/crm/campaigns/<draft>/resume                     401       404   403    403     409     409   404   send
POST   /api/crm/campaigns/<draft>/cancel                     401       404   403    403     200     200   404   send
POST   /api/crm/campaigns/<draft>/retry                      401       404   403    403     409     409   404   send
POST   /api/crm/campaigns/<draft>/unschedule                 401       404   403    403     409     409   404   send
POST   /api/crm/campaigns/<draft>/copy                       401       404   403    403     201     201   404   write
POST   /api/crm/campaigns/<draft>/test                       401       404   403    403     202     202   404   send
       {"recipientIds": ["<fan>"]}
POST   /api/messages/bulk                                    401       400   403    403     202     202   400   send
       {"recipientIds": ["<fan>"], "content": "Hello!"}

POST   /api/onlyfans/messages/send                           401       404   403    202     202     202   404   send
       {"recipientId": "<fan>", "content": "Hello!"}
GET    /api/onlyfans/messages/status                         401       200   200    200     200     200   200   read
GET    /api/onlyfans/messages/failed                         401       200   200    200     200     200   200   read
GET    /api/onlyfans/messages/<failed>                       401       404   200    200     200     200   404   read
POST   /api/onlyfans/messages/<failed>/retry                 401       404   403    202     202     202   404   send
POST   /api/onlyfans/messages/<unknown>/retry                401       404   403    403     202     202   404   send
       {"confirmNotSent": true}
POST   /api/onlyfans/messages/<queued>/cancel                401       404   403    200     200     200   404   send
GET    /api/monitoring/onlyfans                              401       403   403    403     403     403   503   never
GET    /metrics                                              401       403   403    403     403     403   200   never
POST   /api/onlyfans/import/csv                              401       404   403    403     200     200   404   import
       {"creatorId": "<creator>", "file": "@Username,Name"}
POST   /api/onlyfans/webhooks/<connection>                   401       401   401    401     401     401   401   -
       {}
GET    /api/schema                                           200       200   200    200     200     200   200   -
GET    /api/docs                                             200       200   200    200     200     200   200   -
*      /api/nowhere                                          404       404   404    404     404     404   404   -
"""

pytestmark = pytest.mark.django_db

#: A POST that creates honours an Idempotency-Key, or it stands here and says why not.
NOT_IDEMPOTENT = {
    "POST /api/auth/token": "makes nothing but tokens, which a kept reply would keep",
    "POST /api/auth/refresh": "a refresh token is good for one use, whoever asks",
    "POST /api/auth/logout": "ends what there is",
    "POST /api/crm/conversations/<conversation>/close": "creates nothing",
    "POST /api/crm/conversations/<conversation>/snooze": "creates nothing",
    "POST /api/crm/conversations/<conversation>/reopen": "creates nothing",
    "POST /api/crm/conversations/<conversation>/read": "creates nothing",
    "POST /api/crm/campaigns/preview": "creates nothing",
    "POST /api/crm/campaigns/<draft>/launch": "the second finds it launched and is 409",
    "POST /api/crm/campaigns/<draft>/pause": "creates nothing",
    "POST /api/crm/campaigns/<draft>/resume": "creates nothing",
    "POST /api/crm/campaigns/<draft>/cancel": "creates nothing",
    "POST /api/crm/campaigns/<draft>/retry": "creates nothing",
    "POST /api/crm/campaigns/<draft>/unschedule": "creates nothing",
    "POST /api/crm/tags/<tag>/merge": "creates nothing: the second time the tag is gone",
    "POST /api/crm/tags/<tag>/fans": "said twice it is the same",
    "POST /api/crm/tags/<tag>/fans/remove": "said twice it is the same",
    "POST /api/crm/segments/preview": "creates nothing",
    "POST /api/onlyfans/messages/<failed>/retry": "creates nothing: the second finds it waiting and is 409",
    "POST /api/onlyfans/messages/<unknown>/retry": "creates nothing: the second finds it waiting and is 409",
    "POST /api/onlyfans/messages/<queued>/cancel": "creates nothing: the second finds it cancelled and is 409",
    **{
        f"POST /api/crm/imports/<import>/{verb}": "creates nothing: it asks for what the import can do once"
        for verb in ("check", "start", "cancel", "undo")
    },
    "POST /api/onlyfans/webhooks/<connection>": "the provider's own event id is the key",
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: Where a form that was sent in a wrong way is asked again, anybody's or nobody's id makes no difference.
NOT_ABOUT_A_ROW = ("webhooks",)


def _filled(text: str, world: Any) -> str:
    return re.sub("<([a-z_]+)>", lambda match: str(world[match[1]]), text)


def _bare(route: str) -> str:
    """A route without what only says that a slash may follow."""
    return route.replace("^", "").removesuffix("$").removesuffix("/?").rstrip("/") or "/"


@dataclass(frozen=True)
class Row:
    method: str
    address: str
    expected: dict[str, int]
    key: str
    body: str

    def __str__(self) -> str:
        return f"{self.method} {self.address}"

    @property
    def names_an_id(self) -> bool:
        return "<" in self.address and not any(word in self.address for word in NOT_ABOUT_A_ROW)

    @property
    def route(self) -> str:
        """The resolver's own name of the address, the same with and without a slash at its end."""
        address, _question_mark, _query = _filled(self.address, _NoWorld()).partition("?")
        return _bare(resolve(address).route)

    @property
    def may_create(self) -> bool:
        return self.method == "POST" and self.address.startswith("/api/")

    def ask(self, client: Client, world: Any, method: str = "", **extra: Any) -> HttpResponse:
        """Ask as the row says; ids are those of ``world``."""
        body: Any = json.loads(_filled(self.body, world)) if self.body else {}
        method, address = method or self.method.replace("*", "GET"), _filled(self.address, world)
        files = {name: value for name, value in body.items() if isinstance(value, str) and value.startswith("@")}
        if files and method == "POST":
            uploads = {name: ContentFile(text[1:].encode(), name="table.csv") for name, text in files.items()}
            body = {"data": body | uploads}
        elif address.startswith("/api/") and method != "GET":
            body = {"data": json.dumps(body), "content_type": "application/json"}
        elif method == "POST":
            body = {"data": body}
        else:
            body = {}
        answer: HttpResponse = getattr(client, method.lower())(address, **body, **extra)
        return answer


class _NoWorld(dict[str, object]):
    def __missing__(self, name: str) -> UUID:
        return UUID(int=0)


def rows() -> Iterator[Row]:
    """The table, read."""
    heading, *lines = [line for line in TABLE.splitlines() if line.strip()]
    *people, _key = heading.split()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(" "):
            continue
        method, address, *codes, key = line.split()
        body = following.strip() if following.startswith(" ") else ""
        yield Row(method, address, dict(zip(people, map(int, codes), strict=True)), key, body)


ROWS = list(rows())


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """Every route that the product has, but for those within the admin, which has permissions of its own."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern) or pattern.app_name == "admin":
            yield _bare(route)
        else:
            yield from routes(pattern, route)


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, object]]:
    """One creator with one of everything, and everybody who may come along. Whoever asks takes back what it did."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_world()
        transaction.set_rollback(True)


@contextmanager
def with_key(user: str, scopes: Iterable[str], creator: Creator | None = None) -> Iterator[dict[str, Any]]:
    """The headers of a program that has a key of this user's."""
    with transaction.atomic():
        _key, secret = ApiKey.issue(User.objects.get(username=user), name="Test", scopes=[*scopes], creator=creator)
        yield {"headers": {"Authorization": f"Bearer {secret}"}}
        transaction.set_rollback(True)


@contextmanager
def signed_in(person: str) -> Iterator[Client]:
    """What happens within has not happened afterwards."""
    client = _stranger()
    with transaction.atomic():
        if person != "anonymous":
            client.force_login(User.objects.get(username=person))
        yield client
        transaction.set_rollback(True)


def _stranger() -> Client:
    client = _browser()
    client.cookies.clear()
    return client


@cache
def _browser() -> Client:
    """The same one for all: each would load every middleware again."""
    return Client(raise_request_exception=False)


def make_world() -> dict[str, object]:
    creator = make_creator()
    for role in Membership.Role.values:
        Membership.objects.create(user=make_user(role), creator=creator, role=role)
    make_creator(make_user("other"), make_user("both"))
    Membership.objects.create(user=User.objects.get(username="both"), creator=creator, role=Membership.Role.OWNER)
    make_user("staff", is_staff=True).user_permissions.set(Permission.objects.all())
    fan = make_fan(creator)
    conversation = make_conversation(fan=fan)
    # Its messages go by hand; an account of nobody here is told of by webhooks.
    Connection.objects.create(creator=creator, provider=Provider.ASSISTED)
    return {
        "password": PASSWORD,
        "creator": creator.public_id,
        "fan": fan.public_id,
        "tag": Tag.objects.add(creator, name="VIP").public_id,
        "member": User.objects.get(username="chatter").public_id,
        "other_tag": Tag.objects.add(creator, name="Whale").public_id,
        "note": Note.objects.write(fan, author=User.objects.get(username="owner"), text="Likes milk.").public_id,
        "snippet": Snippet.objects.create(creator=creator, name="Hello", text="Hello {name|there}!").public_id,
        "segment": Segment.objects.create(creator=creator, name="Everybody").public_id,
        "conversation": conversation.public_id,
        "queued": make_message(conversation).public_id,
        "failed": make_message(conversation, status=Status.FAILED).public_id,
        "unknown": make_message(conversation, status=Status.UNKNOWN).public_id,
        "key": ApiKey.issue(User.objects.get(username="owner"), name="Old", scopes=["read"])[0].public_id,
        "draft": campaigning.draft(
            creator, author=None, name="News", text="Hello!", audience={"fans": [str(fan.public_id)]}
        ).public_id,
        "connection": Connection.objects.create(creator=make_creator(), account_id="acct").public_id,
        "import": make_import(creator).public_id,
        "tomorrow": (database_now() + timedelta(days=1)).isoformat(),
    }


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_everybody_is_answered_as_the_table_says(row: Row, world: dict[str, object]) -> None:
    answered = {}
    for person in row.expected:
        with signed_in(person) as client:
            answer = row.ask(client, world)
        answered[person] = answer.status_code
        # 503 is a report of how components are, no refusal.
        if row.address.startswith("/api/") and 400 <= answer.status_code != 503:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert json.loads(answer.content)["detail"]

    assert answered == row.expected


def test_every_route_has_a_row() -> None:
    assert set(routes()) - {row.route for row in ROWS} == set()


@pytest.mark.parametrize("route", sorted({row.route for row in ROWS}))
def test_every_method_without_a_row_is_refused(route: str, world: dict[str, object]) -> None:
    listed = [row for row in ROWS if row.route == route]
    methods = {row.method for row in listed}
    if "*" in methods or route == "admin":
        return

    for method in set(METHODS) - methods:
        with signed_in("owner") as client:
            answer = listed[0].ask(client, world, method)

        if all(row.expected["owner"] == 403 for row in listed):
            # Who may not come in is not told what there is to do.
            assert answer.status_code in (403, 405)
            continue
        assert answer.status_code == 405, f"{method} {listed[0].address} needs a row"
        assert set(answer.headers["Allow"].split(", ")) >= methods


@pytest.mark.parametrize("row", [row for row in ROWS if row.names_an_id], ids=str)
def test_what_is_foreign_and_what_does_not_exist_are_answered_alike(row: Row, world: dict[str, object]) -> None:
    nothing = {name: uuid4() for name in world}

    with signed_in("other") as client:
        foreign, missing = row.ask(client, world), row.ask(client, nothing)

    assert missing.status_code == foreign.status_code == 404
    assert _without_ids(foreign, world.values()) == _without_ids(missing, nothing.values())


@pytest.mark.parametrize("row", [row for row in ROWS if row.key != "-"], ids=str)
class TestKeys:
    def test_with_the_scope_a_key_of_the_owner_is_answered_as_the_owner(
        self, row: Row, world: dict[str, object]
    ) -> None:
        expected = 403 if row.key == "never" else row.expected["owner"]

        with with_key("owner", ApiKey.Scope if row.key == "never" else [row.key]) as headers:
            assert row.ask(_stranger(), world, **headers).status_code == expected

    def test_every_other_scope_is_refused_and_the_missing_one_named(self, row: Row, world: dict[str, object]) -> None:
        with with_key("owner", set(ApiKey.Scope) - {row.key}) as headers:
            refused = row.ask(_stranger(), world, **headers)

        assert refused.status_code == 403
        assert row.key in json.loads(refused.content)["detail"] or row.key == "never"

    def test_for_a_key_that_is_for_another_creator_there_is_nothing_here(
        self, row: Row, world: dict[str, object]
    ) -> None:
        elsewhere = Creator.objects.get(memberships__user__username="other")

        with signed_in("other") as client:
            foreign = row.ask(client, world)
        with with_key("both", ApiKey.Scope, elsewhere) as headers:
            limited = row.ask(_stranger(), world, **headers)

        assert limited.status_code == (403 if row.key == "never" else foreign.status_code)


@pytest.mark.parametrize("row", [row for row in ROWS if row.may_create and str(row) not in NOT_IDEMPOTENT], ids=str)
def test_what_creates_honours_an_idempotency_key(row: Row, world: dict[str, object]) -> None:
    with signed_in("owner") as client:
        first, second = (row.ask(client, world, headers={"Idempotency-Key": "once"}) for _copy in range(2))
        alien = row.ask(client, world, headers={"Idempotency-Key": 256 * "k"})

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert alien.status_code == 400


@pytest.mark.parametrize("row", [row for row in ROWS if row.may_create and str(row) not in NOT_IDEMPOTENT], ids=str)
def test_a_kept_reply_is_not_for_who_may_not_do_it_any_more(row: Row, world: dict[str, object]) -> None:
    """A key that is for another creator since; but what is one's own, no key is asked for."""
    if row.key == "never":
        return
    elsewhere = Creator.objects.get(memberships__user__username="other")

    with with_key("both", ApiKey.Scope, Creator.objects.get(public_id=str(world["creator"]))) as of_key:
        asking = {"headers": of_key["headers"] | {"Idempotency-Key": "once"}}
        done = row.ask(_stranger(), world, **asking)
        again = row.ask(_stranger(), world, **asking)
        ApiKey.objects.filter(name="Test").update(creator=elsewhere)
        limited = row.ask(_stranger(), world, **asking)

    assert (done.status_code, again.content) == (row.expected["owner"], done.content)
    assert (limited.status_code, "Idempotency-Replayed" in limited.headers) == (404, False)


def _without_ids(answer: HttpResponse, ids: Any) -> str:
    text = answer.content.decode()
    for name in (answer.headers["X-Request-ID"], *map(str, ids)):
        text = text.replace(name, "")
    return text
