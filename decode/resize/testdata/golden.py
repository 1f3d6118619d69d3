"""Writes golden.json: what Pillow makes of a synthetic picture. Run: python3 golden.py > golden.json"""

import base64
import json

import PIL
from PIL import Image


def picture(w, h):
    """The picture of resize_test.go: a linear congruential generator's high bytes."""
    state, pixels = w * 1000 + h, bytearray()
    for _ in range(3 * w * h):
        state = (state * 1664525 + 1013904223) % 2**32
        pixels.append(state >> 24)
    return Image.frombytes("RGB", (w, h), bytes(pixels))


def shortest_crop(image, size):
    """torchvision's resize(size) and center_crop(size)."""
    w, h = image.size
    w, h = (size, int(size * h / w)) if w < h else (int(size * w / h), size)
    image = image.resize((w, h), Image.BICUBIC)
    top, left = round((h - size) / 2.0), round((w - size) / 2.0)
    return image.crop((left, top, left + size, top + size))


def pad(image, size, fill):
    """LLaVA's expand2square, then resize."""
    w, h = image.size
    side = max(w, h)
    square = Image.new("RGB", (side, side), tuple(fill))
    square.paste(image, ((side - w) // 2, (side - h) // 2))
    return square.resize((size, size), Image.BICUBIC)


def main():
    fill, cases = [122, 116, 104], []
    for w, h, size in [(64, 48, 14), (48, 64, 14), (33, 47, 16), (47, 33, 15), (16, 16, 16), (16, 9, 24), (9, 31, 9),
                       (200, 3, 12), (1, 40, 8), (1, 1, 5), (320, 240, 20)]:
        image = picture(w, h)
        for mode, out in [("squash", image.resize((size, size), Image.BICUBIC)),
                          ("shortest_crop", shortest_crop(image, size)), ("pad", pad(image, size, fill))]:
            cases.append({"w": w, "h": h, "size": size, "mode": mode, "fill": fill,
                          "pix": base64.b64encode(out.tobytes()).decode()})
    lines = ",\n".join(json.dumps(c) for c in cases)
    print('{"pillow": "%s", "cases": [\n%s\n]}' % (PIL.__version__, lines))


main()
