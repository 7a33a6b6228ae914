"""What nobody needs any more is forgotten. The dispatch loop asks now and then."""

from datetime import datetime

from crm.models import EarlyNews, Import, KeptReply, Session, SignInBucket, TokenFamily


def forget_expired(now: datetime) -> None:
    """Delete what was kept for a time that is over."""
    KeptReply.objects.expired(now).delete()
    TokenFamily.objects.expired(now).delete()
    Session.objects.expired(now).delete()
    SignInBucket.objects.expired(now).delete()
    EarlyNews.objects.expired(now).delete()
    for job in Import.objects.expired(now):
        job.forget()
