# SPDX-FileCopyrightText: 2026 the pqpool authors
# SPDX-License-Identifier: PostgreSQL
"""Prints the results of bench/run: the table, the goals, the charts.

Results are {(figure, peer): [{metric: value} of each repetition]}.
"""
import os
import shutil
import subprocess
from statistics import median

UNITS = {"rate": "op/s", "ns": "ns", "p50": "us", "p99": "us", "ms": "ms",
         "kb": "kB", "fairness": "", "switches": "", "locks": "a pair",
         "allocations": "a pair", "syscalls": "a pair", "signals": "a wait",
         "fill": "us", "keepalive": "us", "try": "us", "stats": "us",
         "recycle": "us", "shrink": "us", "close": "us", "refuse": "us",
         "memory": "B"}
PRODUCTS = ["apr", "zdb", "pgxpool", "hikari", "pgbouncer"]


def ratio(results, figure, metric, peer, to):
    pairs = zip(results.get((figure, peer), []), results.get((figure, to), []))
    ratios = [a[metric] / b[metric] for a, b in pairs
              if metric in a and b.get(metric)]
    return median(ratios) if ratios else None


def summarise(results):
    rows = []
    for (figure, peer), runs in results.items():
        for metric in runs[0]:
            values = [run[metric] for run in runs]
            rows.append({
                "name": f"{figure}.{metric}", "peer": peer,
                "unit": UNITS[metric], "median": median(values),
                "min": min(values), "max": max(values),
                "ratio": ratio(results, figure, metric, peer, "naive"),
                "ratio_to_dedicated":
                    ratio(results, figure, metric, peer, "dedicated")})
    return rows


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def print_table(rows):
    form = "{:22} {:14} {:>12} {:>12} {:>12} {:6} {:>8} {:>8}"
    print(form.format("figure", "peer", "median", "min", "max", "",
                      "x naive", "x dedic."))
    last = None
    for row in sorted(rows, key=lambda row: row["name"]):
        if last not in (None, row["name"]):
            print()
        last = row["name"]
        print(form.format(row["name"], row["peer"], number(row["median"]),
                          number(row["min"]), number(row["max"]), row["unit"],
                          number(row["ratio"]),
                          number(row["ratio_to_dedicated"])).rstrip())


def goals(results):
    """Yields (text, value, limit, less is better); value None: not measured."""
    def of_naive(figure, metric, peer):
        return ratio(results, figure, metric, peer, "naive")

    def of_dedicated(figure, metric, peer):
        return ratio(results, figure, metric, peer, "dedicated")

    def value(figure, metric, peer):
        runs = results.get((figure, peer))
        return median(r[metric] for r in runs) if runs else None

    def of_best(figure, metric, peer, fair=None, less=False):
        """The ratio to the best product, among those at least as fair."""
        products = [product for product in PRODUCTS
                    if (figure, product) in results and (
                        fair is None
                        or value(figure, "fairness", product) >= fair)]
        others = [ratio(results, figure, metric, peer, product)
                  for product in products if (figure, peer) in results]
        return (max if less else min)(others) if others else None

    yield "rpool, 1 thread: time / naive", of_naive(
        "pair_1", "ns", "rpool"), 1.0, True
    yield "rpool without leak tracking, 1 thread: time / naive", of_naive(
        "pair_1", "ns", "rpool_no_leak"), 0.6, True
    yield "pqp, 1 thread: time / naive", of_naive(
        "pair_1", "ns", "pqp"), 1.5, True
    yield "pqp, 1 thread: time / best product", of_best(
        "pair_1", "ns", "pqp", less=True), 1.0, True
    for peer in ("rpool", "pqp"):
        for figure in ("pair_2", "pair_8"):
            where = f"{peer}, {figure[5:]} threads: rate"
            yield f"{where} / naive", of_naive(
                figure, "rate", peer), 5.0, False
            yield f"{where} / best product", of_best(
                figure, "rate", peer), 1.0, False
        both = zip(results.get(("pair_2", peer), []),
                   results.get(("pair_1", peer), []))
        scale = [two["rate"] / one["rate"] for two, one in both]
        yield f"{peer}: rate of 2 threads / 1 thread", (
            median(scale) if scale else None), 1.6, False
    for peer in ("rpool", "pqp"):
        where = f"{peer}, 64 threads hold 50 us:"
        yield f"{where} rate / naive", of_naive(
            "hold_64", "rate", peer), 1.05, False
        yield f"{where} rate / dedicated", of_dedicated(
            "hold_64", "rate", peer), 0.85, False
        runs = results.get(("hold_64", peer), [])
        yield f"{where} p99 wait / median wait", (
            median(r["p99"] / r["p50"] for r in runs) if runs
            else None), 2.0, True
        yield f"{where} fairness", value("hold_64", "fairness", peer), 0.95, \
            False
    for case in ("select", "lookup"):
        yield f"pqp, {case}, 8 threads: rate / dedicated", of_dedicated(
            f"{case}_8", "rate", "pqp"), 0.95, False
        figure = f"{case}_64"
        where = f"pqp, {case}, 64 threads:"
        fairness = value(figure, "fairness", "pqp")
        yield f"{where} rate / naive", of_naive(
            figure, "rate", "pqp"), 1.4, False
        yield f"{where} p99 / naive", of_naive(
            figure, "p99", "pqp"), 0.2, True
        yield f"{where} fairness", fairness, 0.95, False
        yield f"{where} rate / best product as fair", of_best(
            figure, "rate", "pqp", fair=min(fairness or 0, .95)), 1.0, False
    for size in (8, 50):
        yield f"pqp, cold start to {size}: time / best product", of_best(
            f"cold_{size}", "ms", "pqp", less=True), 1.0, True
    yield "pqp, memory with 50 idle / naive", of_naive(
        "memory_50", "kb", "pqp"), 1.1, True
    for peer in ("rpool", "pqp"):
        yield f"{peer}: signals for each wait", value(
            "signal_64", "signals", peer), 1.001, True
        for metric in ("syscalls", "allocations", "locks"):
            runs = results.get(("count", peer), [{}])
            yield f"{peer}: {metric} of an uncontended pair", \
                runs[0].get(metric), 0.0, True
        yield f"{peer}: switches of idle threads", value(
            "idle", "switches", peer), 0.0, True


