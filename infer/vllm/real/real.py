#!/usr/bin/env python3
"""Have a real vLLM answer the demo's questions, and compare with the demo's own decoder. Prints Markdown.

    real.py     # about three minutes on two cores: vLLM's build for CPUs will do

The interpreter must have vllm and onnx. vLLM serves the demo's language model on a loopback port; TestRealServer asks
it, then the same jobs run with the decoder here and with vLLM: the published setting, all tokens and a rule that does
not look at the question, generating and scoring. In the last job vLLM is killed in the midst, and started again.
Everything lies under --work. Exits with 1 where the two differ by more than is declared.
"""

import argparse
import datetime
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import decoder

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "deploy/bundle/demo"
CLIPS = ROOT / "deploy/bundle/demo-clips"

# Declared: rows go out in half precision, and two of like probability may change places.
SAME = 0.99  # of the answers, at least
NEAR = 0.02  # between two log-probabilities of an option, at most

PRUNE = [{"method": "rediprune", "keep": 0.15}, {"method": "none"}, {"method": "diverse", "keep": 0.2}]
KILL_AT = 60  # answers into the last job
STARTS = 300  # seconds that vLLM may take to begin


def main():
    args = arguments()
    shutil.rmtree(args.work, ignore_errors=True)
    decoder.detach(DEMO, args.work / "bundle", args.work / "demo-language")
    with Server(args.work) as server:
        test(server, args.work / "bundle")
        header(server)
        good = [compare(args, server, "generate", CLIPS / "manifest.jsonl"), compare(args, server, "score", lettered(args.work))]
        good.append(compare(args, server, "generate, killed once", CLIPS / "manifest.jsonl", kill=True))
    sys.exit(not all(good))


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", type=Path, default=ROOT / ".winnow/real-vllm", help="where what is made lies, emptied first (default .winnow/real-vllm)")
    return p.parse_args()


class Server:
    """vLLM with the demo's language model"""

    def __init__(self, work):
        self.model, self.log = work / "demo-language", work / "vllm.log"
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        command = [Path(sys.executable).parent / "vllm", "serve", self.model, "--served-model-name", self.model.name, "--enable-prompt-embeds"]
        command += ["--generation-config", "vllm", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(self.port)]
        quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | quiet, start_new_session=True)
        self.version = self.wait()

    def wait(self):
        """its version, once it answers"""
        for _ in range(STARTS):
            try:
                with urllib.request.urlopen(f"{self.url}/version") as answer:
                    return json.load(answer)["version"]
            except (urllib.error.URLError, ConnectionError):
                time.sleep(1)
            if self.process.poll() is not None:
                break
        raise SystemExit(f"vLLM did not start: see {self.log}")

    def answered(self):
        return self.log.read_text().count('"POST /v1/completions HTTP/1.1" 200')

    def kill(self):
        """all of its processes"""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def test(server, bundle):
    command = ["make", "-s", "test-vllm", f"WINNOW_VLLM_URL={server.url}", f"WINNOW_VLLM_BUNDLE={bundle}"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)


def header(server):
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    print(f"- {datetime.date.today()}, {os.cpu_count()} cores, vLLM {server.version}, rows sent as F16; Winnow {commit}\n")
    print("| job | variant | records | same answer | log-probabilities of options compared | furthest apart |\n|---|---|---|---|---|---|")


def lettered(work):
    """the questions with options, which alone can be scored"""
    path = work / "lettered.jsonl"
    items = [json.loads(line) for line in (CLIPS / "manifest.jsonl").read_text().splitlines()]
    path.write_text("".join(json.dumps(i | {"video": str(CLIPS / i["video"])}) + "\n" for i in items if i.get("options")))
    return path


def compare(args, server, title, manifest, kill=False):
    """whether a job's answers are the same here and there"""
    mode = title.split(",")[0]
    name = title.replace(", ", "-").replace(" ", "-")
    here = records(args, f"{name}-here", DEMO, manifest, mode)
    there = records(args, f"{name}-there", args.work / "bundle", manifest, mode, server, kill)
    rows = [differences(variant, here, there) for variant in sorted({v for _, v in here})]
    for row in rows:
        print(f"| {title} | {' | '.join(str(cell) for cell in row.values())} |", flush=True)
    return here.keys() == there.keys() and all(r["same"] >= SAME * r["records"] and r["apart"] <= NEAR for r in rows)


def differences(variant, here, there):
    keys = [k for k in here if k[1] == variant and k in there]
    pairs = [p for k in keys for p in zip(here[k].get("option_logprobs") or [], there[k].get("option_logprobs") or []) if None not in p]
    same = sum(here[k]["answer"] == there[k]["answer"] for k in keys)
    return {"variant": variant, "records": len(keys), "same": same, "pairs": len(pairs), "apart": round(max(abs(a - b) for a, b in pairs), 4)}


def records(args, name, bundle, manifest, mode, server=None, kill=False):
    """(id, variant) -> the record of a job that begins with nothing"""
    job = args.work / f"{name}.json"  # JSON is YAML
    job.write_text(json.dumps({"manifest": str(manifest), "bundle": str(bundle), "prune": PRUNE, "generate": {"mode": mode}}))
    state = args.work / name
    command = [ROOT / "bin/winnow", "run", job, "--state", state, "--json"]
    env = os.environ | ({"WINNOW_LANGUAGE_URL": server.url} if server else {})
    run = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
    if kill:
        strike(server, run)
    out, _ = run.communicate()
    if run.returncode:
        raise SystemExit(f"{name}: winnow run exits with {run.returncode}")
    return {(r["id"], r["variant"]): r for r in map(json.loads, out.splitlines())}


def strike(server, run):
    before = server.answered()
    while server.answered() < before + KILL_AT:
        if run.poll() is not None:
            raise SystemExit("the job was over before vLLM was killed")
        time.sleep(0.1)
    server.kill()
    server.start()


if __name__ == "__main__":
    main()
