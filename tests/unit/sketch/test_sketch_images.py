import io

import numpy as np
from PIL import Image

from stillwatch.sketch import images
from stillwatch.sketch.images import derive_image_key, image_hash
from stillwatch.sketch.keys import KeyRing
from stillwatch.terms.exchange import Exchange, Message
from tests.unit.sketch.made import NOON, reducer

RING = KeyRing(bytes(range(32)))
KEY = derive_image_key(RING.for_epoch(1))


def picture(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    grey = np.random.default_rng(seed).integers(0, 256, (6, 8)).astype(np.uint8)
    return Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC).convert("RGB")


def saved(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def distance(a: int, b: int) -> int:
    return (a ^ b).bit_count()


def test_a_resized_or_recompressed_picture_stays_near_and_another_lies_far() -> None:
    near, far = [], []
    for seed in range(20):
        first = image_hash(saved(picture(seed)), KEY)
        near.append(distance(first, image_hash(saved(picture(seed), "JPEG", quality=40), KEY)))
        near.append(distance(first, image_hash(saved(picture(seed).resize((100, 90))), KEY)))
        far.append(distance(first, image_hash(saved(picture(seed + 100)), KEY)))
    assert max(near) <= 8 < 16 <= min(far)


def test_the_key_keeps_distances_and_hides_the_bits() -> None:
    other = derive_image_key(RING.for_epoch(2))
    a, b = saved(picture(1)), saved(picture(2))
    assert distance(image_hash(a, KEY), image_hash(b, KEY)) == distance(image_hash(a, other), image_hash(b, other))
    assert image_hash(a, KEY) != image_hash(a, other)
    assert str(KEY.mask) not in repr(KEY)


def test_malformed_oversized_and_foreign_images_are_refused_undecoded() -> None:
    png = saved(picture(3))
    tiff = saved(picture(3), "TIFF")
    bomb = saved(Image.new("1", (5000, 4000)))
    gigantic = bytearray(saved(Image.new("1", (8, 8))))
    gigantic[16:24] = (2**31 - 1).to_bytes(4, "big") * 2
    for bad in (b"", b"no image", png[:40], png[: len(png) // 2], tiff, bomb, bytes(gigantic), b"\x00" * 100):
        assert image_hash(bad, KEY) == 0


def test_too_many_bytes_are_refused_unread(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    png = saved(picture(4))
    monkeypatch.setattr(images, "MOST_BYTES", len(png) - 1)
    assert image_hash(png, KEY) == 0


def test_two_images_are_kept_and_refused_ones_are_counted() -> None:
    parts = (saved(picture(1)), b"broken", saved(picture(2)))
    made = reducer()
    row = made.reduce([Exchange(time=NOON, account="a", messages=(Message(role="user", images=parts),))])[0]
    assert row["sketch"]["images"][0] != 0 and row["sketch"]["images"][1] == 0 and made.refused_images == 1
