"""One peer, in a process of its own: takes frames of a video and prints what that cost, as JSON.

    peers.py PEER VIDEO COUNT    # CPU and wall seconds of the work alone: imports come before
    peers.py PEER                # the peer's version; exit status 3 where it cannot be imported

Frames are those of np.linspace(0, total-1, COUNT, dtype=int), in RGB, made 336 x 336 as the reference's image
processor does: Pillow's bicubic to the shorter edge, then the middle.
"""

import json
import sys
import time

import numpy as np
from PIL import Image

ABSENT = 3
SIZE = 336


def uniform(total, count):
    return np.linspace(0, total - 1, min(total, count), dtype=int)


def fitted(frame):
    h, w, _ = frame.shape
    w, h = (SIZE, SIZE * h // w) if w < h else (SIZE * w // h, SIZE)
    left, top = round((w - SIZE) / 2), round((h - SIZE) / 2)
    return np.asarray(Image.fromarray(frame).resize((w, h), Image.BICUBIC).crop((left, top, left + SIZE, top + SIZE)))


class PyAV:
    """The reference decodes every frame and keeps them all; ten minutes of 720p would be 25 GB, so only the wanted are kept here."""

    def __init__(self):
        import av

        self.av, self.version = av, f"{av.__version__}, FFmpeg's libavcodec {av.library_versions['libavcodec'][0]}"

    def take(self, video, count):
        with self.av.open(video) as container:
            total = container.streams.video[0].frames
        if not total:  # WebM does not tell
            with self.av.open(video) as container:
                total = sum(p.size > 0 for p in container.demux(video=0))
        wanted = set(uniform(total, count).tolist())
        with self.av.open(video) as container:
            return [f.to_ndarray(format="rgb24") for i, f in enumerate(container.decode(video=0)) if i in wanted]


class TorchCodec:
    def __init__(self, mode):
        import torch
        import torchcodec
        from torchcodec.decoders import VideoDecoder

        self.decoder, self.mode, self.version = VideoDecoder, mode, f"{torchcodec.__version__}, torch {torch.__version__}"

    def take(self, video, count):
        decoder = self.decoder(video, num_ffmpeg_threads=1, seek_mode=self.mode, dimension_order="NHWC")
        return decoder.get_frames_at(indices=uniform(len(decoder), count).tolist()).data.numpy()


class Decord:
    def __init__(self):
        import decord

        self.decord, self.version = decord, decord.__version__

    def take(self, video, count):
        reader = self.decord.VideoReader(video, ctx=self.decord.cpu(0), num_threads=1)
        return reader.get_batch(uniform(len(reader), count)).asnumpy()


PEERS = {
    "pyav": PyAV,
    "torchcodec-exact": lambda: TorchCodec("exact"),
    "torchcodec-approximate": lambda: TorchCodec("approximate"),
    "decord": Decord,
}


def main():
    try:
        peer = PEERS[sys.argv[1]]()
    except (ImportError, OSError, RuntimeError) as err:
        print(str(err).strip().splitlines()[0], file=sys.stderr)
        sys.exit(ABSENT)
    if len(sys.argv) == 2:
        return print(peer.version)
    wall, cpu = time.perf_counter(), time.process_time()
    frames = [fitted(f) for f in peer.take(sys.argv[2], int(sys.argv[3]))]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"cpu_s": cpu, "wall_s": wall, "frames": len(frames), "shape": list(frames[0].shape)}))


if __name__ == "__main__":
    main()
