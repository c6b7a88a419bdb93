"""Rule files: rules in their order, or every problem at its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.config.load import load_config
from shipper.config.model import SourceTable
from shipper.errors import ConfigurationError
from shipper.matching.rule_file import parse_pattern
from shipper.matching.rulebook import load_configured_rules, load_rules
from tests.matching.writing import errors, load, shown, warnings, write

APP = SourceTable(name="app", paths=("/var/log/app.log",), fields={"service": "checkout"})
WEB = SourceTable(name="web", paths=("/var/log/web.log",), fields={"team": "w"})
OK = """\
[[rule]]
id = "a"
match = 'error (?<what>\\w+)'
event = "E"
"""


def test_a_rule_has_its_defaults(tmp_path: Path) -> None:
    """What is left out is what the spec says (section 4)."""
    (rule,) = load(tmp_path, OK).rules

    assert rule.id == "a"
    assert rule.content.fill({"line": "L"}) == "L"
    assert rule.group_id is None
    assert not rule.final
    assert rule.time is None
    assert rule.timeout is None
    assert rule.applies_to("anything")
    assert rule.applies_to(None)


def test_an_empty_file_has_no_rules(tmp_path: Path) -> None:
    """A file that is there before its rules are is no mistake."""
    assert load(tmp_path, "# later\n").rules == ()


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("evnt = 'x'", "5:1: rule 'a': unknown key 'evnt' in [rule]; did you mean 'event'?"),
        ("zzzzzz = 1", "5:1: rule 'a': unknown key 'zzzzzz' in [rule]"),
        (
            "ignore = ['fine', '(']",
            "5:1: rule 'a': 'ignore' is not a valid pattern at column 2 of the pattern: missing ) in '('",
        ),
        ("ignore = 'text'", "5:1: rule 'a': 'ignore' must be an array of strings, not a string"),
        (
            "content = '{whta}'",
            (
                "5:1: rule 'a': 'content' uses {whta}, which is no capture of 'match', no built-in, "
                "no field of a source; did you mean 'what'?"
            ),
        ),
        (
            "content = '{hostnme} {service}'",
            (
                "5:1: rule 'a': 'content' uses {hostnme}, which is no capture of 'match', no built-in, "
                "no field of a source; did you mean 'hostname'?"
            ),
        ),
        (
            "content = '{0.__class__}'",
            (
                "5:1: rule 'a': 'content' uses {0.__class__}, which is no capture of 'match', no built-in, "
                "no field of a source"
            ),
        ),
        (
            "content = 'a } b'",
            "5:1: rule 'a': 'content' has a single '}' at column 3; write }} for a brace",
        ),
        (
            "content = 'a { b'",
            "5:1: rule 'a': 'content' has a single '{' at column 3; write {{ for a brace, or close it with '}'",
        ),
        ("content = '{}'", "5:1: rule 'a': 'content' has an empty {} at column 1; write the name of what goes there"),
        ("content = 5", "5:1: rule 'a': 'content' must be a string, not a number"),
        ("group_id = -1", "5:1: rule 'a': 'group_id' must not be negative"),
        ("group_id = 9223372036854775808", "5:1: rule 'a': 'group_id' must be below 2^63"),
        ("group_id = '9223372036854775808'", "5:1: rule 'a': 'group_id' must be below 2^63"),
        (
            "group_id = 'ops'",
            (
                "5:1: rule 'a': 'group_id' must be a whole number, or a template such as \"{group}\" that gives one, "
                "not 'ops'"
            ),
        ),
        ("group_id = '{'", None),
        ("group_id = true", None),
        ("group_id = 1.5", None),
        ("final = 'yes'", "5:1: rule 'a': 'final' must be true or false, not a string"),
        ("sources = 'app'", "5:1: rule 'a': 'sources' must be an array of strings, not a string"),
        ("match_timeout = '0s'", "5:1: rule 'a': 'match_timeout' must be longer than 0"),
        ("match_timeout = 5", None),
        ("threshold = { count = 2 }", "5:1: rule 'a': the key 'within' is missing"),
        ("throttle.max = 10", "5:1: rule 'a': the key 'per' is missing"),
        ("redact = 'x'", "5:1: rule 'a': 'redact' must be an array of tables: write [[rule.redact]]"),
        (
            "[rule.time]\nfield = 'waht'",
            "6:1: rule 'a': 'field' names the capture 'waht', which 'match' does not have; did you mean 'what'?",
        ),
        ("[rule.time]\nzone = 'Mars/Base'", None),
        ("[rule.time]\nformt = 'epoch'", "6:1: rule 'a': unknown key 'formt' in [rule.time]; did you mean 'format'?"),
        (
            "[rule.test]\nline = ''",
            "5:1: rule 'a': 'test' must be an array of tables: write [[rule.test]]",
        ),
        ("[[rule.test]]\nexpect = 'no match'", "5:1: rule 'a': the key 'line' is missing, or 'lines'"),
        ("[[rule.test]]\nline = ''", "5:1: rule 'a': the key 'expect' is missing"),
        (
            "[[rule.test]]\nline = ''\nexpect = 'nothing'",
            (
                "7:1: rule 'a': 'expect' must be \"no match\" or a table such as "
                '{ event = "DiskFull", content = "*full*" }'
            ),
        ),
        (
            "[[rule.test]]\nline = ''\nexpect = { evnt = 'x' }",
            "7:1: rule 'a': 'expect' holds the unknown key 'evnt'; did you mean 'event'?",
        ),
        ("[[rule.test]]\nline = ''\nexpect = { group_id = 1.5 }", None),
        (
            "[[rule.test]]\nline = ''\nexpect = { time = 2026-01-01T00:00:00 }",
            "7:1: rule 'a': 'expect' holds a 'time' without zone; write it with one, such as 2026-11-23T10:00:00Z",
        ),
        (
            "[[rule.test]]\nline = ''\nexpect = 'no match'\nnow = '2026-01-01'",
            "8:1: rule 'a': 'now' must be a time with a zone, such as 2026-01-01T00:00:00Z",
        ),
        ("[[rule.test]]\nline = ''\nexpect = 'no match'\nnow = 5", None),
    ],
)
def test_each_mistake_is_said_at_its_place(tmp_path: Path, key: str, said: str | None) -> None:
    """File, line, column, rule, and what was expected, for every kind of mistake a key can be (spec, section 2)."""
    (problem,) = errors(tmp_path, f"{OK}{key}\n", [APP])

    if said is None:
        name = key.rpartition("\n")[2].partition(" ")[0]
        assert problem.startswith("rules.toml:")
        assert f"rule 'a': '{name}' " in problem
    else:
        assert problem == f"rules.toml:{said}"


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a(b", "at column 4 of the pattern: missing ) in 'a(b'"),
        ("a[b", "at column 4 of the pattern: unterminated character set in 'a[b'"),
        ("*", "at column 1 of the pattern: nothing to repeat in '*'"),
        (r"\p{Foo}", "at column 8 of the pattern: unknown property in '\\\\p{Foo}'"),
        ("a{3,1}", "at column 3 of the pattern: min repeat greater than max repeat in 'a{3,1}'"),
        ("(?<a b>c)", "at column 7 of the pattern: bad character in group name in '(?<a b>c)'"),
    ],
)
def test_a_broken_pattern_is_said_in_the_words_of_its_engine(tmp_path: Path, pattern: str, said: str) -> None:
    """Where in the file, where in the pattern, and why."""
    found = errors(tmp_path, f"[[rule]]\nid = 'a'\nevent = 'E'\n  match = '{pattern}'\n")

    assert found == [f"rules.toml:4:3: rule 'a': 'match' is not a valid pattern {said}"]


@given(st.text("()[]{}?*+|\\<>P:=!a1,-^$&~x#i \u00e9", max_size=25))
def test_any_text_is_a_pattern_or_one_clear_error(text: str) -> None:
    """Whatever the engine raises at a pattern comes out as what is wrong with the key."""
    said = "is not a valid pattern"
    try:
        parse_pattern(text)
    except ValueError as error:
        said = str(error)
    assert said.startswith(("is not a valid pattern", "must not be empty"))


@pytest.mark.parametrize("pattern", ["(" * 5000 + "a" + ")" * 5000, "a{99999999999999999999}", "(?:" * 3000])
def test_a_monstrous_pattern_is_refused_as_any_other(pattern: str) -> None:
    """Too deep or too large is a mistake of the rule, not of the program."""
    with pytest.raises(ValueError, match="is not a valid pattern"):
        parse_pattern(pattern)


@pytest.mark.parametrize("key", ["id", "match", "event"])
def test_a_rule_needs_id_match_and_event(tmp_path: Path, key: str) -> None:
    """What is missing is named at the rule's header."""
    kept = "".join(line for line in OK.splitlines(keepends=True) if not line.startswith(f"{key} "))
    rule = "" if key == "id" else "rule 'a': "

    assert errors(tmp_path, f"\n{kept}") == [f"rules.toml:2:1: {rule}the key '{key}' is missing"]


