"""Write the tables of docs/bench.md from the results, each between its marks. No number is typed by hand.

<!-- bench: fan-out -->
…
<!-- end -->
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.measure import exponent
from bench.servers import DATABASES
from tests.support.serving import ROOT

PAGE = ROOT / "docs/bench.md"
BLOCK = re.compile(r"(<!-- bench: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

NAMES = {
    "before": "before",
    "parley": "Parley",
    "signed in": "Parley, signed in",
    "floor": "floor",
    "nchan": "nchan",
    "literal": "literal",
}
Results = Mapping[str, Any]


def write(results: Path, page: Path = PAGE) -> None:
    """Update the page between its marks. A scenario without results keeps its old table."""

    def updated(block: re.Match[str]) -> str:
        scenario, table = TABLES[block["name"]]
        path = results / f"{scenario}.json"
        return f"{block[1]}{table(json.loads(path.read_text()))}\n{block[3]}" if path.exists() else block[0]

    page.write_text(BLOCK.sub(updated, page.read_text()))


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def number(value: float) -> str:
    """Three significant digits; from 100 on, a whole number with commas."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def machine(found: Results) -> str:
    of = found["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in of["packages"].items())
    nginx = f"nginx {of['nginx']}" if of["nginx"] else "no nginx"
    return (
        f"{of['date']}: {of['processor']}, {of['cores']} cores, {of['memory_gib']} GiB, {of['system']},"
        f" Python {of['python']}; {packages}; {nginx}; {of['files']:,} open files a process."
        f" Load average at the start: {of['load']:.1f}. Medians of {found['rounds']} rounds."
    )


def fan_out(found: Results) -> str:
    head = ["sessions / topics", "", "µs CPU a delivery", "with the write", "p50 ms", "p99 ms", "KiB a session",
            "client µs", "client's core"]  # fmt: skip
    rows = []
    for size in found["sizes"]:
        label = f"{size['sessions']:,} / {size['topics']:,}"
        for name, of in size["contestants"].items():
            rows.append([
                label, NAMES[name], number(of["cpu_us"]), number(of["cpu_with_write_us"]), number(of["last_p50_ms"]),
                number(of["last_p99_ms"]), number(of["memory_kib"]), number(of["client_us"]),
                f"{of['client_share']:.0%}",
            ])  # fmt: skip
            label = ""
    missing = "" if found["nchan"] else "\n\nnchan was not installed here (Debian: `nginx libnginx-mod-nchan`)."
    return table(head, rows) + missing


def targets(found: Results) -> str:
    """Ratios of Parley, and of the older checkout if there was one, to the others."""
    sizes = {(size["sessions"], size["topics"]): size["contestants"] for size in found["sizes"]}
    most = max(sessions for sessions, _ in sizes)
    measured = [name for name in ("before", "parley") if name in sizes[most, 1]]
    rows = []

    def add(label: str, size: tuple[int, int], figure: Callable[[Results, Results], float], target: str = "") -> None:
        """`figure` computes it from the figures of Parley and from those of all contestants."""
        try:
            values = [number(figure(sizes[size][name], sizes[size])) for name in measured]
        except KeyError:  # this size or this contestant did not take part
            return
        rows.append([label, *values, target])

    add(
        f"CPU a delivery, {most:,} sessions: Parley / nchan",
        (most, 1),
        lambda own, all: own["cpu_us"] / all["nchan"]["cpu_us"],
        "≤ 1.3",
    )
    add("… above the floor, µs", (most, 1), lambda own, all: own["cpu_us"] - all["floor"]["cpu_us"])
    add(
        "CPU a delivery, 200 sessions: literal / Parley",
        (200, 1),
        lambda own, all: all["literal"]["cpu_us"] / own["cpu_us"],
        "≥ 40",
    )
    add("… with the write", (200, 1), lambda own, all: all["literal"]["cpu_with_write_us"] / own["cpu_with_write_us"])
    add("read-back of a change for one session, ms of CPU", (1_000, 1_000), lambda own, _: own["cpu_us"] / 1e3, "≤ 1")
    add(f"KiB a session, {most:,} guests", (most, 1), lambda own, _: own["memory_kib"], "≤ 15")
    return table(["", *("before" if name == "before" else "here" for name in measured), "target"], rows)


def storm(found: Results) -> str:
    head = ["database, sessions", "", "reads", "statements", "all caught up after s", "µs CPU a frame",
            "additional MiB", "control before the storm: p50, p99 ms", "during: p50, p99 ms"]  # fmt: skip
    rows = [
        [
            f"{DATABASES[of['database']]}, {of['sessions']:,}", of["checkout"],
            f"{of['reads']:,}", f"{of['statements']:,}",
            number(of["level_s"]),
            number(of["cpu_us_a_frame"]), number(of["memory_kib"] * of["sessions"] / 1024),
            f"{number(of['calm']['p50_ms'])}, {number(of['calm']['p99_ms'])}",
            f"{number(of['storm']['p50_ms'])}, {number(of['storm']['p99_ms'])}",
        ]
        for of in found["sizes"]
    ]  # fmt: skip
    grown = []
    for kind, name in DATABASES.items():
        here = [of for of in found["sizes"] if (of["database"], of["checkout"]) == (kind, "here")]
        reads = {of["sessions"]: of["reads"] for of in here}
        if len(reads) > 1:
            grown.append(f"{exponent(list(reads), list(reads.values())):.2f} ({name})")
    powers = " and ".join(grown)
    note = f"\n\nReads grow with the sessions to the power of {powers}." if grown else ""
    return table(head, rows) + note


def openings(found: Results) -> str:
    head = ["database, attack", "opened", "statements each", "KiB each", "honest reader before: p50, worst ms",
            "during the attack: p50, p99, worst ms"]  # fmt: skip
    rows = [
        [
            f"{DATABASES[of['database']]}, {'held open' if of['held'] else 'closed at once'}", f"{of['opened']:,}",
            number(of["statements_an_opening"]), number(of["kib_an_opening"]) if of["held"] else "",
            f"{number(of['calm']['p50_ms'])}, {number(of['calm']['worst_ms'])}",
            ", ".join(number(of["attack"][of_all]) for of_all in ("p50_ms", "p99_ms", "worst_ms")),
        ]
        for of in found["ways"]
    ]  # fmt: skip
    return table(head, rows)


def slow_texts(found: Results) -> str:
    head = [
        "database",
        "comments: first read, later ones, ms",
        "page: first read, later ones, ms",
        "`/healthz` meanwhile: p50, worst ms",
    ]
    rows = []
    for of in found["databases"]:
        times = (f"{number(of['paths'][name]['first_ms'])}, {number(of['paths'][name]['then_ms'])}"
                 for name in ("api", "page"))  # fmt: skip
        health = ", ".join(number(of["healthz"][of_all]) for of_all in ("p50_ms", "worst_ms"))
        rows.append([DATABASES[of["database"]], *times, health])
    return table(head, rows)


PAGE_ROWS = [
    ("requests, first visit, including the service worker's", "≤ 12", ["first_requests"]),
    ("… repeat visit", "≤ 3", ["repeat_requests"]),
    ("KB on the wire: first visit, repeat visit", "", ["first_kb", "repeat_kb"]),
    ("KB compressed: scripts and styles of a page after posting a comment", "≤ 70", ["files_kb"]),
    ("… files", "", ["files"]),
    (
        "host page, thread below the fold: KB, requests before the reader scrolls there",
        "≤ 4, ≤ 2",
        ["host_kb", "host_requests"],
    ),
    ("seconds until live, 3G: first visit, repeat visit", "≤ 2.5, ≤ 1.2", ["first_live_s", "repeat_live_s"]),
    ("ms CPU of the server, first view by a guest", "≤ 15", ["cpu_ms"]),
]


def page(found: Results) -> str:
    checkouts = found["checkouts"]
    rows = [
        [label, *(", ".join(f"{of[key]:.3g}" for key in keys) for of in checkouts.values()), target]
        for label, target, keys in PAGE_ROWS
    ]
    return table(["", *checkouts, "target"], rows)


def journey(found: Results) -> str:
    head = ["ms, median", *(DATABASES[of["database"]] for of in found["databases"]), "target"]
    rows = [
        [act, *(number(of["median_ms"][act]) for of in found["databases"]), "≤ 100"]
        for act in found["databases"][0]["median_ms"]
    ]
    load = number(found["machine"]["load"])
    return table(head, [*rows, ["load average before", *[load] * len(found["databases"]), "0"]])


def writes(found: Results) -> str:
    head = ["", "", "per second", "of the bare rows", "p50 ms", "p99 ms", "CPU ms", "GET p50, p99 ms"]
    rows = []
    for way in found["ways"]:
        for request, contestants in way["requests"].items():
            label = f"{DATABASES[way['database']]}, {_topics(way['topics'])}: {request}"
            bare = way["requests"][request.partition(",")[0]]["rows"]["per_second"]
            for name, of in contestants.items():
                gets = [number(of[key]) for key in ("get_waits_p50_ms", "get_waits_p99_ms") if key in of]
                rows.append([
                    label, NAMES.get(name, name), number(of["per_second"]), f"{of['per_second'] / bare:.0%}",
                    number(of["waits_p50_ms"]), number(of["waits_p99_ms"]),
                    number(of["cpu_ms"]) if "cpu_ms" in of else "", ", ".join(gets),
                ])  # fmt: skip
                label = ""
    return table(head, rows)


def sign_out(found: Results) -> str:
    head = [
        f"ms until {found['streams']} streams have ended",
        *(DATABASES[kind] for kind in found["databases"]),
        "target",
    ]
    names = next(iter(found["databases"].values()))
    rows = [[name, *(number(of[name]) for of in found["databases"].values()), "≤ 200"] for name in names]
    return table(head, rows)


def followers(found: Results) -> str:
    """Ratios, because the machine may be busy with other work."""
    head = ["with followers : without", *(DATABASES[of["database"]] for of in found["databases"])]
    rows = [
        [f"a comment: {words}",
         *(number(of["posts"]["followers"][key] / of["posts"]["without"][key]) for of in found["databases"])]
        for key, words in (("cpu_ms", "CPU"), ("p50_ms", "latency, p50"), ("p99_ms", "latency, p99"))
    ]  # fmt: skip
    rows += [
        [
            f"a link to a new password: {words}",
            *(number(of["busy"][key] / of["idle"][key]) for of in found["databases"]),
        ]
        for key, words in (("p50_ms", "p50"), ("worst_ms", "worst"))
    ]
    per_comment = (of["wake_cpu_s"] * 1e3 / of["posts"]["without"]["cpu_ms"] for of in found["databases"])
    rows.append(["waking all followers: CPU, in comments", *(number(each) for each in per_comment)])
    return table(head, rows)


def edge(found: Results) -> str:
    head = [
        "guests", "requests for a change", "Parley, ms CPU", "nginx, µs CPU a guest", "client, µs CPU a guest",
        "p50 ms", "p99 ms", "streams: Parley, ms CPU", "p99 ms",
    ]  # fmt: skip
    rows = [
        [f"{one['readers']:,}",
         *(number(one["edge"][key]) for key in ("requests", "parley_ms", "nginx_us", "client_us", "p50_ms", "p99_ms")),
         *(number(one["streams"][key]) for key in ("parley_ms", "p99_ms"))]
        for one in found["sizes"]
    ]  # fmt: skip
    return table(head, rows)


def _topics(count: int) -> str:
    return "one topic" if count == 1 else f"{count:,} topics"


def growth(found: Results) -> str:
    rows = []
    for kind, by_what in found["comments"].items():
        for what, costs in by_what.items():
            rows.append(_growing(f"{what.replace('_', '-')}, {DATABASES[kind]}: comments in the topic", costs))
        rows.append(_growing(f"one stream, {DATABASES[kind]}: changes behind", found["behind"][kind]))
    rows.append(_growing("an idle second with one sweep: topics watched", found["topics"]))
    by_workers = {count: of["cpu_ms"] for count, of in found["workers"].items()}
    rows.append(_growing("a POST, PostgreSQL: workers, all with streams", by_workers))
    rates = ", ".join(f"{count}: {of['per_second']:.0f}" for count, of in found["workers"].items())
    grown = table(["ms of CPU, against", "costs", "exponent"], rows)
    return f"{grown}\n\nComments per second by the number of workers, on {found['machine']['cores']} cores: {rates}."


def _growing(name: str, costs: Mapping[str, float]) -> list[str]:
    points = ", ".join(f"{int(size):,}: {number(cost)}" for size, cost in costs.items())
    return [name, points, f"{exponent([int(size) for size in costs], list(costs.values())):.2f}"]


def sessions(found: Results) -> str:
    """The cost of a broadcast on one topic, by the number of sessions."""
    rows = []
    for name, shown in NAMES.items():
        of = {
            str(size["sessions"]): size["contestants"][name]["cpu_us"] * size["sessions"] / 1e3
            for size in found["sizes"]
            if size["topics"] == 1 and name in size["contestants"]
        }
        if len(of) > 1:
            rows.append(_growing(shown, of))
    return table(["ms of CPU a broadcast, by sessions", "costs", "exponent"], rows)


def clusters(found: Results) -> str:
    head = ["sessions, hints", "sessions of the fullest process", "topics of a process", "reads/s", "reads a write",
            "topics swept/s", "hints/s received by a process", "of them useful"]  # fmt: skip
    rows = [
        [
            of["name"], f"{of['sessions_most']:,}", number(of["open_topics"]), number(of["reads"]),
            number(of["reads_a_write"]), number(of["swept_topics"]), number(of["heard_a_process"]),
            f"{of['meant_percent']:.0f} %",
        ]
        for of in found["many"]["clusters"]
    ]  # fmt: skip
    return table(head, rows)


def hot(found: Results) -> str:
    grown = found["growth"]
    reads = [number(rate) for rate in grown["reads"]]
    return table(["processes", *grown["processes"], "exponent"], [["reads/s", *reads, f"{grown['exponent']:.2f}"]])


def paper(found: Results) -> str:
    constants, paper = found["constants"], found["paper"]
    many, hot = found["many"], found["hot"]
    each = found["sessions"] / found["processes"]
    rows = [
        ["memory of all streams", f"{number(paper['memory_gib'])} GiB", f"{number(constants['session_kib'])} KiB each"],
        [f"one process, {each:,.0f} streams", f"{number(paper['memory_gib_a_process'])} GiB", ""],
        ["deliveries a second of one full core", number(paper["deliveries_a_second_a_core"]),
         f"{number(constants['delivery_us'])} µs each"],
        [f"comments a second on one topic with all sessions, {found['processes']} cores at half load",
         number(paper["hot_most_writes_a_second"]), ""],
        [f"cores at half load for {hot['writes_a_second']} comments a second on that topic",
         f"{paper['hot_processes_at_load']:,}", ""],
        [f"cores at half load for {many['writes_a_second']} POSTs a second", number(paper["posting_cores"]),
         f"{number(constants['post_ms'])} ms each"],
        ["share of a core for hints, one channel", f"{number(paper['hints_percent_one_channel'])} %",
         f"{number(constants['hint_us'])} µs each"],
        ["… one channel for each group", f"{number(paper['hints_percent_sharded'])} %", ""],
        ["hints a second that take half of every core", number(paper["hints_fill_a_core_at"]), "one channel"],
        ["maximum commits a second on one topic", number(paper["hot_topic_most_commits"]), "the counter's row lock"],
    ]  # fmt: skip
    return table(["", "", "from"], rows)


TABLES: Mapping[str, tuple[str, Callable[[Results], str]]] = {
    "machine": ("fan-out", machine),
    "targets": ("fan-out", targets),
    "fan-out": ("fan-out", fan_out),
    "sessions": ("fan-out", sessions),
    "storm": ("storm", storm),
    "openings": ("openings", openings),
    "slow-texts": ("slow-texts", slow_texts),
    "page": ("page", page),
    "journey": ("journey", journey),
    "writes": ("writes", writes),
    "sign-out": ("sign-out", sign_out),
    "followers": ("followers", followers),
    "edge": ("edge", edge),
    "growth": ("growth", growth),
    "clusters": ("million", clusters),
    "hot": ("million", hot),
    "paper": ("million", paper),
}
