# Makes timm_augment.txt: what timm's RandAugment operations do to images that a formula gives, as hashes of the results.
# One line is one operation on one image: its size and kind, the operation, bilinear or bicubic, increasing, and then
# magnitude, sign and hash in turn.
#   python tests/golden/timm_augment.py > tests/golden/timm_augment.txt
import random

import PIL
import timm
from PIL import Image
from pillow import fnv, picture
from timm.data import auto_augment as aa

NAMES = {False: aa._RAND_TRANSFORMS, True: aa._RAND_INCREASING_TRANSFORMS}
FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}


def apply(image, name, magnitude, sign, filter):
    random.random = lambda: 0.9 if sign < 0 else 0.1  # above 0.5 turns around
    hparams = {"img_mean": (124, 116, 104), "interpolation": FILTERS[filter]}
    return aa.AugmentOp(name, prob=1.0, magnitude=magnitude, hparams=hparams)(image)


print(f"# Pillow {PIL.__version__}, timm {timm.__version__}: by tests/golden/timm_augment.py")
for height, width, kind in [(24, 31, 0), (40, 33, 1), (9, 8, 2), (33, 33, 3)]:
    for increasing in (False, True):
        for number, name in enumerate(NAMES[increasing]):
            for filter in ("bilinear", "bicubic") if number in (3, 11, 12, 13, 14) else ("bicubic",):
                hashes = []
                for magnitude in (0, 4.3, 9, 10):
                    signs = [fnv(apply(picture(height, width, kind), name, magnitude, sign, filter)) for sign in (1, -1)]
                    hashes += [f"{magnitude} {sign} {hash}" for sign, hash in zip((1, -1), signs)][: len(set(signs))]
                print(height, width, kind, number, filter, int(increasing), *hashes)