@pytest.mark.parametrize("name", ["line", "path", "file", "hostname", "ip", "source", "rule", "time", "count", "id"])
def test_a_capture_cannot_be_called_like_a_built_in(tmp_path: Path, name: str) -> None:
    """Log content never replaces a built-in (spec, section 4 "Templates")."""
    assert errors(tmp_path, f"[[rule]]\nid = 'a'\nmatch = 'x(?<{name}>y)'\nevent = 'E'\n") == [
        f"rules.toml:3:1: rule 'a': the capture '{name}' has the name of a built-in of templates; give it another"
    ]


def test_all_problems_of_a_rule_are_told_at_once(tmp_path: Path) -> None:
    """A faulty key hides no other: neither one beside it nor one that is judged with the whole rule in view."""
    found = errors(
        tmp_path,
        """\
        [[rule]]
        id = "a"
        match = 'error (?<what>\\w+)'
        event = "{wat}"
        finl = true
        group_id = -1
        content = "}"
        throttle = {}
        sources = ["ap"]
          [rule.time]
          field = "when"
        """,
        [APP],
    )
    assert found == [
        (
            "rules.toml:4:1: rule 'a': 'event' uses {wat}, which is no capture of 'match', no built-in, "
            "no field of a source; did you mean 'what'?"
        ),
        "rules.toml:5:1: rule 'a': unknown key 'finl' in [rule]; did you mean 'final'?",
        "rules.toml:6:1: rule 'a': 'group_id' must not be negative",
        "rules.toml:7:1: rule 'a': 'content' has a single '}' at column 1; write }} for a brace",
        "rules.toml:8:1: rule 'a': the key 'max' is missing",
        "rules.toml:8:1: rule 'a': the key 'per' is missing",
        "rules.toml:9:1: warning: rule 'a': 'ap' in 'sources' fits no configured source; did you mean 'app'?",
        "rules.toml:11:3: rule 'a': 'field' names the capture 'when', which 'match' does not have",
    ]


