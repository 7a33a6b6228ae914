"""A stand-in for the platform, on the laptop and in tests: the documented contract of onlyfansapi.com.

It accepts messages for any account id, writes each into its ledger before it answers, refuses what comes too
fast, answers as fans do through signed webhooks, and misbehaves on demand. Run it with
``manage.py simulate_platform``.

The provider's side, below ``/api`` (OFAPI_BASE_URL points to it), with ``Authorization: Bearer <key>``:

    GET  /api/whoami
    POST /api/{account}/chats/{chat}/messages    {"text", "price" in USD, "mediaFiles"}
    GET  /api/{account}/chats/{chat}/messages    ?limit= &order=desc|asc &first_id= &last_id=
    GET  /api/{account}/chats                    ?limit= (ignored) &offset=
    GET  /api/{account}/fans/all|active|expired  ?limit= &offset=
    POST /api/{account}/media/upload             {"file_url"} (kept, never fetched)

OFAuth's side of the same accounts, below ``/v2/access`` (OFAUTH_BASE_URL points to the server itself), with the headers
``apiKey`` and ``x-connection-id: <account>``:

    POST /v2/access/chats/{chat}/messages        {"text", "price" in USD, "mediaItems"}
    GET  /v2/access/chats/{chat}/messages        ?limit= &first_id=
    GET  /v2/access/chats                        ?offset=
    GET  /v2/access/subscribers                  ?offset=

The ledger is one JSON line per accepted message, flushed before the answer goes out:

    {"time": "2026-01-31T09:00:00.123456+00:00", "account": "acct_1", "chat": "1",
     "text": "as a fan reads it", "price": 500, "media": ["ofapi_media_1"], "message_id": "1769850000000"}

The price is in cents. Beside it, ``<ledger's name>-memory.jsonl`` keeps what fans wrote and the media, so that
a restart forgets nothing.

Our own side, below ``/_simulator/``, from this machine only and without a key:

    GET    /_simulator/health
    GET    /_simulator/ledger        ?account=
    GET    /_simulator/faults        what is armed now
    POST   /_simulator/faults        {"kind": "drop", "times": 1, "account": "acct_1"} arms one
    DELETE /_simulator/faults        everything works again
    POST   /_simulator/settings      {"gap": 0, "reply_probability": 1, "reply_delay": [0, 0]}, also
                                     "retry_after" (bool), "media_once" (bool), "backoff" (seconds),
                                     "tell_sent" (bool), "lies_about_more" (bool)
    POST   /_simulator/webhooks      {"account": "acct_1", "url": "http://...", "secret": "..."} its events
    POST   /_simulator/fan-message   {"account": "acct_1", "chat": "42", "text": "hi"} a fan writes now;
                                     with "silent" no event tells of it
    POST   /_simulator/event         {"account": "acct_1", "event": "messages.sent", "payload": {...}}
    POST   /_simulator/fan           {"account": "acct_1", "chat": "42", "facts": {"username": "sam"}} is a fan
    POST   /_simulator/deed          {"account": "acct_1", "deed": "tip", "chat": "42", "cents": 500}

Deeds, each told by the events of the provider, or by those that ``tell`` names, in its order:

    unlock          "chat", "cents", "message_id" (without it the event has no link)
    tip             "chat", "cents"
    subscribe, renew, expire    "chat"
    delete          "message_id"
    send_elsewhere  "chat", "text", "cents" (0), "mass" (false): another tool writes to the fan
    connected, reconnected, disconnected, session_expired, authentication_failed, otp_code_required,
    face_otp_required           "payload" ({})

Faults; each for the next ``times`` requests (1; null: until cleared), for one ``account`` (null: for all),
and for sends unless ``on`` says "read", "upload" or "any":

    latency         wait ``seconds``, then go on as usual
    error_before    answer ``status`` (500); nothing is accepted
    error_after     accept, then answer ``status`` (500)
    throttle        answer 429; Retry-After is ``seconds``, absent without
    drop_before     close the connection without an answer; nothing is accepted
    drop            accept, then close the connection without an answer
    slow_body       accept, then answer one byte every ``seconds`` (1)
    session_lost    answer ``status`` (401) with the code SESSION_EXPIRED; ``on`` is "any" unless told
"""
