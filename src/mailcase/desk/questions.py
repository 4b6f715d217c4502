"""What may be asked that changes nothing: answered from a store and its settings, by the desk of a daemon, and with no
daemon by the shell itself, which then pays for nothing else (`alone`).
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from mailcase.clock import Clock
from mailcase.config.settings import Settings
from mailcase.core.case import CaseId, MailId, PersonId, Status, reference
from mailcase.desk import status, views
from mailcase.desk.arguments import Arguments
from mailcase.desk.status import LoginsNow
from mailcase.errors import CommandRefused
from mailcase.inbound.protocol import Json, Request, Response
from mailcase.store.port import Records
from mailcase.store.rows.cases import CaseFilter
from mailcase.store.rows.inbox import MailFilter, Outcome
from mailcase.store.rows.outbox import DeliveryChoice, DeliveryId
from mailcase.vitals import Vitals


class Questions:
    """One method per question; `QUESTIONS` at the foot shows all of them."""

    def __init__(
        self, settings: Settings, store: Records, *, clock: Clock, vitals: Vitals, logins: LoginsNow | None
    ) -> None:
        """`vitals` and `logins` are what a daemon knows of itself; without one, empty and None."""
        self._settings = settings
        self._store = store
        self._clock = clock
        self._vitals = vitals
        self._logins = logins

    async def answer(self, request: Request) -> Response:
        """The answer to one of `QUESTIONS`.

        Raises:
            AppError: there is no answer; the message says why and what can be asked.
        """
        return await QUESTIONS[request.operation](self, request)

    # -- cases

    async def case(self, case_id: CaseId, request: Request) -> Json:
        """A case with its history. Raises CommandRefused when there is none of that number."""
        bundle = await self._store.bundle(case_id)
        if bundle is None:
            raise CommandRefused(f"there is no case {reference(case_id)}; `mailcase case list` shows those there are")
        return views.case_object(bundle, self._settings, request.language)

    async def _case_show(self, request: Request) -> Response:
        return Response(data=await self.case(Arguments(request).case_id(), request))

    async def _case_list(self, request: Request) -> Response:
        arguments = Arguments(request)
        list_name = arguments.optional_text("list")
        # A list is that of whoever asks.
        person = acting_person(request, self._settings) if list_name else None
        requester = arguments.optional_text("requester")
        wanted = CaseFilter(
            status=arguments.one_of("status", Status),
            queue=arguments.optional_text("queue"),
            assignee=arguments.optional_text("assignee"),
            requester=requester.strip().lower() if requester else None,
            list_name=list_name,
            list_of=person,
            list_queues=self._settings.people[person].queues if person else (),
            limit=arguments.limit(),
            after=arguments.case_id("after") if arguments.optional_text("after") else None,
        )
        bundles = await self._store.list_cases(wanted)
        if not bundles:
            refuse_unknown("queue", wanted.queue, self._settings.queues)
            refuse_unknown("person", wanted.assignee, self._settings.people)
        more = 0
        if len(bundles) == wanted.limit:
            more = await self._store.count_cases(replace(wanted, after=bundles[-1].case.id))
        rows: list[Json] = [views.case_row(bundle, self._settings, request.language) for bundle in bundles]
        return Response(data=rows, more=more)

    # -- mail that came in

    async def mail(self, request: Request) -> Response:
        """A mail by its number, with its bytes when they are asked for."""
        arguments = Arguments(request)
        mail_id = MailId(arguments.number("id"))
        mail = await self._store.mail(mail_id)
        if mail is None:
            raise CommandRefused(f"there is no mail {mail_id}; `mailcase mail list` shows those there are")
        shown = views.mail_object(mail)
        if arguments.flag("raw"):
            shown["raw"] = _base64(await self._store.raw(mail_id))
        return Response(data=shown)

    async def _mail_list(self, request: Request) -> Response:
        arguments = Arguments(request)
        after, limit = arguments.optional_number("after"), arguments.limit()
        wanted = MailFilter(
            outcome=arguments.one_of("outcome", Outcome),
            mailbox=arguments.optional_text("mailbox"),
            since=arguments.optional_moment("since"),
            after=MailId(after) if after else None,
        )
        mails = await self._store.list_mails(wanted, limit_count=limit)
        if not mails:
            refuse_unknown("mailbox", wanted.mailbox, self._settings.mailboxes)
        more = await self._store.count_mails(replace(wanted, after=mails[-1].id)) if len(mails) == limit else 0
        return Response(data=[views.mail_row(mail) for mail in mails], more=more)

    async def _why(self, request: Request) -> Response:
        named = Arguments(request).text("mail").strip()
        if named.isascii() and named.isdigit():
            mail = await self._store.mail(MailId(int(named)))
        else:
            mail = await self._store.find_mail(named.strip("<>"))
        if mail is None:
            raise CommandRefused(f"there is no mail {named!r}; give its number or its Message-ID")
        return Response(data=views.mail_object(mail))

    # -- mail that goes out

    async def delivery(self, request: Request) -> Response:
        """A delivery by its number, with the bytes of the mail when they are asked for."""
        arguments = Arguments(request)
        delivery_id = DeliveryId(arguments.number("id"))
        row = await self._store.delivery(delivery_id)
        if row is None:
            raise CommandRefused(no_delivery(delivery_id))
        shown = views.delivery_row(row)
        if arguments.flag("raw"):
            shown["raw"] = _base64(await self._store.outgoing_raw(row.outgoing_id))
        return Response(data=shown)

    async def _outbox_list(self, request: Request) -> Response:
        arguments = Arguments(request)
        state, limit = arguments.one_of("state", DeliveryChoice), arguments.limit()
        after = arguments.optional_number("after")
        rows = await self._store.list_deliveries(
            state=state, limit_count=limit, after=DeliveryId(after) if after else None
        )
        more = await self._store.count_deliveries(state=state, after=rows[-1].id) if len(rows) == limit else 0
        return Response(data=[views.delivery_row(row) for row in rows], more=more)

    # -- all of it

    async def _status(self, request: Request) -> Response:
        return await status.status(
            self._store,
            self._settings,
            self._vitals,
            now=self._clock.now(),
            language=request.language,
            logins=self._logins,
        )


#: Every question.
QUESTIONS: dict[str, Callable[[Questions, Request], Awaitable[Response]]] = {
    "status": Questions._status,
    "case.show": Questions._case_show,
    "case.list": Questions._case_list,
    "mail.list": Questions._mail_list,
    "mail.show": Questions.mail,
    "why": Questions._why,
    "outbox.list": Questions._outbox_list,
    "outbox.show": Questions.delivery,
}


def acting_person(request: Request, settings: Settings) -> PersonId:
    """In whose name it is done; whoever may reach the socket is trusted to say, and the log has the uid.

    Raises:
        CommandRefused: nobody is named, or somebody who cannot act.
    """
    person = settings.people.get(PersonId(request.as_)) if request.as_ else None
    if person is None:
        raise CommandRefused(f"there is no person {request.as_!r}; there are: {', '.join(settings.people)}")
    if person.is_retired:
        raise CommandRefused(f"{person.id} is retired and cannot act")
    return person.id


def refuse_unknown(noun: str, name: str | None, known: Iterable[str]) -> None:
    """A mistyped name must not look like "no work". One that is no longer configured is fine where it has something."""
    if name is not None and name not in (names := tuple(known)):
        raise CommandRefused(f"there is no {noun} {name!r}; there are: {', '.join(names) or 'none'}")


def no_delivery(delivery_id: DeliveryId) -> str:
    """The words for a number that no delivery has."""
    return f"there is no delivery {delivery_id}; `mailcase outbox list` shows those there are"


def _base64(raw: bytes | None) -> Json:
    return base64.b64encode(raw).decode("ascii") if raw is not None else None
