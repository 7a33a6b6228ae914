"""The documented HTTP API of onlyfansapi.com."""

from datetime import datetime

from onlyfans.gateway.contract import Chat, Outcome, Parcel, Trouble, Uploaded


class OfapiGateway:
    """Speaks to onlyfansapi.com for one account."""

    def __init__(self, *, account_id: str, api_key: str) -> None:
        self.account_id = account_id
        self.api_key = api_key

    def send(self, parcel: Parcel) -> Outcome:
        raise NotImplementedError

    def upload(self, url: str) -> Uploaded | Trouble:
        raise NotImplementedError

    def read_chat(self, chat_id: str, *, since: datetime) -> Chat | Trouble:
        raise NotImplementedError

    def ping(self) -> Trouble | None:
        raise NotImplementedError