def test_ids_are_unique_over_all_files(tmp_path: Path) -> None:
    """The second use is the problem, and it names the first; also when one of them has other faults."""
    first = write(tmp_path / "10.toml", OK)
    second = write(tmp_path / "20.toml", f"# two\n{OK}\n{OK}nonsense = 1\n")
    with pytest.raises(ConfigurationError) as caught:
        load_rules([first, second])
    said = "rule 'a': the id is already used at 10.toml:2; ids are unique over all files"

    assert shown(caught.value.problems, tmp_path) == [
        f"20.toml:3:1: {said}",
        f"20.toml:8:1: {said}",
        "20.toml:11:1: rule 'a': unknown key 'nonsense' in [rule]",
    ]


def test_a_syntax_error_in_one_file_hides_nothing_in_others(tmp_path: Path) -> None:
    """One problem for the file that is no TOML, and the others are still checked (spec, section 2)."""
    files = [
        write(tmp_path / "a.toml", "[[rule]]\nid = \n"),
        write(tmp_path / "b.toml", f"{OK}evnt = 1\n"),
        tmp_path / "c.toml",
        write(tmp_path / "d.toml", OK),
    ]
    (tmp_path / "e.toml").write_bytes(b"# ok\nid = '\xff'\n")
    with pytest.raises(ConfigurationError) as caught:
        load_rules([*files, tmp_path / "e.toml"])
    problems = shown(caught.value.problems, tmp_path)

    assert problems[0].startswith("a.toml:2:6: not valid TOML: ")
    assert problems[1] == "b.toml:5:1: rule 'a': unknown key 'evnt' in [rule]; did you mean 'event'?"
    assert problems[2] == "c.toml: does not exist"
    assert problems[-1] == "e.toml:2: is not UTF-8 text, as TOML must be"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[rule]\nid = 'a'\n", "rules.toml:1:1: rules are written as [[rule]], with two brackets"),
        ("rule = 5\n", "rules.toml:1:1: rules are written as [[rule]], with two brackets"),
        ("rule = [1]\n", "rules.toml:1:1: rules are written as [[rule]], with two brackets"),
        ("[[rules]]\nid = 'a'\n", "rules.toml:1:1: unknown key 'rules'; did you mean 'rule'?"),
        ("[[redact]]\nreplace = 'x'\n", "rules.toml:1:1: the key 'pattern' is missing"),
    ],
)
def test_mistakes_at_the_top_of_a_file(tmp_path: Path, text: str, said: str) -> None:
    """A wrong header is said, and keys of later versions are refused rather than without effect."""
    assert errors(tmp_path, text) == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            OK + "sources = ['app*', 'wbe']\n",
            "5:1: warning: rule 'a': 'wbe' in 'sources' fits no configured source; did you mean 'web'?",
        ),
        (
            "[[rule]]\nid = 'a'\nmatch = 'a*'\nevent = 'E'\n",
            (
                "3:1: warning: rule 'a': the pattern matches the empty text, so it probably matches every line; "
                "ask for something in it"
            ),
        ),
        (
            "[[rule]]\nid = 'a'\nmatch = 'e(?<why>: .*)?'\nevent = 'E'\ncontent = '{why}'\n",
            (
                "5:1: warning: rule 'a': 'content' uses {why}, which may take no part in a match and is empty then; "
                "give a default, such as {why|unknown}"
            ),
        ),
    ],
)
def test_what_works_but_deserves_a_look_is_a_warning(tmp_path: Path, text: str, said: str) -> None:
    """An unknown source, a pattern that matches anything, a capture that may be absent: said, and loaded."""
    assert warnings(tmp_path, text, [APP, WEB]) == [f"rules.toml:{said}"]


