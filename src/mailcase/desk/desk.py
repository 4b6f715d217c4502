"""Answers the shell's requests, through the daemon's socket or in the shell's own process: the same handlers, the same
JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from mailcase.clock import Clock
from mailcase.config.settings import Settings
from mailcase.core.case import ActorId, MailboxName, MailId, ProcessName, reference
from mailcase.desk import operations, views
from mailcase.desk.arguments import Arguments
from mailcase.desk.questions import QUESTIONS, Questions, acting_person, no_delivery, refuse_unknown
from mailcase.desk.status import LoginsNow
from mailcase.errors import CommandRefused
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.command import CommandHandler, Plan
from mailcase.handlers.notices import NoticeWriter
from mailcase.inbound.progress import Progress
from mailcase.inbound.protocol import Exit, Json, Request, Response
from mailcase.log import get_logger
from mailcase.store.port import Records
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
    """One method per operation; `_ANSWERS` at the foot shows all of them, `QUESTIONS` those that change nothing."""

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
        self._questions = Questions(settings, store, clock=clock, vitals=vitals, logins=logins)

    async def answer(self, request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        """Carries one request out.

        Raises:
            AppError: it cannot be done; the message says why and what can.
        """
        if request.operation in QUESTIONS:
            return await self._questions.answer(request)
        asked = Asked(request=request, arguments=Arguments(request), uid=uid, blobs=tuple(blobs))
        if request.operation in operations.PLANNERS:
            planner = operations.PLANNERS[request.operation]
            plan = planner(asked.arguments, ActorId(acting_person(request, self._settings)))
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
        return Response(data=await self._questions.case(case_id, asked.request))

    async def _new(self, asked: Asked) -> Response:
        person = acting_person(asked.request, self._settings)
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
        return Response(data=await self._questions.case(case_id, asked.request))

    async def _reply(self, asked: Asked) -> Response:
        to = asked.arguments.optional_text("to")
        plan = operations.reply(
            asked.arguments, acting_person(asked.request, self._settings), asked.blobs, self._writer
        )
        addresses = frozenset({to.strip().lower()} if to else ())
        return await self._change(asked, plan, addresses=addresses)

    # -- mail

    async def _mail_retry(self, asked: Asked) -> Response:
        person = acting_person(asked.request, self._settings)
        mail_id = MailId(asked.arguments.number("id"))
        if not await self._store.retry_mail(mail_id):
            raise CommandRefused(
                f"mail {mail_id} cannot be tried again: only parked and unhandled mails whose bytes are here can"
            )
        self._wakes.inbox.set()
        log.info("mail_retried", mail_id=mail_id, by=person, uid=asked.uid)
        return await self._questions.mail(asked.request)

    # -- outbox

    async def _outbox_retry(self, asked: Asked) -> Response:
        person = acting_person(asked.request, self._settings)
        named = await self._deliveries_named(asked.arguments)
        done = await self._store.retry_deliveries(named, now=self._clock.now())
        for delivery_id in done:
            log.info("delivery_retried", delivery_id=delivery_id, by=person, uid=asked.uid)
        return await self._deliveries_changed(
            asked, named, done, "was sent, is being sent or waits for its turn; it cannot be tried again"
        )

    async def _outbox_cancel(self, asked: Asked) -> Response:
        person = acting_person(asked.request, self._settings)
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
        refusals: list[str] = []
        for delivery_id in left if not asked.arguments.has("state") else ():
            is_there = await self._store.delivery(delivery_id) is not None
            refusals.append(f"delivery {delivery_id} {otherwise}" if is_there else no_delivery(delivery_id))
        if asked.arguments.has("id"):
            if refusals:
                raise CommandRefused(refusals[0])
            return await self._questions.delivery(asked.request)
        return Response(
            exit=Exit.REFUSED if refusals else Exit.DONE,
            data={"done": list[Json](sorted(done)), "left": list[Json](left)},
            error="\n".join(refusals) or None,
        )

    # -- mailboxes, store

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
        refuse_unknown("mailbox", name, self._settings.mailboxes)
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


_Method = Callable[[Desk, Asked], Awaitable[Response]]

#: Everything that can be asked beside `QUESTIONS` and `operations.PLANNERS`.
_ANSWERS: dict[str, _Method] = {
    "case.new": Desk._new,
    "case.reply": Desk._reply,
    "mail.retry": Desk._mail_retry,
    "outbox.retry": Desk._outbox_retry,
    "outbox.cancel": Desk._outbox_cancel,
    "mailbox.list": Desk._mailbox_list,
    "mailbox.check": Desk._mailbox_check,
    "store.migrate": Desk._store_migrate,
}
