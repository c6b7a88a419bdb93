"""`shipper dead-letters`: events that the service refused, and places that a rule could not judge (spec, section 2)."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click
import orjson

from shipper.agent.dead_letters import change
from shipper.agent.letter_facts import PLACE, event_of, letter_facts, place_facts
from shipper.backfill.dead_letters import change as change_of_backfills
from shipper.backfill.store import STORE as STORE_OF_BACKFILLS
from shipper.cli.config_option import config_option, read_for_state
from shipper.cli.terminal import data, one_line, say, say_error
from shipper.outbox.reader import StoreReader
from shipper.printable import printable, printable_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


_WIDTH = 100


backfill_option = click.option("--backfill", "of_backfills", is_flag=True, help="Those of backfills, not the agent's.")


@click.group("dead-letters", short_help="Events that the service refused: look, send again, drop.")
def command() -> None:
    """List, show, send again or drop events that the service refused, with its answer; also while the agent runs.

    With --kind match: places in logs that a rule did not judge in time. Their ids begin with m; only the place is
    kept, never the text.

    \b
    Examples:
      shipper dead-letters list
      shipper dead-letters show 12
      shipper dead-letters retry --all
      shipper dead-letters list --kind match
      shipper dead-letters list --backfill
    """


@command.command("list")
@config_option()
@backfill_option
@click.option(
    "--kind",
    type=click.Choice(["refused", "match", "all"]),
    default="all",
    show_default=True,
    help="Events that the service refused, or places that a rule did not judge.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line each, with everything.")
def list_letters(config_file: Path | None, kind: str, *, of_backfills: bool, as_json: bool) -> int:
    """List them, the oldest first."""
    found = False
    with closing(_reader(config_file, of_backfills=of_backfills)) as reader:
        for line in _lines(reader, kind, as_json=as_json):
            found = True
            data().out(line, highlight=False)
        forgotten = reader.unjudged_forgotten()
    if kind != "refused" and forgotten:
        say(f"{forgotten} older places are not kept any more", "yellow")
    if not found:
        say("there are none")
    return 0


@command.command("show")
@config_option()
@backfill_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("letter", metavar="ID")
def show_letter(letter: str, config_file: Path | None, *, of_backfills: bool, as_json: bool) -> int:
    """Show all of one: the event, and what the service said.

    \b
    Example:
      shipper dead-letters show 12
    """
    kind, number = _parsed(letter)
    with closing(_reader(config_file, of_backfills=of_backfills)) as reader:
        letters = [reader.dead_letter(number)] if kind == "refused" else []
        places = [each for each in reader.unjudged() if each.id == number] if kind == "match" else []
    facts = [letter_facts(each) for each in letters if each is not None] + [place_facts(each) for each in places]
    if not facts:
        say_error(f"there is no dead letter {letter}; `shipper dead-letters list` shows those that are")
        return 1
    if as_json:
        data().out(orjson.dumps(facts[0], option=orjson.OPT_INDENT_2).decode(), highlight=False)
        return 0
    width = max(map(len, facts[0]))
    for name, value in facts[0].items():
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        data().out(f"{name:<{width}}  {printable(text)}", highlight=False)
    return 0


@command.command("retry")
@config_option()
@backfill_option
@click.option("--all", "all_of_them", is_flag=True, help="All events that were refused.")
@click.argument("letters", metavar="[ID]...", nargs=-1)
def retry(letters: tuple[str, ...], config_file: Path | None, *, of_backfills: bool, all_of_them: bool) -> int:
    """Send refused events again: they wait behind all others, and a further refusal brings them back here.

    \b
    Examples:
      shipper dead-letters retry 12 13
      shipper dead-letters retry --all
    """
    if any(each.startswith(PLACE) for each in letters):
        raise click.UsageError(
            "a place holds no event to send; `shipper dead-letters show ID` says how it is judged again"
        )
    did = "sent again by the next backfill" if of_backfills else "sent again"
    return _change("retry", letters, config_file, did, of_backfills=of_backfills, all_of_them=all_of_them)


@command.command("drop")
@config_option()
@backfill_option
@click.option("--all", "all_of_them", is_flag=True, help="All events that were refused.")
@click.argument("letters", metavar="[ID]...", nargs=-1)
def drop(letters: tuple[str, ...], config_file: Path | None, *, of_backfills: bool, all_of_them: bool) -> int:
    """Drop refused events for good, counted as lost; or places, by their ids.

    \b
    Examples:
      shipper dead-letters drop 12 m3
    """
    return _change("drop", letters, config_file, "dropped", of_backfills=of_backfills, all_of_them=all_of_them)


def _parsed(shown: str) -> tuple[str, int]:
    """Give the kind and the number that an id stands for."""
    digits = shown.removeprefix(PLACE)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise click.UsageError(f"'{shown}' is no id; `shipper dead-letters list` shows them, as 12 or m12")
    return ("match" if shown.startswith(PLACE) else "refused"), int(digits)


def _change(
    deed: str, shown: Sequence[str], config_file: Path | None, did: str, *, of_backfills: bool, all_of_them: bool
) -> int:
    if all_of_them == bool(shown):
        raise click.UsageError("give ids, or --all")
    letters = {_parsed(each): each for each in shown}
    directory = read_for_state(config_file).config.state_path
    change_those = change_of_backfills if of_backfills else change
    done: set[tuple[str, int]] = set()
    for kind, name in (("refused", deed), ("match", "drop_places")):
        ids = [number for each, number in letters if each == kind]
        if ids or (all_of_them and kind == "refused"):
            done |= {(kind, number) for number in change_those(directory, name, None if all_of_them else ids)}
    say(f"{len(done)} dead letters are {did}")
    missing = [each for letter, each in letters.items() if letter not in done]
    for each in missing:
        say_error(f"there is no dead letter {each}")
    return 1 if missing else 0


def _reader(config_file: Path | None, *, of_backfills: bool) -> StoreReader:
    directory = read_for_state(config_file).config.state_path
    return StoreReader(directory, STORE_OF_BACKFILLS) if of_backfills else StoreReader(directory)


def _lines(reader: StoreReader, kind: str, *, as_json: bool) -> Iterator[str]:
    if kind != "match":
        for letter in reader.dead_letters():
            if as_json:
                yield orjson.dumps(letter_facts(letter)).decode()
            else:
                said = f"{letter.refusal.code} {one_line(letter.refusal.message, _WIDTH)}"
                yield printable(f"{letter.id:>6}  {letter.died_at}  {letter.rule}  {event_of(letter)['name']}  {said}")
    if kind != "refused":
        for noted in reader.unjudged():
            if as_json:
                yield orjson.dumps(place_facts(noted)).decode()
            else:
                place = noted.place
                where = f"{printable_path(place.path)} offset {place.offset}, {place.length} bytes"
                yield printable(f"{PLACE + str(noted.id):>6}  {noted.noted_at}  {place.rule}  {where}  {place.cause}")