def test_a_rule_that_has_every_line_searched_is_told_with_its_price(tmp_path: Path) -> None:
    """No text is certain in what it finds, so no scan can help it."""
    (said,) = warnings(tmp_path, "[[rule]]\nid = 'a'\nmatch = '\\d{4}|x'\nevent = 'E'\n", [])

    assert re.fullmatch(
        r"rules\.toml:3:1: warning: rule 'a': no text is certain in what it finds, so every line is searched, "
        r"about [\d.e+]+ µs each; ask for a word in it",
        said,
    )


@pytest.mark.parametrize(
    "text",
    [
        "[[rule]]\nid = 'a'\nmatch = 'e(?<why>: .*)?'\nevent = 'E'\ncontent = '{why|no reason}{why|}'\n",
        OK + "content = '{service} {team}'\n",
        OK + "sources = ['app']\ncontent = '{service}'\n",
        OK + "content = '{1} {line} {count} {id} {ip}'\n",
        OK + "content = '{zone}'\n[[rule.test]]\nline = ''\nexpect = 'no match'\nfields = { zone = 'b' }\n",
        OK + "group_id = '27147'\n",
        OK + "group_id = '{service}'\n",
        OK + "ignore = []\nshadow = false\n",
    ],
)
def test_what_is_fine_is_not_talked_about(tmp_path: Path, text: str) -> None:
    """Defaults, fields of the rule's sources and tests, numbered groups and built-ins are known names."""
    assert warnings(tmp_path, text, [APP, WEB]) == []


def test_fields_of_sources_that_a_rule_does_not_judge_are_unknown(tmp_path: Path) -> None:
    """A field counts only where the rule's `sources` let it in."""
    (said,) = errors(tmp_path, OK + "sources = ['app']\ncontent = '{team}'\n", [APP, WEB])

    assert "uses {team}, which is no capture" in said


