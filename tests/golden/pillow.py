# Makes pillow.txt: what Pillow and torchvision do to images that a formula gives, as hashes of the results.
# One line is one case: what is done, its numbers, and the hash. Only this script needs Python, and a Pillow before 13
# (vit/data/resample.h says why; 11.3 and 12.3 give the same).
#   python tests/golden/pillow.py > tests/golden/pillow.txt
import random

import numpy as np
import torchvision
import torchvision.transforms.functional as F
from PIL import Image, ImageFilter, __version__
from torchvision.transforms.autoaugment import RandAugment, _apply_op


# Slopes, waves of rising frequency, and sharp edges; other kinds fill less of the range, or none of it.
def picture(height, width, kind=0):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    value = ((x * x * (c + 2) + y * y * 3 + x * y * 5) // 16 + 17 * c) % 256
    if kind == 1:
        value = 40 + 30 * c + value // 4
    if kind == 2:
        value = 90 + 20 * c + 0 * x
    if kind == 3:
        value = np.where((x // 3 + y // 2) % 2 == 0, 255, 0)
    return Image.fromarray(value.astype(np.uint8))


# FNV-1a of the pixels, plane after plane.
def fnv(image):
    value = 2166136261
    for byte in np.asarray(image).transpose(2, 0, 1).tobytes():
        value = (value ^ byte) * 16777619 % 2**32
    return value


FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
draw = random.Random(1)


def resize():
    for i in range(200):
        height, width = draw.randint(1, 70), draw.randint(1, 70)
        if i % 10 == 0:
            height, width = draw.randint(100, 200), draw.randint(100, 200)
        out_height, out_width = draw.randint(1, 90), draw.randint(1, 90)
        if i % 20 == 3:
            out_width = width
        if i % 20 == 7:
            out_height = height
        box = (0, 0, width, height)
        if i % 4 == 1:  # eighths are exact in float
            left, right = sorted(draw.sample(range(8 * width + 1), 2))
            top, bottom = sorted(draw.sample(range(8 * height + 1), 2))
            box = (left / 8, top / 8, right / 8, bottom / 8)
        name = "bilinear" if i % 2 else "bicubic"
        image = picture(height, width, 3 if i % 9 == 0 else 0)
        out = image.resize((out_width, out_height), FILTERS[name], box)
        print(name, height, width, 3 if i % 9 == 0 else 0, *box, out_height, out_width, fnv(out))
    for box in (0, 0, 20.5, 17), (2.5, 3, 23, 18):  # of the output's size, and yet no copies
        print("bicubic", 18, 23, 0, *box, 18, 23, fnv(picture(18, 23).resize((23, 18), Image.BICUBIC, box)))


# One line is one operation on one image, then its numbers, each with the hash of what it gives.
OPERATIONS = {
    "grayscale": ([0], lambda image, _: F.to_grayscale(image, 3)),
    "mirror": ([0], lambda image, _: F.hflip(image)),
    "blur": ([0.1, 0.5, 0.77, 1.3, 2.0, 5.5], lambda image, sigma: image.filter(ImageFilter.GaussianBlur(sigma))),
    "hue": ([-0.5, -0.2, -0.01, 0.03, 0.37, 0.5], F.adjust_hue),
    "brightness": ([0.0, 0.7, 0.93, 1.0, 1.3, 1.9], F.adjust_brightness),
    "contrast": ([0.0, 0.7, 0.93, 1.0, 1.3, 1.9], F.adjust_contrast),
    "saturation": ([0.0, 0.7, 0.93, 1.0, 1.3, 1.9], F.adjust_saturation),
    "sharpness": ([0.0, 0.7, 0.93, 1.0, 1.3, 1.9], F.adjust_sharpness),
    "solarize": ([0.0, 128.0, 200.5, 255.0], F.solarize),
}


def operations():
    for height, width, kind in [(24, 31, 0), (17, 40, 1), (9, 8, 2), (33, 20, 3), (2, 5, 0)]:
        image = picture(height, width, kind)
        for name, (numbers, function) in OPERATIONS.items():
            print(name, height, width, kind, *(f"{x} {fnv(function(image, x))}" for x in numbers))


# RandAugment's operations by number, at a magnitude of 31, with both signs.
def rand_augment():
    for number, (height, width, kind) in enumerate([(24, 31, 0), (40, 33, 1), (300, 299, 0), (9, 8, 2)]):
        image = picture(height, width, kind)
        for i, (name, (magnitudes, signed)) in enumerate(RandAugment()._augmentation_space(31, (height, width)).items()):
            for level in (0, 15, 20, 30) if i in (5, 10) else (9 + 6 * (number % 2),):
                for sign in (1, -1) if signed else (1,):
                    magnitude = sign * float(magnitudes[level].item()) if magnitudes.ndim else 0.0
                    out = _apply_op(image, name, magnitude, F.InterpolationMode.NEAREST, None)
                    print("rand_augment", height, width, kind, i, level, sign, fnv(out))


# What the LookHere release does to test images, but for its floats: within one grey level of these pixels.
def evaluation():
    for height, width, small, crop in [(40, 60, 32, 28), (61, 43, 32, 32), (37, 37, 21, 21), (23, 49, 16, 24), (47, 32, 32, 32)]:
        ratio = float(small) / min(height, width)
        size = (int(height * ratio), int(width * ratio))
        out = F.center_crop(picture(height, width).resize(size[::-1], Image.BILINEAR), [crop, crop])
        print("evaluation", height, width, small, crop, fnv(out))


if __name__ == "__main__":
    print(f"# Pillow {__version__}, torchvision {torchvision.__version__}: by tests/golden/pillow.py")
    resize()
    operations()
    rand_augment()
    evaluation()
