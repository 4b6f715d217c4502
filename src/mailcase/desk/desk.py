"""Answers the shell's requests, through the daemon's socket or in the shell's own process: the same handlers, the same
JSON."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from mailcase.clock import Clock
from mailcase.config.settings import Settings
from mailcase.core.case import ActorId, CaseId, MailboxName, MailId, PersonId, ProcessName, Status, reference
from mailcase.desk import operations, status, views
from mailcase.desk.arguments import Arguments
from mailcase.desk.status import LoginsNow
from mailcase.errors import CommandRefused
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.command import CommandHandler, Plan
from mailcase.handlers.notices import NoticeWriter
from mailcase.inbound.progress import Progress
from mailcase.inbound.protocol import Exit, Json, Request, Response
from mailcase.log import get_logger
from mailcase.store.port import Records
from mailcase.store.rows.cases import CaseFilter
from mailcase.store.rows.inbox import MailFilter, Outcome
from mailcase.store.rows.outbox import DeliveryChoice, DeliveryId
from mailcase.vitals import Vitals
from mailcase.wakes import Wakes

log = get_logger()

#: Connects to one mailbox and says what works: rows of `mailbox check`.
MailboxCheck = Callable[[MailboxName], Awaitable[list[Json]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request with who sent it and the files that came with it."""

    request: Request
    arguments: Arguments
    #: User of the machine at the other end of the socket.
    uid: int | None
    blobs: tuple[bytes, ...]


