"""Where programs of common packages log, and which rule packs speak of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """One program, or several of a kind.

    Attributes:
        source: what the source is called that reads its logs.
        logs: globs of where packages have it log.
        programs: names of its processes; a log that one of them writes elsewhere is its log, too.
        packs: rule packs for its logs.
        form: the format of its logs, if it is always the same.
    """

    source: str
    logs: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    packs: tuple[str, ...] = ()
    form: str = "plain"


SYSTEM = "system"
AUTH = "auth"

KNOWN = (
    Known(
        SYSTEM,
        ("/var/log/syslog", "/var/log/messages", "/var/log/kern.log", "/var/log/daemon.log"),
        packs=("linux-kernel",),
    ),
    Known(AUTH, ("/var/log/auth.log", "/var/log/secure")),
    Known("packages", ("/var/log/dpkg.log",), packs=("dpkg",)),
    Known("packages", ("/var/log/dnf.log",)),
    Known("nginx", ("/var/log/nginx/*.log",), ("nginx",), ("nginx",)),
    # nginx.toml judges access logs of both
    Known("apache", ("/var/log/apache2/*.log", "/var/log/httpd/*log"), ("apache2", "httpd"), ("apache", "nginx")),
    Known("postgresql", ("/var/log/postgresql/*.log",), ("postgres",), ("postgresql",)),
    Known("mysql", ("/var/log/mysql/*.log", "/var/log/mariadb/*.log"), ("mariadbd", "mysqld"), ("mariadb",)),
    Known("redis", ("/var/log/redis/*.log",), ("redis-server", "valkey-server"), ("redis",)),
    Known("haproxy", ("/var/log/haproxy.log",), ("haproxy",), ("haproxy",)),
    Known("mail", ("/var/log/mail.log", "/var/log/maillog"), packs=("postfix",)),
    Known("cron", ("/var/log/cron.log", "/var/log/cron"), packs=("cron",)),
    Known("tomcat", ("/var/log/tomcat*/*.log", "/var/log/tomcat*/catalina.out"), packs=("tomcat", "java")),
    Known("pods", ("/var/log/pods/*/*/*.log",), form="cri"),
    Known("docker", ("/var/lib/docker/containers/*/*-json.log",), form="docker"),
)
"""In the order in which sources are written."""


def known_writer(names: tuple[str, ...]) -> Known | None:
    """Give the program that a process of one of these names is."""
    return next((known for known in KNOWN if not set(names).isdisjoint(known.programs)), None)
