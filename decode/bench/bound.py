"""The least that must be decoded for uniform frames of a video, and what decoding just that costs, as JSON.

    bound.py VIDEO COUNT

For a wanted frame that is the key frame at or before it, every frame after that one which others refer to and which
comes earlier in the stream, and the frame itself. A cleverer decoder could follow each reference; none does.
"""

import json
import sys
import time
from dataclasses import dataclass

import av
import numpy as np


@dataclass
class Packet:
    packet: av.Packet
    frames: int  # coded in it: VP9 hides some
    referenced: bool


def h264(data):
    """nal_ref_idc of the first slice"""
    return 1, next((n[0] >> 5) & 3 for n in units(data) if n[0] & 31 in (1, 5)) > 0


def hevc(data):
    """Even unit types below 16 are sub-layer non-reference pictures; our clips have one layer."""
    kind = next(k for k in ((n[0] >> 1) & 63 for n in units(data)) if k < 32)
    return 1, kind >= 16 or kind % 2 == 1


def vp9(data):
    parts = superframe(data)
    return sum(not shows_existing(p) for p in parts), any(refreshes(p) for p in parts)


READERS = {"h264": h264, "hevc": hevc, "vp9": vp9}


def units(data):
    """NAL units with lengths of four bytes before them, as in MP4"""
    at = 0
    while at + 4 < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        yield data[at + 4:at + 4 + size]
        at += 4 + size


def superframe(data):
    """VP9 bitstream specification, Annex B"""
    marker = data[-1]
    if marker & 0xE0 != 0xC0:
        return [data]
    count, width = (marker & 7) + 1, ((marker >> 3) & 3) + 1
    index = data[-(2 + count * width):-1]
    if index[0] != marker:
        return [data]
    parts, at = [], 0
    for i in range(count):
        size = int.from_bytes(index[1 + i * width:1 + (i + 1) * width], "little")
        parts.append(data[at:at + size])
        at += size
    return parts


def shows_existing(data):
    return bool(data[0] & 0x08)  # profile 0: marker 2 bits, profile 2 bits, show_existing_frame


def refreshes(data):
    """refresh_frame_flags, section 6.2, profile 0"""
    bits = int.from_bytes(data[:8].ljust(8, b"\0"), "big")
    at = 4

    def read(n):
        nonlocal at
        at += n
        return (bits >> (64 - at)) & ((1 << n) - 1)

    if read(1):
        return False
    inter, show, resilient = read(1), read(1), read(1)
    if not inter:
        return True
    intra = 0 if show else read(1)
    if not resilient:
        read(2)
    if intra:
        read(24)
    return read(8) != 0


def needed(packets, wanted):
    """positions in the stream"""
    keys = [i for i, p in enumerate(packets) if p.packet.is_keyframe]
    out = set()
    for w in wanted:
        key = max(k for k in keys if k <= w)
        out.update(i for i in range(key, w) if packets[i].referenced)
        out.add(w)
    return sorted(out)


def decode(context, packets):
    """the times of what comes out"""
    context.thread_count = 1
    out = [f.pts for p in packets for f in context.decode(p.packet)]
    return out + [f.pts for f in context.decode(None)]


def main():
    video, count = sys.argv[1], int(sys.argv[2])
    with av.open(video) as container:
        stream = container.streams.video[0]
        reader = READERS[stream.codec_context.name]
        packets = [Packet(p, *reader(bytes(p))) for p in container.demux(stream) if p.size]
        shown = sorted(range(len(packets)), key=lambda i: packets[i].packet.pts)
        index = np.linspace(0, len(packets) - 1, count, dtype=int).tolist()
        wanted = [shown[i] for i in index]
        least = [packets[i] for i in needed(packets, wanted)]
        wall, cpu = time.perf_counter(), time.process_time()
        came = decode(stream.codec_context, least)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        times = [packets[w].packet.pts for w in wanted]
        if not set(times) <= set(came):
            sys.exit("what must be decoded was not enough")
        start = stream.start_time or 0
        print(json.dumps({"cpu_s": cpu, "wall_s": wall, "coded": sum(p.frames for p in packets), "total": len(packets),
                          "needed": sum(p.frames for p in least), "index": index, "pts_s": [float((t - start) * stream.time_base) for t in times]}))


if __name__ == "__main__":
    main()
