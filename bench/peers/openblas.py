"""Times OpenBLAS on the matrix products of a report of bench.

    openblas.py PROGRAM REPORT.json RUNS THREADS > openblas.json
"""
import json
import re
import statistics
import subprocess
import sys

program, report, runs, threads = sys.argv[1:]
products = [r for r in json.load(open(report))["results"] if r["kind"] == "gemm"]
lines = []
for r in products:
    ta, tb, m, n, k = re.fullmatch(r"([NT])([NT]) (\d+)x(\d+)x(\d+)", r["shape"]).groups()
    lines.append(f"{m} {n} {k} {int(ta == 'T')} {int(tb == 'T')}\n")
output = subprocess.run([program, runs, threads], input="".join(lines), text=True, stdout=subprocess.PIPE, check=True).stdout
for r, line in zip(products, output.splitlines(), strict=True):
    r.update(json.loads(line), device="openblas", threads=int(threads))
    s = r["samples"]
    quarters = statistics.quantiles(s, method="inclusive") if len(s) > 1 else [s[0]] * 3
    r["seconds"] = quarters[1]
    r["spread"] = (quarters[2] - quarters[0]) / 2 / quarters[1]
machine = {"cpu": "", "cores": 0, "os": "", "arch": "", "go": "", "path": "", "roofs": []}
json.dump({"machine": machine, "results": products}, sys.stdout, indent=1)
