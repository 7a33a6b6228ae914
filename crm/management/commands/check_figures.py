"""Are the kept days what their rows come to?"""

from typing import Any

from django.core.management.base import CommandParser

from crm import counting
from crm.management.operating import Answer, OperatorCommand, creator_named, moment, table
from crm.models import Creator, Day


class Command(OperatorCommand):
    help = "Count the days that are kept for the pages anew, and say which are not what their rows come to."
    examples = ("", "--creator @avalaurent --json", "--forget")
    fails_when = "a day differed"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--creator", help="Id, handle or name: only this creator's.")
        parser.add_argument(
            "--forget", action="store_true", help="Forget those that differ: dispatch keeps them anew within a minute."
        )

    def answer(self, *, creator: str | None, forget: bool, **options: Any) -> Answer:
        progress = self.progress(options)
        creators = [creator_named(creator)] if creator else list(Creator.objects.order_by("pk"))
        kept, found = 0, []
        for number, each in enumerate(creators, start=1):
            kept += each.days.count()
            found += counting.differences(each)
            progress.say(f"{number} of {len(creators)} creators, {kept} days, {len(found)} differ.")
        if forget:
            Day.objects.filter(pk__in=[day.pk for day in found]).delete()
        facts = [{"creator": day.creator.name, "begins": day.begins, "ends": day.ends} for day in found]
        rows = [(day.creator.name, moment(day.begins), moment(day.ends)) for day in found]
        lines = table(("creator", "begins (UTC)", "ends (UTC)"), rows) if rows else ["Every day is what its rows say."]
        return Answer({"days": kept, "differ": facts, "forgotten": forget}, lines, is_well=not found)
