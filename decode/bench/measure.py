"""Runs programs and tells what they cost. Imports little: a child's peak RSS starts at its parent's."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
PEERS = ["pyav", "torchcodec-exact", "torchcodec-approximate", "decord"]
SIZE = 336  # what frames are resized to


class Absent(Exception):
    pass


def spent(argv):
    """output, and seconds and MB of the whole process tree: what it waited for counts"""
    with tempfile.TemporaryFile() as complaints:
        began = time.perf_counter()
        p = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints)
        out = p.stdout.read().decode()
        _, status, usage = os.wait4(p.pid, 0)
        wall, p.returncode = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
        p.stdout.close()
        complaints.seek(0)
        why = complaints.read().decode(errors="replace").strip()
    if p.returncode == 3:
        raise Absent(why)
    if p.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv[:3]))}… exited with {p.returncode}: {why}")
    return out, {"cpu_s": usage.ru_utime + usage.ru_stime, "wall_s": wall, "rss_mb": usage.ru_maxrss / 1024}


class Tools:
    """Everything measured takes (file, clip, count) and gives a sample; a peer that is absent is not among them."""

    def __init__(self, winnow, ffmpeg):
        self.binary, self.ffmpeg = winnow, ffmpeg
        self.versions = {"ffmpeg": spent([ffmpeg, "-version"])[0].split()[2]}
        self.peers = {"ffmpeg-1-thread": self.select(["-threads", "1"]), "ffmpeg": self.select([])}
        for name in PEERS:
            try:
                self.versions[name] = spent([sys.executable, HERE / "peers.py", name])[0].strip()
                self.peers[name] = self.python("peers.py", name)
            except Absent as err:
                self.versions[name] = f"absent: {err}"

    def all(self):
        return {"winnow": self.winnow, **self.peers, "bound": self.python("bound.py")}

    def winnow(self, file, clip, count):
        out, sample = spent(self.frames(file, count))
        told = json.loads(out)
        self.versions["winnow"] = told["info"]["decoder"]
        return sample | {"index": [f["index"] for f in told["frames"]], "pts_s": [f["pts_s"] for f in told["frames"]]}

    def frames(self, file, count):
        return [self.binary, "frames", file, "--count", count, "--size", SIZE, "--json"]

    def alone(self, file, count):
        """as a worker decodes: one thread"""
        return [*self.frames(file, count), "--threads", 1]

    def select(self, threads):
        def run(file, clip, count):
            total = clip.seconds * 30
            wanted = "+".join(f"eq(n,{i * (total - 1) // (count - 1)})" for i in range(count))
            out, sample = spent([self.ffmpeg, "-v", "error", "-nostats", "-progress", "pipe:1", "-y", *threads, "-i", file, "-map", "0:v",
                                 "-vf", f"select='{wanted}',scale=-1:{SIZE}:flags=bicubic,crop={SIZE}:{SIZE}", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "/dev/null"])
            written = int([x for x in out.splitlines() if x.startswith("frame=")][-1].split("=")[1])
            return sample | {"frames": written}
        return run

    def python(self, script, *args):
        def run(file, clip, count):
            out, sample = spent([sys.executable, HERE / script, *args, file, count])
            return sample | json.loads(out)
        return run

    def whole(self, file):
        """every frame decoded, none converted"""
        return spent([self.ffmpeg, "-v", "error", "-threads", "1", "-i", file, "-map", "0:v", "-f", "null", "-"])[1]

    def peak(self, file, count):
        """MB: of winnow-decode itself, and the larger of it and its parent"""
        seen = []
        watcher = threading.Thread(target=watch, args=(os.getpid(), done := threading.Event(), seen))
        watcher.start()
        try:
            _, sample = spent(self.frames(file, count))
        finally:
            done.set()
            watcher.join()
        return {"child_mb": max(seen) / 1024, "tree_mb": sample["rss_mb"]}

    def two(self, file, count, runs):
        """throughput of two at a time, over that of one"""
        return self.at_once(1, file, count, runs) / self.at_once(2, file, count, runs)

    def at_once(self, lanes, file, count, runs):
        def lane():
            for _ in range(runs // lanes):
                spent(self.alone(file, count))
        threads = [threading.Thread(target=lane) for _ in range(lanes)]
        began = time.perf_counter()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return time.perf_counter() - began


def watch(root, done, seen):
    """Notes the high-water mark, kB, of winnow-decode below root until done; it only rises, so the last look is near the peak."""
    child = None
    while not done.wait(0.002):
        child = child or find(root, "winnow-decode")
        if child and (mark := field(child, "VmHWM:")):
            seen.append(int(mark))


def find(root, name):
    for pid in children(root):
        if field(pid, "Name:") == name:
            return pid
        if found := find(pid, name):
            return found
    return None


def children(pid):
    out = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            out += map(int, task.read_text().split())
        except OSError:  # it has just ended
            pass
    return out


def field(pid, name):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    return next((line.split()[1] for line in status.splitlines() if line.startswith(name)), None)


def middle(samples, key):
    return median(s[key] for s in samples)
