"""Every way the product says no, with the exit code the command line gives it.

    ShipperError                 1   the work failed
    ├── ConfigurationError       2   shipper.toml or a rule file is wrong: carries every problem found
    ├── CredentialsError         2   no credentials apply at all
    ├── StateError               2   the state directory cannot be used (unwritable, held by another agent)
    ├── StoreDamagedError        1   damage of the store came to light while it was in use
    ├── TransportError           1   no answer came from the service (DNS, TCP, TLS, time-out)
    └── RefusedError             1   the service answered and did not accept

A user's mistake is never a traceback: the command line prints `str(error)` and exits with `exit_code`.
Answers that the agent expects (throttled, refused, unavailable) are values, see `cloudmonitor.verdict`;
`TransportError` and `RefusedError` are what the Python API raises for the same answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file people write, said so that they can mend it.

    Attributes:
        file: the file's path as the user would type it.
        message: what is wrong, what was expected and what to do, as a sentence or two.
        line: line in the file, from 1; None when the file as a whole is meant.
        column: column in that line, from 1; None when not known.
        rule: id of the rule the problem is in, if any.
        warning: True when the file still works.
        path: of the key in the file that it is about; empty when that is not known.
        variable: the environment variable that is not set, where that is all that is wrong: elsewhere it may be.
    """

    file: str
    message: str
    line: int | None = None
    column: int | None = None
    rule: str | None = None
    warning: bool = False
    path: tuple[str | int, ...] = ()
    variable: str | None = None

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        kind = "warning: " if self.warning else ""
        rule = f"rule '{self.rule}': " if self.rule else ""
        return f"{place}: {kind}{rule}{self.message}"


def in_brief(problems: Sequence[Problem]) -> str:
    """Give the first of some problems that is no warning, and how many more there are."""
    errors = [problem for problem in problems if not problem.warning]
    return f"{errors[0]}" + (f" and {len(errors) - 1} more" if len(errors) > 1 else "")


class ShipperError(Exception):
    """The work failed; the message says what and what to do."""

    exit_code = 1


class ConfigurationError(ShipperError):
    """`shipper.toml` or rule files are wrong; `problems` holds every one that was found."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class CredentialsError(ShipperError):
    """No credentials apply at all, or those named cannot be read."""

    exit_code = 2


class StateError(ShipperError):
    """The state directory or the store in it cannot be used."""

    exit_code = 2


class StoreDamagedError(ShipperError):
    """Damage of the store came to light while it was in use: trying again is no use, opening it anew is."""


class TransportError(ShipperError):
    """No answer came from the service: DNS, TCP, TLS, proxy or time-out.

    Attributes:
        action: what to do, in a few words; empty where that is not known.
    """

    def __init__(self, message: str, action: str = "") -> None:
        """Say why none came."""
        super().__init__(message)
        self.action = action


class RefusedError(ShipperError):
    """The service answered and did not accept.

    Attributes:
        code: the service's code, for example `"403"`.
        message: the service's words.
        request_id: the service's id of the request, empty when it gave none.
        action: what to do about it; empty when nobody knows.
    """

    def __init__(self, code: str, message: str, request_id: str = "", action: str = "") -> None:
        self.code = code
        self.message = message
        self.request_id = request_id
        self.action = action
        suffix = f" (request {request_id})" if request_id else ""
        super().__init__(f"{code}: {message}{suffix}")
