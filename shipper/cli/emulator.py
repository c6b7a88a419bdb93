"""`shipper emulator`: the stand-in for CloudMonitor on this host, until a signal ends it."""

from __future__ import annotations

import ipaddress
import signal
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from shipper.cli.terminal import say
from shipper.cloudmonitor.emulator import (
    DEFAULT_KEY_ID,
    DEFAULT_KEY_SECRET,
    AccessKey,
    Emulator,
    Fault,
    Settings,
    Stats,
    parse_faults,
)
from shipper.config.kinds import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDED_BY = {signal.SIGINT: 130, signal.SIGTERM: 143}


_Parsed = TypeVar("_Parsed")


def _parsed_by(
    parse: Callable[[str], _Parsed],
) -> Callable[[click.Context, click.Parameter, str], _Parsed]:
    """Make an option's callback out of a function that says ValueError for what it cannot take."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: str) -> _Parsed:
        try:
            return parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, parameter) from None

    return callback


def _parse_address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 2**16):
        raise ValueError(f"'{text}' is not an address such as 127.0.0.1:8686 or [::1]:8686")
    return host, int(port)


@click.command(short_help="A stand-in for CloudMonitor on this host.")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=_parsed_by(_parse_address),
    default="127.0.0.1:8686",
    show_default=True,
    help="Address and port to listen on; port 0 takes any that is free.",
)
@click.option(
    "--access-key-id", metavar="ID", default=DEFAULT_KEY_ID, show_default=True, help="The only key that may upload."
)
@click.option(
    "--access-key-secret",
    metavar="SECRET",
    envvar="SHIPPER_EMULATOR_SECRET",
    show_envvar=True,
    help="The key's secret; typed here, other users of the host can see it in the list of processes. "
    f"[default: {DEFAULT_KEY_SECRET}]",
)
@click.option(
    "--access-key-secret-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Read the secret from this file instead.",
)
@click.option(
    "--store",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Append accepted events to this file, a JSON line for each.",
)
@click.option(
    "--qps",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Requests let through in any one second; 0 for no limit.",
)
@click.option(
    "--faults",
    metavar="KIND:PROBABILITY,...",
    callback=_parsed_by(parse_faults),
    default="",
    help=f"What goes wrong, and how often. Kinds: {', '.join(fault.value for fault in Fault)}.",
)
@click.option("--seed", type=int, metavar="N", help="Draw the same faults in the same order each time.")
@click.option(
    "--skew",
    metavar="DURATION",
    callback=_parsed_by(parse_duration),
    default="15m",
    show_default=True,
    help="How far a request's Date may be off.",
)
@click.option(
    "--slow",
    metavar="DURATION",
    callback=_parsed_by(parse_duration),
    default="4s",
    show_default=True,
    help="How late the fault 'slow' answers.",
)
@click.option(
    "--page-token-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The page asks for the token in this file; needed to listen beyond this host.",
)
@click.pass_context
def command(
    ctx: click.Context,
    listen: tuple[str, int],
    access_key_id: str,
    access_key_secret: str | None,
    access_key_secret_file: Path | None,
    store: Path | None,
    qps: int,
    faults: dict[Fault, float],
    seed: int | None,
    skew: float,
    slow: float,
    page_token_file: Path | None,
) -> int:
    """Stand in for CloudMonitor: verify, limit and store uploads as the service would.

    Signatures, headers, limits and answers are the service's; a page at / lists the events as they arrive. Ends at
    Ctrl-C or SIGTERM with a summary.

    \b
    Try your rules without an account:
      shipper emulator --store events.jsonl
    See how a client bears a bad day, the same one each time:
      shipper emulator --faults "500:0.1,throttle:0.05,acklost:0.05" --seed 7
    Take uploads as fast as they come:
      shipper emulator --qps 0
    """
    if access_key_secret_file is not None and _is_typed(ctx, "access_key_secret"):
        raise click.UsageError("give either --access-key-secret or --access-key-secret-file, not both", ctx)
    if not access_key_id or ":" in access_key_id or not access_key_id.isprintable():
        raise click.BadParameter("must not be empty and holds no colon", ctx, param_hint="--access-key-id")
    if access_key_secret_file is not None:
        access_key_secret = _read_secret(ctx, access_key_secret_file, "--access-key-secret-file")
    elif access_key_secret is not None and not access_key_secret.strip():
        raise click.BadParameter("the secret is empty", ctx, param_hint="--access-key-secret")
    page_token = _read_secret(ctx, page_token_file, "--page-token-file") if page_token_file is not None else None
    if page_token is None and not _is_loopback(listen[0]):
        raise click.UsageError(
            f"--listen {listen[0]} would show the events to the network: "
            "give --page-token-file FILE as well, or listen on 127.0.0.1",
            ctx,
        )
    secret = DEFAULT_KEY_SECRET if access_key_secret is None else access_key_secret.strip()
    settings = Settings(
        host=listen[0],
        port=listen[1],
        keys=(AccessKey(access_key_id, secret),),
        qps=qps,
        faults=faults,
        seed=seed,
        skew=skew,
        slow=slow,
        store=store,
        page_token=page_token,
    )
    # blocked before the first thread starts, so that every thread leaves these signals to sigwait
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDED_BY)
    try:
        emulator = Emulator(settings)
        with emulator:
            _introduce(emulator.url, settings, is_default=access_key_secret is None)
            ended_by = signal.sigwait(_ENDED_BY)
        _summarize(emulator.stats(), store)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return _ENDED_BY[signal.Signals(ended_by)]


def _is_typed(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _read_secret(ctx: click.Context, path: Path, option: str) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise click.BadParameter(f"cannot read {path}: {reason}", ctx, param_hint=option) from None
    if not text:
        raise click.BadParameter(f"{path} is empty", ctx, param_hint=option)
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _introduce(url: str, settings: Settings, *, is_default: bool) -> None:
    key = settings.keys[0]
    shown = key.secret if is_default else "the secret that you gave"
    token = "?token=the token in your file" if settings.page_token is not None else ""
    say(f"The CloudMonitor emulator listens on {url}", "bold")
    say(f"Events as they arrive: {url}/{token}")
    if settings.store is not None:
        say(f"Events are appended to {settings.store}")
    if settings.faults:
        chances = ", ".join(f"{fault.value} {chance:g}" for fault, chance in settings.faults.items())
        say(f"Injected faults: {chances}", "yellow")
    if is_default:
        say(f"No secret was given: the key is {key.id} with the secret {key.secret}, known to everyone", "yellow")
    say("To send events here, put this into shipper.toml:")
    say(f'  [cloudmonitor]\n  endpoint = "{url}"')
    say("and this into the environment of shipper:")
    say(f"  ALIBABA_CLOUD_ACCESS_KEY_ID={key.id}\n  ALIBABA_CLOUD_ACCESS_KEY_SECRET={shown}")
    say("Ctrl-C ends it.")


def _summarize(stats: Stats, store: Path | None) -> None:
    say(f"Requests: {stats.requests}, accepted: {stats.accepted}, events: {stats.events}")
    if stats.refused:
        codes = ", ".join(f"{code}: {amount}" for code, amount in sorted(stats.refused.items()))
        say(f"Refused by code: {codes}")
        say(f"  over the rate limit: {stats.throttled}, against the contract: {stats.violations}")
    if stats.faults:
        say("Injected faults: " + ", ".join(f"{kind}: {amount}" for kind, amount in sorted(stats.faults.items())))
    if store is not None:
        say(f"The events are in {store}")
