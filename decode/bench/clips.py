"""Makes the clips that are measured: drawn by FFmpeg from fixed seeds, encoded once, kept."""

import subprocess
import sys
import time
from dataclasses import dataclass

# A test pattern with a zooming Mandelbrot set and film grain moving over it: edges, texture, motion in both directions.
# The zoom starts anew every 10 s: it would run out of digits.
PICTURE = ("testsrc2=s=1280x720:r=30[back];"
           "mandelbrot=s=640x360:r=30,format=yuv420p,trim=end_frame=300,loop=-1:size=300,setpts=N/30/TB,noise=alls=6:allf=t:all_seed=7[front];"
           "[back][front]overlay=x='320+300*sin(t/3)':y='180+160*cos(t/2)',format=yuv420p")
X264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "25", "-bf", "3", "-refs", "3", "-sc_threshold", "0"]
X265 = ["-c:v", "libx265", "-preset", "veryfast", "-crf", "28"]
VP9 = ["-c:v", "libvpx-vp9", "-crf", "34", "-b:v", "0", "-deadline", "good", "-cpu-used", "5", "-row-mt", "1", "-auto-alt-ref", "1", "-lag-in-frames", "25"]


@dataclass(frozen=True)
class Clip:
    codec: str
    gop: int  # frames from key frame to key frame
    seconds: int
    encoder: tuple
    extension: str = "mp4"

    @property
    def name(self):
        return f"{self.codec}-gop{self.gop}-{self.seconds}s"

    def file(self, folder):
        return folder / f"{self.name}.{self.extension}"


def h264(gop, seconds):
    return Clip("h264", gop, seconds, (*X264, "-g", str(gop), "-keyint_min", str(gop)))


def hevc(gop, seconds):
    return Clip("hevc", gop, seconds, (*X265, "-x265-params", f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:bframes=3:log-level=error", "-tag:v", "hvc1"))


def vp9(gop, seconds):
    return Clip("vp9", gop, seconds, (*VP9, "-g", str(gop), "-keyint_min", str(gop)), "webm")


SHORT = [h264(30, 60), h264(250, 60), hevc(250, 60), vp9(250, 60)]
LONG = [h264(30, 600), h264(250, 600)]


def make(clips, folder, ffmpeg):
    """Encodes what is missing; a file under its own name is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for clip in clips:
        file = clip.file(folder)
        if file.exists():
            continue
        print(f"making {file.name}: {clip.seconds * 30} frames", file=sys.stderr)
        began, part = time.time(), file.with_name("part." + file.name)
        subprocess.run([ffmpeg, "-v", "error", "-stats", "-y", "-f", "lavfi", "-i", PICTURE, "-t", str(clip.seconds), *clip.encoder, part], check=True)
        part.rename(file)
        print(f"made {file.name}: {file.stat().st_size / 1e6:.0f} MB in {time.time() - began:.0f} s", file=sys.stderr)
