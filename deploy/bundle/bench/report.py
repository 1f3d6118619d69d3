"""Markdown that both benchmarks print: tables, and what was measured on what."""

import datetime
import os
import shlex
import sys
import time
from pathlib import Path

from . import runs


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(f"{x:.1f}" if isinstance(x, float) else str(x) for x in line) + " |" for line in lines)


def header(title, winnow, lines, began):
    models = [x.split(":", 1)[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")]
    model, seconds = winnow.model, time.time() - began
    return f"""## {title}: {len(lines)} held-out questions about {len({x['video'] for x in lines})} clips

- command: `{shlex.join(['python3', *sys.argv])}`
- {datetime.date.today()}, {seconds:.0f} s wall for {winnow.records} records, {os.cpu_count()} cores, {models[0] if models else 'unknown processor'}
- {winnow.version()}; bundle {model['bundle']} `{model['digest'][:12]}`, {model['engine']}
- clip seed {runs.CLIP_SEED}; failed records, counted as wrong: {winnow.failed}"""
