"""What the simulated platform has accepted: an append-only file, and the chats that follow from it."""

import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message of a creator that the platform took, as the ledger keeps it. ``price`` in cents."""

    time: str
    account: str
    chat: str
    text: str
    price: int
    media: list[str]
    message_id: str


@dataclass(frozen=True, slots=True)
class ChatEntry:
    """One message of a chat, from the creator or from the fan."""

    message_id: str
    chat: str
    text: str
    price: int
    media_count: int
    created_at: datetime
    from_creator: bool
    name: str = ""
    username: str = ""


class Journal:
    """A file of JSON lines that only grows. The operating system has a line before ``append`` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file: TextIO = path.open("a", encoding="utf-8")
        if _is_torn(path):
            self._file.write("\n")

    def append(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                # Torn by a kill in mid-write: nobody was told that it was accepted.
                continue


#: How the id of an upload begins that is good for one message.
UPLOADED = "ofapi_media_"


class Ledger:
    """The platform's memory. Give it the same path again and it knows every chat it knew."""

    def __init__(self, path: Path) -> None:
        self._accepted = Journal(path)
        self._memory = Journal(path.with_name(f"{path.stem}-memory.jsonl"))
        self.accepted: list[Accepted] = []
        self.chats: dict[str, dict[str, list[ChatEntry]]] = defaultdict(lambda: defaultdict(list))
        self.media: dict[str, set[str]] = defaultdict(set)
        self.fans: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        #: As the account's list has them, oldest first.
        self.payments: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.last_accepted_at: dict[str, datetime] = {}
        self._load()
        # From the clock: ids stay new even when somebody deletes the ledger but keeps the CRM's database.
        first = max(self._highest_id(), time.time_ns() // 1_000_000) + 1
        self._ids = itertools.count(first)

    def accept(self, *, account: str, chat: str, text: str, price: int, media: list[str]) -> ChatEntry:
        """Take a message: it is in the file when this returns."""
        moment = datetime.now(UTC).isoformat(timespec="microseconds")
        accepted = Accepted(moment, account, chat, text, price, media, str(next(self._ids)))
        self._accepted.append(asdict(accepted))
        return self._remember_accepted(accepted)

    def hear(
        self,
        *,
        account: str,
        chat: str,
        text: str,
        name: str = "",
        username: str = "",
        price: int = 0,
        from_creator: bool = False,
        created_at: datetime | None = None,
    ) -> ChatEntry:
        """A fan wrote something, or another tool in the creator's name."""
        entry = ChatEntry(
            message_id=str(next(self._ids)),
            chat=chat,
            text=text,
            price=price,
            media_count=1 if price else 0,
            created_at=created_at or datetime.now(UTC),
            from_creator=from_creator,
            name=name,
            username=username,
        )
        heard = asdict(entry) | {"created_at": entry.created_at.isoformat(timespec="microseconds")}
        self._memory.append({"account": account, "fan_message": heard})
        self.chats[account][chat].append(entry)
        return entry

    def know(self, account: str, chat: str, **facts: Any) -> None:
        """Something about a fan, as the list of fans shows it."""
        self._memory.append({"account": account, "chat": chat, "facts": facts})
        self.fans[account].setdefault(chat, {}).update(facts)

    def earn(self, account: str, payment: Mapping[str, Any]) -> None:
        """Money came in, as the list of transactions shows it."""
        self._memory.append({"account": account, "payment": payment})
        self.payments[account].append(dict(payment))

    def delete(self, account: str, message_id: str) -> None:
        """A message disappears from its chat; what was accepted stays accepted."""
        self._memory.append({"account": account, "deleted": message_id})
        self._forget(account, message_id)

    def next_id(self) -> int:
        return next(self._ids)

    def take_media(self, *, account: str, file_url: str, to_vault: bool = False) -> str:
        """The vault's ids are numbers; those of a mere upload, good for one message, say so by their beginning."""
        media_id = f"{'' if to_vault else UPLOADED}{next(self._ids)}"
        self._memory.append({"account": account, "media_id": media_id, "file_url": file_url})
        self.media[account].add(media_id)
        return media_id

    def close(self) -> None:
        self._accepted.close()
        self._memory.close()

    def _remember_accepted(self, accepted: Accepted) -> ChatEntry:
        entry = ChatEntry(
            message_id=accepted.message_id,
            chat=accepted.chat,
            text=accepted.text,
            price=accepted.price,
            media_count=len(accepted.media),
            created_at=datetime.fromisoformat(accepted.time),
            from_creator=True,
        )
        self.accepted.append(accepted)
        self.chats[accepted.account][accepted.chat].append(entry)
        self.last_accepted_at[accepted.account] = entry.created_at
        return entry

    def _load(self) -> None:
        for record in self._accepted:
            self._remember_accepted(Accepted(**record))
        deleted = []
        for record in self._memory:
            account = record["account"]
            if "media_id" in record:
                self.media[account].add(record["media_id"])
            elif "facts" in record:
                self.fans[account].setdefault(record["chat"], {}).update(record["facts"])
            elif "payment" in record:
                self.payments[account].append(record["payment"])
            elif "deleted" in record:
                deleted.append((account, record["deleted"]))
            else:
                heard = record["fan_message"]
                entry = ChatEntry(**heard)
                entry = replace(entry, created_at=datetime.fromisoformat(heard["created_at"]))
                self.chats[account][entry.chat].append(entry)
        for chats in self.chats.values():
            for entries in chats.values():
                entries.sort(key=lambda entry: int(entry.message_id))
        for account, message_id in deleted:
            self._forget(account, message_id)

    def _forget(self, account: str, message_id: str) -> None:
        for entries in self.chats[account].values():
            entries[:] = [entry for entry in entries if entry.message_id != message_id]

    def _highest_id(self) -> int:
        entries = (entry for chats in self.chats.values() for chat in chats.values() for entry in chat)
        media = (media_id.rpartition("_")[2] for ids in self.media.values() for media_id in ids)
        return max(itertools.chain((int(entry.message_id) for entry in entries), map(int, media)), default=0)


def _is_torn(path: Path) -> bool:
    content = path.read_bytes()
    return bool(content) and not content.endswith(b"\n")
