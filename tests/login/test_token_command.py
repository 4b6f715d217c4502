"""The operator's program: run without a shell, with a time limit and little to say, and gone afterwards with its
children.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from tests.login.asked import NO_PAUSE, START
from tests.servers.eventually import eventually

from mailcase.clock import SteppedClock
from mailcase.config.settings import TokenCommand
from mailcase.entropy import SeededEntropy
from mailcase.login.errors import LoginImpossible, TokenUnavailable
from mailcase.login.token_command import TokenProgram
from mailcase.login.tokens import Tokens


def tokens_of(
    program: str, *arguments: str, clock: SteppedClock | None = None, timeout: timedelta = timedelta(seconds=20)
) -> Tokens:
    """What a Python program with that text gives."""
    clock = clock or SteppedClock(START)
    command = TokenCommand(command=(sys.executable, "-c", program, *arguments))
    return Tokens(
        TokenProgram(command, clock=clock),
        name="the token_command",
        secret_files=(),
        clock=clock,
        entropy=SeededEntropy(1),
        timeout=timeout,
        pace=NO_PAUSE,
    )


async def test_a_token_alone_is_asked_for_each_time(tmp_path: Path) -> None:
    """The program keeps it, if it wants to."""
    runs = tmp_path / "runs"
    program = f"open({str(runs)!r}, 'a').write('x'); print('SECRET-access')"
    tokens = tokens_of(program)

    assert (await tokens.get()).value == "SECRET-access"
    assert (await tokens.get()).value == "SECRET-access"
    assert runs.read_text() == "xx"


async def test_a_token_with_its_end_is_kept(tmp_path: Path) -> None:
    clock = SteppedClock(START)
    said = '{"access_token": "SECRET-access", "expires_in": 3600}'
    program = f"import sys; open({str(tmp_path / 'runs')!r}, 'a').write('x'); sys.stdout.write('''{said}''')"
    tokens = tokens_of(program, clock=clock)
    await tokens.get()
    clock.step(timedelta(minutes=50))

    assert (await tokens.get()).expires_at == START + timedelta(hours=1)
    assert (tmp_path / "runs").read_text() == "x"


async def test_no_shell_reads_the_arguments() -> None:
    tokens = tokens_of("import sys; print(len(sys.argv[1]))", "$(exit);`x` *")

    assert (await tokens.get()).value == "13"


@pytest.mark.parametrize(
    ("program", "kind", "words"),
    [
        ("import sys; sys.exit('no consent')", LoginImpossible, "ended with 1: no consent; run it by hand"),
        ("import sys; sys.exit(3)", LoginImpossible, "ended with 3: it said nothing on standard error"),
        ("import sys; sys.stderr.write('offline'); sys.exit(75)", TokenUnavailable, "has no token now: offline"),
        ("import os; os.kill(os.getpid(), 9)", LoginImpossible, "ended with -9"),
        ("import sys; sys.exit('bad ' + 'SECRET' * 9)", LoginImpossible, "bad ***"),
        ("pass", LoginImpossible, "gives no access token that could be used; let it print"),
        ("print('two words')", LoginImpossible, "gives no access token that could be used; let it print"),
        ("print('{')", LoginImpossible, "gives no access token that could be used; let it print"),
        ("print('{\"error\": 1}')", LoginImpossible, "gives no access token that could be used; let it print"),
        ("while True: print('x' * 1000)", LoginImpossible, "prints more than a token"),
        ("import os\nwhile True: os.write(1, b'x' * 10**6)", LoginImpossible, "prints more than a token"),
        ("import sys; sys.stderr.write('x ' * 10**6); sys.exit(1)", LoginImpossible, "ended with 1: x x x"),
    ],
)
async def test_a_program_that_gives_no_token_says_who_must_act(program: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as failed:
        await tokens_of(program).get()

    assert words in str(failed.value)
    assert "SECRET" not in str(failed.value)


async def test_a_program_that_is_not_there_is_named() -> None:
    clock = SteppedClock(START)
    program = TokenProgram(TokenCommand(command=("/no/such/program",)), clock=clock)

    with pytest.raises(LoginImpossible, match="/no/such/program cannot be run: No such file"):
        await program.obtain()


async def test_one_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """The child has the pipe open and ignores that its parent is gone; only the process group reaches it."""
    pids = tmp_path / "pids"
    program = f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
with open({str(pids)!r}, 'a') as file:
    file.write(f'{{os.getpid()}}\\n')
signal.pause()
"""
    with pytest.raises(TokenUnavailable, match="within 2 seconds"):
        await tokens_of(program, timeout=timedelta(seconds=2)).get()

    numbers = [int(line) for line in pids.read_text().split()]
    assert len(numbers) == 2

    async def are_gone() -> bool:
        return not any(_lives(number) for number in numbers)

    await eventually(are_gone, "the end of both")


async def test_a_child_that_stays_behind_is_ended_when_the_program_has_its_token(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = f"""
import os, signal
ready, tell = os.pipe()
if os.fork():
    os.read(ready, 1)
    print('SECRET-access', flush=True)
else:
    os.close(1); os.close(2)
    with open({str(pids)!r}, 'w') as file:
        file.write(str(os.getpid()))
    os.write(tell, b'x')
    signal.pause()
"""
    token = await tokens_of(program).get()

    async def is_gone() -> bool:
        return not _lives(int(pids.read_text()))

    assert token.value == "SECRET-access"
    await eventually(is_gone, "the end of the child")


async def test_it_has_no_standard_input() -> None:
    async with asyncio.timeout(20):
        token = await tokens_of("import sys; print('at-' + repr(sys.stdin.read()))").get()

    assert token.value == "at-''"


def _lives(number: int) -> bool:
    """Whether the process runs; a zombie that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_process_that_runs_is_seen_to() -> None:
    assert _lives(os.getpid())