def test_without_a_configuration_the_fields_of_sources_are_not_known(tmp_path: Path) -> None:
    """An unknown name is an error that says how fields become known; those that a test names are."""
    test = "[[rule.test]]\nline = ''\nexpect = 'no match'\nfields = { service = 'x' }\n"
    (said,) = errors(tmp_path, OK + "content = '{team} {service}'\n" + test)

    assert said.startswith("rules.toml:5:1: rule 'a': 'content' uses {team}, ")
    assert said.endswith("; if it is a field of a source, name the configuration with -c")
    assert warnings(tmp_path, OK + "sources = ['nowhere']\n") == []


def test_order_is_file_path_then_position(tmp_path: Path) -> None:
    """Rules judge in the order of their files' paths, and of their places in each (spec, section 4 "Order")."""

    def two(first: str, second: str) -> str:
        return OK.replace('"a"', f'"{first}"') + OK.replace('"a"', f'"{second}"')

    write(tmp_path / "rules.d/20.toml", two("d", "c"))
    write(tmp_path / "rules.d/10.toml", two("b", "a"))
    write(tmp_path / "more/x.toml", two("z", "y"))
    config, _ = load_config(write(tmp_path / "shipper.toml", 'rules = ["rules.d/*.toml", "more/*.toml", "more/x*"]\n'))
    rulebook, problems = load_configured_rules(config)

    assert [rule.id for rule in rulebook.rules] == ["z", "y", "b", "a", "d", "c"]
    names = [Path(document.file) for document in rulebook.documents]
    assert names == [tmp_path / name for name in ("more/x.toml", "rules.d/10.toml", "rules.d/20.toml")]
    assert problems == ()


def test_rule_globs_are_relative_to_the_configuration(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to the working directory; a directory with brackets in its name is no glob, `**` goes to any depth."""
    home = tmp_path_factory.mktemp("conf") / "host[1]"
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write(home / "rules.d/deep/er/a.toml", OK)
    write(elsewhere / "b.toml", OK.replace('"a"', '"b"'))
    write(home / "shipper.toml", f'rules = ["rules.d/**/*.toml", "{elsewhere}/b.toml"]\n')
    monkeypatch.chdir(home)
    config, _ = load_config(Path("shipper.toml"))
    monkeypatch.chdir(elsewhere)
    rulebook, problems = load_configured_rules(config)

    assert {rule.id for rule in rulebook.rules} == {"a", "b"}
    assert problems == ()


def test_a_glob_that_finds_no_file_is_a_warning(tmp_path: Path) -> None:
    """An agent without rules runs, and says why nothing comes of it."""
    config, _ = load_config(write(tmp_path / "shipper.toml", ""))
    rulebook, problems = load_configured_rules(config)

    assert rulebook.rules == ()
    assert shown(problems, tmp_path) == [
        "shipper.toml: warning: 'rules': 'rules.d/*.toml' matches no file; no rule comes from it"
    ]


def test_a_configuration_s_sources_are_what_rules_may_name(tmp_path: Path) -> None:
    """`sources` and fields are checked against the configuration that the rules belong to."""
    write(tmp_path / "rules.d/a.toml", OK + "sources = ['app', 'other']\ncontent = '{service}'\n")
    text = "[[source]]\nname = 'app'\npaths = ['/l']\nfields = { service = 'x' }\n"
    config, _ = load_config(write(tmp_path / "shipper.toml", text))
    _, problems = load_configured_rules(config)

    assert shown(problems, tmp_path) == [
        "rules.d/a.toml:5:1: warning: rule 'a': 'other' in 'sources' fits no configured source"
    ]


def test_variables_are_not_expanded_in_rules(tmp_path: Path) -> None:
    """`${NAME}` is the configuration's, not the rules' (spec, section 3): a dollar is a pattern's."""
    (rule,) = load(tmp_path, "[[rule]]\nid = 'a'\nmatch = 'x$|\\$\\{HOME}'\nevent = 'E$$'\n").rules

    assert rule.match.search("${HOME}")
    assert rule.event.fill({}) == "E$$"


def test_tests_come_with_their_places(tmp_path: Path) -> None:
    """Each `[[rule.test]]` knows the file and line it stands at, for the report of its failure."""
    test = "[[rule.test]]\nline = 'x'\nexpect = 'no match'\n"
    book = load(tmp_path, f"{OK}{test}\n{test}")

    assert [(Path(case.file).name, case.line_number) for case in book.cases] == [("rules.toml", 5), ("rules.toml", 9)]
