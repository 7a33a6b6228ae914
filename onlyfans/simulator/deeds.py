"""What happens at the platform besides fans who write: money, subscriptions, other tools, the account's session."""

from collections.abc import Callable, Mapping
from typing import Any

from onlyfans.simulator.fans import Fans
from onlyfans.simulator.wire import notification_json, sent_json, tip_json, transaction_json, unlocked_json

#: The events of an account, each with what its payload says besides.
ACCOUNT_EVENTS = (
    "connected",
    "reconnected",
    "disconnected",
    "session_expired",
    "authentication_failed",
    "otp_code_required",
    "face_otp_required",
)


class Deeds:
    """Does what a wish says, and tells of it as the provider does; the answer is what was told."""

    def __init__(self, fans: Fans) -> None:
        self.fans = fans
        self._deeds: Mapping[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]] = {
            "unlock": self._unlock,
            "tip": self._tip,
            "subscribe": self._subscribe,
            "renew": self._subscribe,
            "expire": self._subscribe,
            "delete": self._delete,
            "send_elsewhere": self._send_elsewhere,
            **dict.fromkeys(ACCOUNT_EVENTS, self._account),
        }

    def do(self, account: str, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises KeyError or ValueError for a wish that makes no sense."""
        return self._deeds[wish["deed"]](account, wish)

    def _unlock(self, account: str, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        chat, cents, message_id = str(wish["chat"]), int(wish["cents"]), str(wish.get("message_id", ""))
        unlocked = unlocked_json(account, chat, number=self._number(), message_id=message_id, cents=cents)
        paid = self._earn(account, chat, what="Payment for message", cents=cents)
        return self._tell(account, wish, {"messages.ppv.unlocked": unlocked, "transactions.new": paid})

    def _tip(self, account: str, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        chat, cents = str(wish["chat"]), int(wish["cents"])
        tip = tip_json(account, chat, number=self._number(), cents=cents)
        paid = self._earn(account, chat, what="Tip", cents=cents)
        return self._tell(account, wish, {"tips.received": tip, "transactions.new": paid})

    def _subscribe(self, account: str, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        chat, deed = str(wish["chat"]), wish["deed"]
        kind = {"subscribe": "new", "renew": "renewed", "expire": "expired"}[deed]
        payload = notification_json(account, chat, number=self._number(), replacePairs={"{PRICE}": "$9.99"})
        if deed == "expire":
            payload |= {"expiredAt": payload["createdAt"]}
        self.fans.ledger.know(
            account, chat, state="expired" if deed == "expire" else "active", since=payload["createdAt"]
        )
        return self._tell(account, wish, {f"subscriptions.{kind}": payload})

    def _delete(self, account: str, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        self.fans.ledger.delete(account, str(wish["message_id"]))
        return self._tell(account, wish, {"messages.deleted": {"id": int(wish["message_id"])}})

    def _send_elsewhere(self, account: str, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Another tool writes to the fan: the platform has it, and our own ledger of accepted messages has not."""
        entry = self.fans.ledger.hear(
            account=account,
            chat=str(wish["chat"]),
            text=str(wish["text"]),
            price=int(wish.get("cents", 0)),
            from_creator=True,
        )
        payload = sent_json(account, entry) | {"isFromQueue": bool(wish.get("mass", False))}
        return self._tell(account, wish, {"messages.sent": payload})

    def _account(self, account: str, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._tell(account, wish, {f"accounts.{wish['deed']}": dict(wish.get("payload") or {})})

    def _earn(self, account: str, chat: str, *, what: str, cents: int) -> Mapping[str, Any]:
        paid = transaction_json(chat, number=self._number(), what=what, cents=cents)
        self.fans.ledger.earn(account, paid)
        return paid

    def _number(self) -> int:
        return self.fans.ledger.next_id()

    def _tell(
        self, account: str, wish: Mapping[str, Any], events: Mapping[str, Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """All of them, or in the order and number of ``tell``: events may be missing, late or doubled."""
        for event in wish.get("tell", list(events)):
            self.fans.tell(account, event, events[event])
        return events