class Desk:
    """One method per operation; `_ANSWERS` at the foot shows all of them."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Records,
        commands: CommandHandler,
        writer: NoticeWriter,
        book: AddressBook,
        progress: Progress,
        check_mailbox: MailboxCheck,
        clock: Clock,
        wakes: Wakes,
        vitals: Vitals,
        logins: LoginsNow,
    ) -> None:
        self._settings = settings
        self._store = store
        self._commands = commands
        self._writer = writer
        self._book = book
        self._progress = progress
        self._check_mailbox = check_mailbox
        self._clock = clock
        self._wakes = wakes
        self._vitals = vitals
        self._logins = logins

    async def answer(self, request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        """Carries one request out.

        Raises:
            AppError: it cannot be done; the message says why and what can.
        """
        asked = Asked(request=request, arguments=Arguments(request), uid=uid, blobs=tuple(blobs))
        if request.operation in operations.PLANNERS:
            planner = operations.PLANNERS[request.operation]
            plan = planner(asked.arguments, ActorId(self._person(request)))
            return await self._change(asked, plan)
        method = _ANSWERS.get(request.operation)
        if method is None:
            return Response(exit=Exit.USAGE, error=f"there is no operation {request.operation!r}")
        return await method(self, asked)

    # -- cases

    async def _change(self, asked: Asked, plan: Plan, *, addresses: frozenset[str] = frozenset()) -> Response:
        case_id = asked.arguments.case_id()
        await self._commands.run(case_id, plan, language=asked.request.language, addresses=addresses)
        log.info(
            "command_done",
            operation=asked.request.operation,
            case=reference(case_id),
            by=asked.request.as_,
            uid=asked.uid,
        )
        return Response(data=await self._case(case_id, asked.request))

    async def _new(self, asked: Asked) -> Response:
        person = self._person(asked.request)
        process = ProcessName(asked.arguments.text("process"))
        if process not in self._settings.processes:
            raise CommandRefused(f"there is no process {process!r}; there are: {', '.join(self._settings.processes)}")
        requester = asked.arguments.optional_text("requester")
        case_id = await self._commands.open(
            process,
            operations.opening(asked.arguments, person, self._book),
            then=operations.first_note(asked.arguments, person),
            language=asked.request.language,
            addresses=frozenset({requester.strip().lower()} if requester else ()),
        )
        log.info("command_done", operation=asked.request.operation, case=reference(case_id), by=person, uid=asked.uid)
        return Response(data=await self._case(case_id, asked.request))

    async def _reply(self, asked: Asked) -> Response:
        to = asked.arguments.optional_text("to")
        plan = operations.reply(asked.arguments, self._person(asked.request), asked.blobs, self._writer)
        addresses = frozenset({to.strip().lower()} if to else ())
        return await self._change(asked, plan, addresses=addresses)

    async def _case_show(self, asked: Asked) -> Response:
        return Response(data=await self._case(asked.arguments.case_id(), asked.request))

    async def _case_list(self, asked: Asked) -> Response:
        arguments = asked.arguments
        list_name = arguments.optional_text("list")
        # A list is that of whoever asks.
        person = self._person(asked.request) if list_name else None
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
            _refuse_unknown("queue", wanted.queue, self._settings.queues)
            _refuse_unknown("person", wanted.assignee, self._settings.people)
        more = 0
        if len(bundles) == wanted.limit:
            more = await self._store.count_cases(replace(wanted, after=bundles[-1].case.id))
        rows: list[Json] = [views.case_row(bundle, self._settings, asked.request.language) for bundle in bundles]
        return Response(data=rows, more=more)

    async def _case(self, case_id: CaseId, request: Request) -> Json:
        bundle = await self._store.bundle(case_id)
        if bundle is None:
            raise CommandRefused(f"there is no case {reference(case_id)}; `mailcase case list` shows those there are")
        return views.case_object(bundle, self._settings, request.language)

    # -- mail

    async def _mail_list(self, asked: Asked) -> Response:
        after, limit = asked.arguments.optional_number("after"), asked.arguments.limit()
        wanted = MailFilter(
            outcome=asked.arguments.one_of("outcome", Outcome),
            mailbox=asked.arguments.optional_text("mailbox"),
            since=asked.arguments.optional_moment("since"),
            after=MailId(after) if after else None,
        )
        mails = await self._store.list_mails(wanted, limit_count=limit)
        if not mails:
            _refuse_unknown("mailbox", wanted.mailbox, self._settings.mailboxes)
        more = await self._store.count_mails(replace(wanted, after=mails[-1].id)) if len(mails) == limit else 0
        return Response(data=[views.mail_row(mail) for mail in mails], more=more)

    async def _mail_show(self, asked: Asked) -> Response:
        mail_id = MailId(asked.arguments.number("id"))
        mail = await self._store.mail(mail_id)
        if mail is None:
            raise CommandRefused(f"there is no mail {mail_id}; `mailcase mail list` shows those there are")
        shown = views.mail_object(mail)
        if asked.arguments.flag("raw"):
            shown["raw"] = _base64(await self._store.raw(mail_id))
        return Response(data=shown)

    async def _mail_retry(self, asked: Asked) -> Response:
        person = self._person(asked.request)
        mail_id = MailId(asked.arguments.number("id"))
        if not await self._store.retry_mail(mail_id):
            raise CommandRefused(
                f"mail {mail_id} cannot be tried again: only parked and unhandled mails whose bytes are here can"
            )
        self._wakes.inbox.set()
        log.info("mail_retried", mail_id=mail_id, by=person, uid=asked.uid)
        return await self._mail_show(asked)

    async def _why(self, asked: Asked) -> Response:
        named = asked.arguments.text("mail").strip()
        if named.isascii() and named.isdigit():
            mail = await self._store.mail(MailId(int(named)))
        else:
            mail = await self._store.find_mail(named.strip("<>"))
        if mail is None:
            raise CommandRefused(f"there is no mail {named!r}; give its number or its Message-ID")
        return Response(data=views.mail_object(mail))

    # -- outbox

    async def _outbox_list(self, asked: Asked) -> Response:
        state, limit = asked.arguments.one_of("state", DeliveryChoice), asked.arguments.limit()
        after = asked.arguments.optional_number("after")
        rows = await self._store.list_deliveries(
            state=state, limit_count=limit, after=DeliveryId(after) if after else None
        )
        more = await self._store.count_deliveries(state=state, after=rows[-1].id) if len(rows) == limit else 0
        return Response(data=[views.delivery_row(row) for row in rows], more=more)

    async def _outbox_show(self, asked: Asked) -> Response:
        delivery_id = DeliveryId(asked.arguments.number("id"))
        row = await self._store.delivery(delivery_id)
        if row is None:
            raise CommandRefused(f"there is no delivery {delivery_id}; `mailcase outbox list` shows those there are")
        shown = views.delivery_row(row)
        if asked.arguments.flag("raw"):
            shown["raw"] = _base64(await self._store.outgoing_raw(row.outgoing_id))
        return Response(data=shown)

    async def _outbox_retry(self, asked: Asked) -> Response:
        person = self._person(asked.request)
        named = await self._deliveries_named(asked.arguments)
        done = await self._store.retry_deliveries(named, now=self._clock.now())
        for delivery_id in done:
            log.info("delivery_retried", delivery_id=delivery_id, by=person, uid=asked.uid)
        return await self._deliveries_changed(
            asked, named, done, "was sent, is being sent or waits for its turn; it cannot be tried again"
        )

    async def _outbox_cancel(self, asked: Asked) -> Response:
        person = self._person(asked.request)
        named = await self._deliveries_named(asked.arguments)
        done = await self._store.cancel_deliveries(named)
        for delivery_id in done:
            log.info("delivery_cancelled", delivery_id=delivery_id, by=person, uid=asked.uid)
        return await self._deliveries_changed(
            asked, named, done, "is not waiting to be sent; there is nothing to cancel"
        )

    async def _deliveries_named(self, arguments: Arguments) -> tuple[DeliveryId, ...]:
        """The one `id`, several `ids`, or all of a `state`."""
        choice = arguments.one_of("state", DeliveryChoice)
        if choice is not None:
            return await self._store.delivery_ids(choice)
        numbers = arguments.numbers("ids") if arguments.has("ids") else (arguments.number("id"),)
        return tuple(DeliveryId(number) for number in numbers)

    async def _deliveries_changed(
        self, asked: Asked, named: Sequence[DeliveryId], done: Collection[DeliveryId], otherwise: str
    ) -> Response:
        """What became of them; of one alone, where it stands now. One of a state that has changed meanwhile is no
        failure.
        """
        if done:
            self._wakes.outbox.set()
        left = [delivery_id for delivery_id in named if delivery_id not in done]
        refusals = "\n".join(f"delivery {delivery_id} {otherwise}" for delivery_id in left)
        if asked.arguments.has("id"):
            if left:
                raise CommandRefused(refusals)
            return await self._outbox_show(asked)
        has_failed = bool(left) and not asked.arguments.has("state")
        return Response(
            exit=Exit.REFUSED if has_failed else Exit.DONE,
            data={"done": list[Json](sorted(done)), "left": list[Json](left)},
            error=refusals if has_failed else None,
        )

    # -- mailboxes, store, all of it

    async def _status(self, asked: Asked) -> Response:
        return await status.status(
            self._store,
            self._settings,
            self._vitals,
            now=self._clock.now(),
            language=asked.request.language,
            logins=self._logins,
        )

    async def _mailbox_list(self, asked: Asked) -> Response:
        states = await self._store.mailbox_states()
        read_through = await self._progress.shown()
        return Response(
            data=[
                views.mailbox_row(name, mailbox, states.get(name), read_through.get(name))
                for name, mailbox in self._settings.mailboxes.items()
            ]
        )

    async def _mailbox_check(self, asked: Asked) -> Response:
        name = asked.arguments.optional_text("name")
        _refuse_unknown("mailbox", name, self._settings.mailboxes)
        names = [MailboxName(name)] if name else list(self._settings.mailboxes)
        rows: list[Json] = [row for each in names for row in await self._check_mailbox(each)]
        has_failed = any(isinstance(row, dict) and row.get("ok") is not True for row in rows)
        return Response(
            exit=Exit.REFUSED if has_failed else Exit.DONE,
            data=rows,
            error="a mailbox is not in order" if has_failed else None,
        )

    async def _store_migrate(self, asked: Asked) -> Response:
        """Whoever has the store open has migrated it; this says so."""
        return Response(data={"store": str(self._settings.store), "revision": self._store.revision})

    def _person(self, request: Request) -> PersonId:
        """In whose name it is done; whoever may reach the socket is trusted to say, and the log has the uid."""
        person = self._settings.people.get(PersonId(request.as_)) if request.as_ else None
        if person is None:
            raise CommandRefused(f"there is no person {request.as_!r}; there are: {', '.join(self._settings.people)}")
        if person.is_retired:
            raise CommandRefused(f"{person.id} is retired and cannot act")
        return person.id


def _refuse_unknown(noun: str, name: str | None, known: Iterable[str]) -> None:
    """A mistyped name must not look like "no work". One that is no longer configured is fine where it has something."""
    if name is not None and name not in (names := tuple(known)):
        raise CommandRefused(f"there is no {noun} {name!r}; there are: {', '.join(names) or 'none'}")


def _base64(raw: bytes | None) -> Json:
    return base64.b64encode(raw).decode("ascii") if raw is not None else None


_Method = Callable[[Desk, Asked], Awaitable[Response]]

#: Everything that can be asked beside `operations.PLANNERS`.
_ANSWERS: dict[str, _Method] = {
    "status": Desk._status,
    "case.new": Desk._new,
    "case.reply": Desk._reply,
    "case.show": Desk._case_show,
    "case.list": Desk._case_list,
    "mail.list": Desk._mail_list,
    "mail.show": Desk._mail_show,
    "mail.retry": Desk._mail_retry,
    "why": Desk._why,
    "outbox.list": Desk._outbox_list,
    "outbox.show": Desk._outbox_show,
    "outbox.retry": Desk._outbox_retry,
    "outbox.cancel": Desk._outbox_cancel,
    "mailbox.list": Desk._mailbox_list,
    "mailbox.check": Desk._mailbox_check,
    "store.migrate": Desk._store_migrate,
}