def processor():
    """Returns name and family: the ratio of a pair to naive depends on them."""
    known = {}
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            key, _, text = line.partition(":")
            known.setdefault(key.strip(), text.strip())
    return (f"{known.get('model name', 'unknown processor')}, family"
            f" {known.get('cpu family', 'unknown')},"
            f" {os.cpu_count()} processors")


def print_goals(results):
    print(f"\ngoals, on {processor()}")
    for text, value, limit, less in goals(results):
        sign = "<=" if less else ">="
        if value is None:
            verdict = "not measured"
        elif value <= limit if less else value >= limit:
            verdict = "met"
        else:
            verdict = "NOT MET"
        print(f"{text:52} {number(value):>8}  {sign} {limit:<5g} {verdict}")


CHARTS = {"pair_1": "ns", "pair_2": "rate", "pair_8": "rate",
          "hold_64": "rate", "select_8": "rate", "select_64": "rate",
          "lookup_8": "rate", "lookup_64": "rate", "cold_8": "ms",
          "cold_50": "ms", "memory_50": "kb"}


def draw(rows, folder):
    if not shutil.which("gnuplot"):
        print("bench: no charts, no gnuplot")
        return
    wanted = {f"{f}.{m}" for f, m in CHARTS.items()}
    wanted |= {f"{f}.p99" for f in ("hold_64", "select_64", "lookup_64")}
    for name in sorted(wanted & {row["name"] for row in rows}):
        bars = [row for row in rows
                if row["name"] == name and row["peer"] != "mutex"]
        data = "\n".join(f'"{row["peer"].replace("_", " ")}" {row["median"]}'
                         f' {row["min"]} {row["max"]}' for row in bars)
        script = f"""set terminal svg size 800,360 font 'sans,11'
set output '{folder / name}.svg'
set title '{name.replace("_", " ")} ({bars[0]["unit"]}): median, min, max'
set style fill solid 0.6
set boxwidth 0.7
set yrange [0:*]
set grid ytics
set xtics nomirror
unset key
$bars << END
{data}
END
plot $bars using 0:2:xtic(1) with boxes, \\
     '' using 0:2:3:4 with yerrorbars pt 0 lc 'black'
"""
        subprocess.run(["gnuplot"], input=script, text=True, check=True)


def is_void(results):
    """Returns whether the run is void: a naive pair takes two to four times a
    mutex pair, and threads that only compute get all processors."""
    naive = ratio(results, "pair_1", "ns", "naive", "mutex")
    if naive is not None and not 2 <= naive <= 4:
        print(f"bench: VOID: naive stands at {naive:.2f} times a mutex pair,"
              " not at 2 to 4 times")
        return True
    held = results.get(("hold_64", "dedicated"))
    share = held and (median(run["rate"] for run in held) * 50e-6
                      / os.cpu_count())
    if held and share < .9:
        print(f"bench: VOID: we had {share:.0%} of the processors, other"
              " programs the rest")
        return True
    return False
