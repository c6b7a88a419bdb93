"""Deterministic logs and rules to measure with: the same seed gives the same bytes on every machine."""

from __future__ import annotations

import random
from pathlib import Path

SEED = 20261123


def rules(count: int) -> str:
    """Give a rule file of `count` rules; rule N matches lines that carry the code E<N>."""
    return "\n".join(
        f"""[[rule]]
id = "code-{number}"
match = '(?:ERROR|FATAL) .*\\bE{number:04}\\b(?: (?<detail>\\w+))?'
event = "Code{number:04}"
content = "{{file}}: {{detail|none}}"
"""
        for number in range(count)
    )


def write_log(path: Path, megabytes: float, rule_count: int, hits: float) -> tuple[int, int]:
    """Write a mixed log; gives its lines and how many of them match exactly one of `rule_count` rules."""
    chance = random.Random(SEED)
    lines = matching = size = 0
    with path.open("wb") as file:
        while size < megabytes * 1_000_000:
            hit = chance.random() < hits
            text = _hit(chance, rule_count) if hit else _LINES[chance.randrange(len(_LINES))](chance)
            data = f"{_time(chance, lines)} {text}\n".encode()
            file.write(data)
            size += len(data)
            lines += 1
            matching += hit
    return lines, matching


def _time(chance: random.Random, number: int) -> str:
    second = number // 200
    return (
        f"2026-11-23T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.{chance.randrange(1000):03}+08:00"
    )


def _hit(chance: random.Random, rule_count: int) -> str:
    worker, order, code = chance.randrange(16), chance.randrange(10**9), chance.randrange(rule_count)
    return f"ERROR [worker-{worker}] order {order} failed with E{code:04} timeout"


def _nginx(chance: random.Random) -> str:
    path = "/".join(chance.choice(_WORDS) for _ in range(4))
    return (
        f'10.0.{chance.randrange(256)}.{chance.randrange(256)} - - "GET /{path}?id={chance.randrange(10**8)} HTTP/1.1" '
        f'200 {chance.randrange(90000)} "https://shop.example/{chance.choice(_WORDS)}" '
        '"Mozilla/5.0 (X11; Linux x86_64)"'
    )


def _java(chance: random.Random) -> str:
    return (
        f"INFO  [http-nio-8080-exec-{chance.randrange(200)}] com.example.{chance.choice(_WORDS)}.Service - "
        f"handled {chance.choice(_WORDS)} for user {chance.randrange(10**7)} in {chance.randrange(900)} ms"
    )


def _syslog(chance: random.Random) -> str:
    session = chance.randrange(10**6)
    return f"web{chance.randrange(9)} systemd[1]: Started Session {session} of user {chance.choice(_WORDS)}."


def _json(chance: random.Random) -> str:
    return (
        f'{{"level":"info","logger":"{chance.choice(_WORDS)}","message":"{chance.choice(_WORDS)} done",'
        f'"trace":"{chance.randrange(16**16):016x}","ms":{chance.randrange(5000)}}}'
    )


def _chinese(chance: random.Random) -> str:
    return (
        f"订单 {chance.randrange(10**9)} 已支付，金额 {chance.randrange(100000) / 100} 元，用户 {chance.choice(_WORDS)}"
    )


_WORDS = ("cart", "order", "payment", "stock", "login", "search", "profile", "invoice", "shipping", "refund")
_LINES = (_nginx, _nginx, _nginx, _java, _java, _java, _syslog, _json, _json, _chinese)
