"""The names that every pattern may use as `%{NAME}`: the usual ones of grok, written anew for the `regex` module.

The names and what they stand for are those that people know from other log shippers; the patterns are our own, so no
licence comes with them. They are ASCII where machines write, and none can go back over the same text in more than one
way, as a pattern for lines that somebody else chose must not.
"""

from __future__ import annotations

LIBRARY = {
    # words and numbers
    "USERNAME": r"[a-zA-Z0-9._-]++",
    "USER": r"%{USERNAME}",
    "EMAILLOCALPART": r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}+",
    "EMAILADDRESS": r"%{EMAILLOCALPART}@%{HOSTNAME}",
    "INT": r"[+-]?[0-9]++",
    "BASE10NUM": r"(?<![0-9.+-])[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)",
    "NUMBER": r"%{BASE10NUM}",
    "BASE16NUM": r"(?<![0-9A-Fa-f])[+-]?(?:0x)?[0-9A-Fa-f]++",
    "POSINT": r"\b[1-9][0-9]*+\b",
    "NONNEGINT": r"\b[0-9]++\b",
    "WORD": r"\b\w++\b",
    "NOTSPACE": r"\S++",
    "SPACE": r"\s*+",
    "DATA": r".*?",
    "GREEDYDATA": r".*",
    "QUOTEDSTRING": r"""(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|`(?:[^`\\]|\\.)*+`)""",
    "QS": r"%{QUOTEDSTRING}",
    "UUID": r"[A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12}",
    # networks
    "CISCOMAC": r"(?:[A-Fa-f0-9]{4}\.){2}[A-Fa-f0-9]{4}",
    "WINDOWSMAC": r"(?:[A-Fa-f0-9]{2}-){5}[A-Fa-f0-9]{2}",
    "COMMONMAC": r"(?:[A-Fa-f0-9]{2}:){5}[A-Fa-f0-9]{2}",
    "MAC": r"(?:%{CISCOMAC}|%{WINDOWSMAC}|%{COMMONMAC})",
    "IPV4": (
        r"(?<![0-9.])(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}"
        r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?![0-9])"
    ),
    "IPV6": (
        r"(?<![0-9A-Fa-f:])(?:(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}"
        r"|(?=[0-9A-Fa-f:.]*::)(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?::"
        r"(?:(?:[0-9A-Fa-f]{1,4}:){0,6}(?:%{IPV4}|[0-9A-Fa-f]{1,4}))?)(?:%[0-9A-Za-z]++)?(?![0-9A-Fa-f:])"
    ),
    "IP": r"(?:%{IPV6}|%{IPV4})",
    "HOSTNAME": r"\b[0-9A-Za-z][0-9A-Za-z-]{0,62}+(?:\.[0-9A-Za-z][0-9A-Za-z-]{0,62}+)*+\.?",
    "IPORHOST": r"(?:%{IP}|%{HOSTNAME})",
    "HOSTPORT": r"%{IPORHOST}:%{POSINT}",
    # paths
    "UNIXPATH": r"(?:/[^/\s:,;\"']*+)++",
    "WINPATH": r"(?:[A-Za-z]:|\\)(?:\\[^\\?*\s]*+)++",
    "PATH": r"(?:%{UNIXPATH}|%{WINPATH})",
    "TTY": r"/dev/(?:pts/|tty)[0-9A-Za-z]*+",
    "URIPROTO": r"[A-Za-z][A-Za-z0-9+.-]*+",
    "URIHOST": r"%{IPORHOST}(?::%{POSINT})?",
    "URIPATH": r"(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*+)++",
    "URIQUERY": r"[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\[\]<>-]*+",
    "URIPARAM": r"\?%{URIQUERY}",
    "URIPATHPARAM": r"%{URIPATH}(?:%{URIPARAM})?",
    "URI": r"%{URIPROTO}://(?:%{USER}(?::[^@\s]*+)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?",
    # times
    "MONTH": (
        r"\b(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|[Mm]ay|[Jj]une?|[Jj]uly?|[Aa]ug(?:ust)?"
        r"|[Ss]ep(?:tember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|[Dd]ec(?:ember)?)\b"
    ),
    "MONTHNUM": r"(?:0?[1-9]|1[0-2])(?![0-9])",
    "MONTHDAY": r"(?:0[1-9]|[12][0-9]|3[01]|[1-9])(?![0-9])",
    "DAY": (r"\b(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)\b"),
    "YEAR": r"[0-9]{4}(?![0-9])",
    "HOUR": r"(?:2[0-3]|[01]?[0-9])(?![0-9])",
    "MINUTE": r"[0-5][0-9](?![0-9])",
    "SECOND": r"(?:[0-5]?[0-9]|60)(?:[:.,][0-9]++)?",
    "TIME": r"(?<![0-9])%{HOUR}:%{MINUTE}(?::%{SECOND})(?![0-9])",
    "DATE_US": r"%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}",
    "DATE_EU": r"%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}",
    "ISO8601_TIMEZONE": r"(?:Z|[+-]%{HOUR}(?::?%{MINUTE})?)",
    "TIMESTAMP_ISO8601": r"%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?",
    "DATE": r"(?:%{DATE_US}|%{DATE_EU})",
    "DATESTAMP": r"%{DATE}[- ]%{TIME}",
    "TZ": r"[A-Z]{3,4}",
    "HTTPDATE": r"%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}",
    "SYSLOGTIMESTAMP": r"%{MONTH} {1,2}%{MONTHDAY} %{TIME}",
    # programs
    "PROG": r"[\x21-\x5a\x5c\x5e-\x7e]++",
    "SYSLOGPROG": r"%{PROG}(?:\[%{POSINT}\])?",
    "SYSLOGHOST": r"%{IPORHOST}",
    "SYSLOGFACILITY": r"<%{NONNEGINT}\.%{NONNEGINT}>",
    "SYSLOGBASE": r"%{SYSLOGTIMESTAMP} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST} %{SYSLOGPROG}:",
    "LOGLEVEL": (
        r"\b(?:[Tt]race|TRACE|[Dd]ebug|DEBUG|[Nn]otice|NOTICE|[Ii]nfo(?:rmation)?|INFO(?:RMATION)?|[Ww]arn(?:ing)?"
        r"|WARN(?:ING)?|[Ee]rr(?:or)?|ERR(?:OR)?|[Cc]rit(?:ical)?|CRIT(?:ICAL)?|[Ff]atal|FATAL|[Ss]evere|SEVERE"
        r"|[Ee]merg(?:ency)?|EMERG(?:ENCY)?|[Aa]lert|ALERT|[Pp]anic|PANIC)\b"
    ),
    "HTTPDUSER": r"(?:%{EMAILADDRESS}|%{USER})",
    "COMMONAPACHELOG": (
        r"%{IPORHOST} %{HTTPDUSER} %{HTTPDUSER} \[%{HTTPDATE}\] "
        r'"(?:%{WORD} %{NOTSPACE}(?: HTTP/%{NUMBER})?|[^"]*+)" (?:-|%{INT}) (?:-|%{INT})'
    ),
    "COMBINEDAPACHELOG": r"%{COMMONAPACHELOG} %{QS} %{QS}",
    "JAVACLASS": r"(?:[a-zA-Z$_][a-zA-Z$_0-9]*+\.)*[a-zA-Z$_][a-zA-Z$_0-9]*+",
    "JAVAFILE": r"[a-zA-Z$_0-9. -]++",
    "JAVAMETHOD": r"(?:<(?:cl)?init>|[a-zA-Z$_][a-zA-Z$_0-9]*+)",
    "JAVASTACKTRACEPART": r"\s*+at %{JAVACLASS}\.%{JAVAMETHOD}\(%{JAVAFILE}(?::%{INT})?\)",
}
