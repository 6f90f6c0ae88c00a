"""The files of the demo's account, made on the spot: text, pictures, many scripts, something large. Uploads nothing."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

LARGE_BYTES: Final = 200_000_000
PICTURE_PIXELS: Final = 480

README: Final = """\
This folder is a CX account, mounted with cxfs.

Open, edit, copy, rename and delete here as on a disk. What you change is sent to the server a moment after
you close it; `getfattr -d FILE` shows whether it is there yet.
"""

TEXTS: Final = {
    "Read me.txt": README,
    "Documents/Letter.txt": "Dear reader,\n\nthis letter lives on a server.\n",
    "Documents/Notes/todo.md": "# To do\n\n- [x] mount the account\n- [ ] copy something into it\n",
    "Documents/Notes/figures.csv": "year,value\n" + "".join(f"{year},{year * 7 % 100}\n" for year in range(1990, 2026)),
    "Names/日本語のファイル.txt": "こんにちは\n",
    "Names/ملف عربي.txt": "مرحبا\n",
    "Names/Ελληνικά.txt": "γειά σου\n",  # noqa: RUF001 - they are meant
    "Names/кириллица.txt": "привет\n",
    "Names/हिन्दी.txt": "नमस्ते\n",
    "Names/emoji 🐈 and spaces.txt": "meow\n",
    "Names/100% #1 ? [x] & 'quotes'.txt": "nothing is special in a name\n",
}


def make_samples(folder: Path) -> None:
    """Fills `folder`, which is made, with about 200 MB."""
    for name, text in TEXTS.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    _make_pictures(folder / "Pictures")
    _make_large(folder / "Large file.bin")


def _make_pictures(folder: Path) -> None:
    """Gradients and a fractal: real PNG and JPEG files that any viewer shows."""
    from PIL import Image

    folder.mkdir()
    side = (PICTURE_PIXELS, PICTURE_PIXELS)
    across, down = Image.linear_gradient("L").rotate(90).resize(side), Image.linear_gradient("L").resize(side)
    around = Image.radial_gradient("L").resize(side)
    Image.merge("RGB", (across, down, around)).save(folder / "dawn.jpg", quality=90)
    Image.merge("RGB", (around, across, down)).save(folder / "meadow.png")
    Image.merge("RGB", (down, around, across)).save(folder / "dusk.webp")
    Image.effect_mandelbrot(side, (-2.2, -1.5, 0.8, 1.5), 60).save(folder / "mandelbrot.png")


def _make_large(file: Path) -> None:
    """The same bytes each time, so that its checksum can be compared between machines; they do not compress."""
    lot = random.Random(2012)  # noqa: S311 - not a secret
    with file.open("wb") as opened:
        left = LARGE_BYTES
        while left:
            left -= opened.write(lot.randbytes(min(left, 1 << 20)))
