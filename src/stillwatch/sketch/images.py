"""Perceptual hash of image parts: the same picture, resized or saved anew, keeps nearly the same bits.

In: encoded images, in memory. Out: 64 bits each, shape (n,); 0 for a picture that was refused.
The difference hash compares neighbouring grey values of a 9 x 8 thumbnail. Its bits are then moved
by a secret permutation and flipped by a secret mask, which keeps the Hamming distance between two
hashes of one epoch and hides the thumbnail from whoever lacks the key (not from a known picture's
holder who has many hashes to compare). Images above 16 megapixels, above 20 MB, of another format
than PNG, JPEG, WebP, GIF or BMP, or malformed, are refused before they are decoded.
Cost: 1 to 30 milliseconds an image. Source: N. Krawetz 2013, "Kind of like that" (dHash).
"""

import io
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.keys import EpochKeys

MOST_PIXELS: Final = 16_000_000
MOST_BYTES: Final = 20_000_000
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


@dataclass(frozen=True, slots=True)
class ImageKey:
    """Secret order and mask of the bits in one epoch."""

    order: npt.NDArray[np.int64] = field(repr=False)
    mask: int = field(repr=False)


def derive_image_key(keys: EpochKeys) -> ImageKey:
    """Return the image key of one epoch."""
    raw = np.frombuffer(keys.stream("image", 64 * 8 + 8), "<u8")
    return ImageKey(np.argsort(raw[:64], kind="stable"), int(raw[64]))


def image_hash(encoded: bytes, key: ImageKey) -> int:
    """Return the keyed perceptual hash of one image, never 0; 0 when the image is refused."""
    bits = _difference_bits(encoded)
    if bits is None:
        return 0
    moved = int.from_bytes(np.packbits(bits[key.order]).tobytes(), "big") ^ key.mask
    return moved or 1


def _difference_bits(encoded: bytes) -> npt.NDArray[np.uint8] | None:
    if not encoded or len(encoded) > MOST_BYTES:
        return None
    from PIL import Image  # takes 30 ms, and most logs have no images

    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.draft("L", (72, 64))
            small = image.convert("L").resize((9, 8), Image.Resampling.BOX)
    except Exception:  # decoders raise whatever a hostile file makes them raise; a refused image is an answer here
        return None
    grey = np.asarray(small, np.int16)
    return (grey[:, 1:] > grey[:, :-1]).astype(np.uint8).reshape(64)
