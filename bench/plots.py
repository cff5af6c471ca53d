"""The plots of docs/bench.md: SVG with a transparent background, in colours for light and dark pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.report import NAMES
from bench.servers import DATABASES
from tests.support.serving import ROOT

PLACE = ROOT / "docs/bench"
INK = "#808890"
COLOURS = {"parley": "#1f9d8a", "nchan": "#d9822b", "floor": "#7a86d8", "literal": "#d0567b", "before": "#9a8c3c"}
SERIES = ("#1f9d8a", "#d9822b", "#7a86d8", "#d0567b", "#9a8c3c", "#5aa0c8")


def draw(results: Path, place: Path = PLACE) -> None:
    """Draw the plots of all scenarios that have results. Needs matplotlib, from the `bench` extra."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({
        "svg.hashsalt": "parley", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11,
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
        "axes.titlecolor": INK, "axes.spines.top": False, "axes.spines.right": False,
    })  # fmt: skip
    place.mkdir(parents=True, exist_ok=True)
    for name, plot in PLOTS.items():
        path = results / f"{name}.json"
        if path.exists():
            plot(json.loads(path.read_text()), place)


def _figure(titles: list[str], height: float = 3.6) -> Any:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(titles), figsize=(4.9 * len(titles), height), squeeze=False)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=11)
        axis.grid(True, which="major", color=INK, alpha=0.25, linewidth=0.6)
    return figure, axes[0]


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.tight_layout()
    figure.savefig(path, transparent=True, metadata={"Date": None})
    pyplot.close(figure)


def _line(axis: Any, points: dict[float, float], label: str, colour: str) -> None:
    sizes = sorted(points)
    axis.plot(sizes, [points[size] for size in sizes], "o-", label=label, color=colour, linewidth=1.8, markersize=4)
    axis.set_xscale("log")
    axis.set_yscale("log")
    for numbers in (axis.xaxis, axis.yaxis):
        numbers.set_major_formatter(lambda value, _: f"{value:,g}")
        numbers.set_minor_formatter(lambda value, _: f"{value:,g}" if f"{value:e}"[0] in "25" else "")
    axis.xaxis.set_minor_formatter(lambda *_: "")


def _legend(axis: Any) -> None:
    axis.legend(frameon=False, labelcolor=INK, fontsize=9)


def fan_out(found: Any, place: Path) -> None:
    figure, axes = _figure(["µs of CPU a delivery", "p99 from POST to the last session, ms", "KiB a session"])
    for name, colour in COLOURS.items():
        for axis, key in zip(axes, ("cpu_us", "last_p99_ms", "memory_kib"), strict=True):
            points = {
                size["sessions"]: size["contestants"][name][key]
                for size in found["sizes"]
                if size["topics"] == 1 and name in size["contestants"]
            }
            if points:
                _line(axis, points, NAMES[name], colour)
    for axis in axes:
        axis.set_xlabel("sessions on one topic")
    axes[2].set_yscale("linear")
    axes[2].set_ylim(bottom=0)
    _legend(axes[0])
    _save(figure, place / "fan-out.svg")


def storm(found: Any, place: Path) -> None:
    figure, axes = _figure(["reads of the database in the storm", "p99 of a live delivery elsewhere, ms"])
    for number, (kind, name) in enumerate(DATABASES.items()):
        by = {of["sessions"]: of for of in found["sizes"] if (of["database"], of["checkout"]) == (kind, "here")}
        _line(axes[0], {size: of["reads"] for size, of in by.items()}, f"read, {name}", SERIES[number])
        _line(axes[1], {size: of["calm"]["p99_ms"] for size, of in by.items()}, f"before, {name}", SERIES[number + 2])
        _line(
            axes[1], {size: of["storm"]["p99_ms"] for size, of in by.items()}, f"in the storm, {name}", SERIES[number]
        )
    chunks = found["behind"] / found["rows_a_chunk"]
    _line(axes[0], {of["sessions"]: of["sessions"] * chunks for of in found["sizes"]}, "if each read alone", SERIES[3])
    for axis in axes:
        axis.set_xlabel("sessions that come back")
        _legend(axis)
    _save(figure, place / "storm.svg")


def growth(found: Any, place: Path) -> None:
    figure, axes = _figure(["ms of CPU, by comments in the topic", "ms of CPU, by changes behind", "by workers"])
    for number, (what, costs) in enumerate(found["comments"]["postgresql"].items()):
        _line(axes[0], _numbers(costs), what.replace("_", "-"), SERIES[number])
    for number, (kind, costs) in enumerate(found["behind"].items()):
        _line(axes[1], _numbers(costs), kind, SERIES[number])
    workers = {float(count): of for count, of in found["workers"].items()}
    axes[2].plot(list(workers), [of["cpu_ms"] for of in workers.values()], "o-", color=SERIES[0], label="ms CPU a POST")
    axes[2].set_ylim(bottom=0)
    axes[2].set_xticks(list(workers), [f"{count:g}" for count in workers])
    for axis in axes:
        _legend(axis)
    _save(figure, place / "growth.svg")


def writes(found: Any, place: Path) -> None:
    figure, axes = _figure(["comments per second, of the bare rows", "p99 ms"])
    ways = [way["requests"] for way in found["ways"]]
    names = [name for name in ways[0]["post"] if name != "rows"]
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        at = [place + number * width for place in range(len(ways))]
        shares = [way["post"][name]["per_second"] / way["post"]["rows"]["per_second"] for way in ways]
        axes[0].bar(at, shares, width, label=name, color=SERIES[number])
        axes[1].bar(at, [way["post"][name]["waits_p99_ms"] for way in ways], width, label=name, color=SERIES[number])
    axes[0].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    for axis in axes:
        labels = [f"{DATABASES[way['database']]}\n{way['topics']} topics" for way in found["ways"]]
        axis.set_xticks([place + 0.4 - width / 2 for place in range(len(ways))], labels, fontsize=9)
    _legend(axes[0])
    _save(figure, place / "writes.svg")


def million(found: Any, place: Path) -> None:
    figure, axes = _figure(["reads/s of the cluster", "hints/s received by one process"], height=2.8)
    names = [of["name"] for of in found["many"]["clusters"]]
    for axis, key in zip(axes, ("reads", "heard_a_process"), strict=True):
        axis.barh(names, [of[key] for of in found["many"]["clusters"]], color=SERIES[0])
        axis.invert_yaxis()
    axes[1].set_yticklabels([])
    _save(figure, place / "million.svg")


def _numbers(costs: dict[str, float]) -> dict[float, float]:
    return {float(size): cost for size, cost in costs.items()}


PLOTS = {"fan-out": fan_out, "storm": storm, "writes": writes, "growth": growth, "million": million}
