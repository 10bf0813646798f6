"""The stage of the rendered sample: ground, wood, light and the camera with its faults.

A ground plane under a pinhole camera, a blurred wood behind it, bodies of revolution under one sun
and one sky. Images are float32 RGB in [0, 1] until they are developed; x goes right, y down, z
towards the camera; lengths are in pixels unless a docstring says otherwise.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

GROUNDS = {  # (number of leaves or blades, length, width, RGB of the palest) on one ground texture
    "litter": (1400, 30, 14, (196, 146, 92)),
    "needles": (4500, 30, 2, (172, 128, 84)),
    "moss": (7500, 12, 5, (140, 158, 66)),
    "grass": (4500, 44, 3, (142, 170, 78)),
}
TEXTURE_SIDE = 768

Array = NDArray[Any]


@dataclass(frozen=True)
class Scene:
    """A picture in the making: image (height, width, 3), random source, camera and light."""

    image: Array
    rng: Generator
    pitch: float  # radians the camera looks down; a circle on the ground is squashed by its sine
    sun: Array  # (3,) unit vector towards the sun
    sun_strength: float
    sky_strength: float


def noise(rng: Generator, height: int, width: int, cell: float, stretch: float = 1.0) -> Array:
    """Smooth noise (height, width) in about [0, 1], features `cell` wide and x `stretch` tall."""
    grid = rng.random((int(height / cell / stretch) + 3, int(width / cell) + 3), np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)


def pits(rng: Generator, height: int, width: int, spacing: float) -> Array:
    """Honeycomb (height, width): distance to the nearest of jittered grid points over `spacing`."""
    points = np.full((height, width), 255, np.uint8)
    grid = np.mgrid[0:height:spacing, 0:width:spacing]
    rows, columns = (grid + rng.uniform(0, spacing * 0.8, grid.shape)).astype(int)
    points[np.minimum(rows, height - 1), np.minimum(columns, width - 1)] = 0
    return cv2.distanceTransform(points, cv2.DIST_L2, 3) / np.float32(spacing)


def soften(image: Array, sigma: float) -> Array:
    """Gaussian blur of an image of any number of channels, at reduced size when sigma is large."""
    height, width = image.shape[:2]
    factor = max(int(sigma / 1.5), 1)
    size = max(width // factor, 2), max(height // factor, 2)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if factor > 1 else image
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor)
    return cv2.resize(small, (width, height)) if factor > 1 else small


def polygon(points: Array, height: int, width: int) -> Array:
    """Antialiased mask (height, width) of a polygon of (n, 2) x, y points."""
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def over(canvas: Array, colour: Array, alpha: Array, top: float = 0, left: float = 0) -> None:
    """Lay `colour` (h, w, 3) or (3,) with opacity `alpha` (h, w) on an RGB or RGBA canvas."""
    top, left = int(top), int(left)
    y, x = max(top, 0), max(left, 0)
    region = canvas[y : max(top + alpha.shape[0], 0), x : max(left + alpha.shape[1], 0)]
    if not region.size:
        return
    cut = np.s_[y - top : y - top + region.shape[0], x - left : x - left + region.shape[1]]
    paint = np.ones(region.shape, np.float32)
    paint[..., :3] = colour[cut] if colour.ndim == 3 else colour
    cover = alpha[cut].astype(np.float32)
    region[:] = cv2.blendLinear(paint, region.astype(np.float32), cover, 1 - cover)


def shade(scene: Scene, normal: tuple[Array, ...], albedo: Array, gloss: float = 0.0) -> Array:
    """Light a surface: `normal` is x, y, z, each (h, w); `albedo` (h, w, 3). Returns (h, w, 3)."""
    nx, ny, nz = (component.astype(np.float32) for component in normal)
    length = np.sqrt(nx * nx + ny * ny + nz * nz)
    facing = (nx * scene.sun[0] + ny * scene.sun[1] + nz * scene.sun[2]) / length
    light = scene.sky_strength * (0.78 - 0.28 * ny / length)
    light += scene.sun_strength * np.maximum(facing * 0.8 + 0.2, 0)
    lit = cv2.cvtColor(light, cv2.COLOR_GRAY2RGB) * albedo.astype(np.float32)
    if gloss:
        lit += cv2.cvtColor(gloss * np.maximum(facing, 0) ** 24, cv2.COLOR_GRAY2RGB)
    return np.asarray(lit)


def turn(
    scene: Scene,
    canvas: Array,
    axis: float | Array,
    top: float,
    radii: Array,
    albedo: Array,
    relief: float | Array = 0.5,
    gloss: float = 0.0,
) -> None:
    """Draw a body of revolution on `canvas`, one row for each of `radii` (n,), down from `top`.

    `axis` is the column of its axis, or one for each row (n,). `albedo` is (3,), then mottled here,
    or (n, w, 3); `relief` is the height of the skin, (n, w), or of random grain; w: `skin_shape`.
    """
    shape = skin_shape(radii)
    if albedo.ndim == 1:
        albedo = (0.86 + 0.22 * noise(scene.rng, *shape, 7))[..., None] * albedo
    skin = relief if isinstance(relief, np.ndarray) else noise(scene.rng, *shape, 3) * relief
    radii = radii.astype(np.float32)
    centre = np.zeros(len(radii), np.float32) + np.asarray(axis, np.float32)
    left = round(float(centre.mean())) - shape[1] // 2
    x = np.arange(shape[1], dtype=np.float32) - (centre[:, None] - left)
    radius = np.maximum(radii, 0.3)[:, None]
    slope = np.clip(np.gradient(radii), -5, 5)[:, None]
    alpha = np.clip((radius - np.abs(x)) / np.sqrt(1 + slope * slope) + 0.5, 0, 1)
    side = np.clip(x / radius, -1, 1)
    down, right = np.gradient(skin)
    normal = (side - right, -slope - down, np.sqrt(1.02 - side * side))
    over(canvas, shade(scene, normal, albedo, gloss), alpha, top, left)


def skin_shape(radii: Array) -> tuple[int, int]:
    """Rows and columns of the skin of a body of revolution, as `turn` wants it."""
    return len(radii), 2 * int(np.ceil(radii.max())) + 7


def ellipse(rise: float, fall: float, radius: float, power: float = 2.0) -> Array:
    """Radii of a rounded body: widest `rise` rows below its top and `fall` rows above its end."""
    y = np.arange(max(int(rise + fall), 2)) + 0.5 - rise
    t = np.clip(np.abs(np.where(y < 0, y / rise, y / fall)), 0, 1)
    return np.asarray(radius * (1 - t**power) ** (1 / power))


@cache
def ground(kind: str) -> Array:
    """Texture of the ground from above, square, uint8 RGB: thousands of leaves over dark soil."""
    number, length, girth, palest = GROUNDS[kind]
    rng = np.random.default_rng(number + length)
    soil = noise(rng, TEXTURE_SIDE, TEXTURE_SIDE, 9)[..., None] * np.array([80, 62, 44])
    texture = np.clip(soil, 10, 255).astype(np.uint8)
    for depth in np.linspace(0.55, 1, number):
        x, y = (int(v) for v in rng.integers(0, TEXTURE_SIDE, 2))
        tone = np.array(palest) * rng.normal(1, 0.06, 3) * depth * rng.uniform(0.45, 1)
        axes = int(length * rng.uniform(0.3, 0.6)), int(girth * rng.uniform(0.3, 0.6) + 0.5)
        bearing, bend = rng.uniform(0, 360), int(rng.integers(120, 181))
        for shift, shade in ((3, 0.3), (0, 1.0)):  # a shadow under each leaf
            leaf = (x + shift, y + shift), axes, bearing, -bend, bend, (tone * shade).tolist()
            cv2.ellipse(texture, *leaf, -1, cv2.LINE_AA)
    return np.asarray(texture)


@cache
def patchwork(lower: str, upper: str) -> Array:
    """Texture of ground `one` with patches of `two`, square, uint8 RGB."""
    rng = np.random.default_rng(len(lower) + len(upper))
    patch = (
        noise(rng, TEXTURE_SIDE, TEXTURE_SIDE, 90) + noise(rng, TEXTURE_SIDE, TEXTURE_SIDE, 30) / 2
    )
    mix = np.clip(patch * 5 - 3.2, 0, 1)
    return np.asarray(cv2.blendLinear(ground(lower), ground(upper), 1 - mix, mix))


def draw_background(scene: Scene) -> None:
    """Fill the image: two kinds of ground in patches and, above the horizon, a blurred wood."""
    rng, (height, width) = scene.rng, scene.image.shape[:2]
    tan, cos, focal = np.tan(scene.pitch), np.cos(scene.pitch), 1.1 * height
    first = max(int(height / 2 - focal * tan) + 20, 0)  # just below the horizon
    # From pixels to the ground plane, seen from `camera` texels above it; then a turn and a shift.
    camera, angle, shift = rng.uniform(240, 520), rng.uniform(0, 6.3), rng.uniform(0, 1000, 2)
    up = camera * cos
    lens = [[camera, 0, -camera * width / 2], [0, -up * tan, up * (focal + height / 2 * tan)]]
    world = np.array([*lens, [0, cos, (focal * tan - height / 2) * cos]])
    c, s = np.cos(angle), np.sin(angle)
    world = np.array([[c, -s, shift[0]], [s, c, shift[1]], [0, 0, 1]]) @ world
    world[:, 2] += world[:, 1] * first
    texture = patchwork(*(str(kind) for kind in rng.choice(list(GROUNDS), 2, replace=False)))
    size, flags = (width, height - first), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    ground = cv2.warpPerspective(texture, world, size, None, flags, cv2.BORDER_REFLECT)
    ground = ground.astype(np.float32)
    light = scene.sky_strength + scene.sun_strength * 0.7
    dapple = noise(rng, height - first, width, rng.uniform(50, 150), 0.5)
    dapple = np.clip(dapple * 2.2 - 0.4, 0.45, 1.1)
    tint = rng.normal(1, 0.05, 3) * rng.uniform(0.9, 1.5) * light / 255
    ground = cv2.transform(ground, np.diag(tint)) * cv2.cvtColor(dapple, cv2.COLOR_GRAY2RGB)
    rows = np.arange(first, height, dtype=np.float32)[:, None]
    far = np.clip(2 - rows / height * 4, 0, 1) + 0 * dapple
    over(ground, soften(ground, rng.uniform(3, 9)), far)
    scene.image[first:] = ground
    if first:
        scene.image[: first + 40] = wood(rng, first + 40, width) * light
        edge = np.clip((rows - first - 4) / 32 + 0.3 * (dapple - 0.7), 0, 1)
        over(scene.image, ground, edge, first)


def wood(rng: Generator, height: int, width: int) -> Array:
    """An out-of-focus wood (height, width, 3): foliage, trunks and discs of light."""
    size = height // 4 + 1, width // 4
    green = np.array([0.4, 0.46, 0.22]) * rng.normal(1, 0.1, 3) * rng.uniform(0.4, 1.8)
    wood: Array = ((noise(rng, *size, 14) + noise(rng, *size, 5)) * 0.6)[..., None] * green
    for _ in range(rng.integers(0, 7)):
        x, lean = rng.uniform(0, size[1]), rng.normal(0, 4)
        bark = (np.array([0.3, 0.24, 0.18]) * rng.uniform(0.3, 1.6)).tolist()
        girth = int(rng.integers(1, 9))
        cv2.line(wood, (int(x), size[0]), (int(x + lean), 0), bark, girth)
    wood = cv2.GaussianBlur(wood.astype(np.float32), (0, 0), rng.uniform(1, 3))
    for _ in range(rng.integers(0, 26)):
        x, y, radius = (int(v) for v in rng.uniform((0, 0, 1.5), (size[1], size[0], 6)))
        disc = cv2.circle(np.zeros(size, np.float32), (x, y), radius, rng.uniform(0.1, 0.5), -1)
        over(wood, np.array([0.95, 0.95, 0.75]), disc)
    return cv2.resize(cv2.GaussianBlur(wood, (0, 0), 0.8), (width, height))


def stand(scene: Scene, sprite: Array, foot: Array, tilt: float, blur: float = 0.0) -> None:
    """Paste an RGBA sprite (h, w, 4), bottom centre at `foot`, turned by `tilt` degrees."""
    height, width = sprite.shape[:2]
    sine = float(np.sin(np.radians(abs(tilt))))
    pad_x, pad_y = int(sine * height) + 12, int(sine * width / 2) + 12
    matrix = cv2.getRotationMatrix2D((width / 2, height - 1), tilt, 1.0)
    matrix[:, 2] += pad_x, pad_y
    size, base = (width + 2 * pad_x, height + 2 * pad_y), height + pad_y
    sprite = cv2.warpAffine(sprite, matrix, size)
    sprite = soften(sprite, blur) if blur > 0.6 else sprite
    alpha = np.ascontiguousarray(sprite[..., 3])
    left, top = int(foot[0]) - width // 2 - pad_x, int(foot[1]) - base
    lean, flat = scene.sun[0] * 0.9, 0.25 + 0.3 * np.sin(scene.pitch)
    fall = np.array([[1, lean, width - lean * base], [0, flat, base * (1 - flat)]])
    cast = cv2.warpAffine(alpha, fall, (size[0] + 2 * width, size[1]))
    cast = soften(cast, 3 + height * 0.02) * 0.7 * scene.sun_strength
    low = np.clip((np.arange(size[1]) - base + height * 0.4) / (height * 0.4), 0, 1)[:, None]
    contact = soften(np.roll(alpha, 4, 0), 4 + width * 0.03) * low.astype(np.float32) * 0.75
    under = cast[:, width : width + size[0]]
    np.maximum(under, contact, out=under)
    over(scene.image, np.zeros(3), cast, top, left - width)
    opaque = cv2.cvtColor(np.maximum(alpha, 1e-3), cv2.COLOR_GRAY2RGB)
    over(scene.image, cv2.cvtColor(sprite, cv2.COLOR_RGBA2RGB) / opaque, alpha, top, left)


def blank(height: float, width: float) -> Array:
    """An empty sprite, RGBA, (height, width, 4)."""
    return np.zeros((int(height), int(width), 4), np.float32)


def draw_foreground(scene: Scene) -> None:
    """Grass blades in front of the subject, then a few near the lens and out of focus."""
    rng, (height, width) = scene.rng, scene.image.shape[:2]
    t = np.linspace(0, 1, 10)
    for scale, blur, choices in ((1.0, 0.7, [0, 4, 14, 40]), (2.4, 8.0, [0, 0, 2, 5, 14])):
        layer, blades = np.zeros((height, width, 4), np.uint8), int(rng.choice(choices))
        for _ in range(blades):
            reach, girth = height * rng.uniform(0.08, 0.33) * scale, rng.uniform(1, 3) * scale**2
            root = np.array([rng.uniform(0, width), height * rng.uniform(0.86, 1.15)])
            rise = np.stack([rng.normal(0, 0.5) * t**2, -t * (1 - 0.2 * t)], 1) * reach
            side = np.stack([(1 - t) * girth, 0 * t], 1)
            outline = np.concatenate([rise - side, (rise + side)[::-1]]) + root
            tone = np.array([120, 145, 65]) * rng.uniform(0.4, 1.3) + rng.uniform(0, 40, 3)
            colour = (*(tone * (scene.sky_strength + scene.sun_strength * 0.4)).tolist(), 255)
            cv2.fillPoly(layer, [(outline * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)
        if blades:
            soft = soften(layer, blur).astype(np.float32) / 255
            scene.image[:] *= cv2.cvtColor(1 - soft[..., 3], cv2.COLOR_GRAY2RGB)
            scene.image[:] += cv2.cvtColor(soft, cv2.COLOR_RGBA2RGB)


def develop(scene: Scene) -> Array:
    """The camera: white balance, exposure, contrast, vignette, softness, noise; returns uint8."""
    rng, (height, width) = scene.rng, scene.image.shape[:2]
    warm, green = rng.normal(0, 0.08), rng.normal(1, 0.02)
    balance = np.array([1 + warm, green, 1 - warm]) * rng.uniform(0.85, 1.6)
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    vignette = (1 - rng.uniform(0.05, 0.28) * (x * x + y * y)).astype(np.float32)
    saturation = rng.uniform(0.7, 1.15)
    mix = np.diag(balance) @ (np.eye(3) * saturation + (1 - saturation) / 3)
    image: Array = cv2.transform(scene.image, mix) * cv2.cvtColor(vignette, cv2.COLOR_GRAY2RGB)
    image = cv2.pow(np.maximum(image, 0, out=image), rng.uniform(0.6, 0.95))
    image = image / np.maximum(image + 0.25, 1)  # highlights roll off
    if rng.random() < 0.15:  # missed focus
        image = soften(image, rng.uniform(1.5, 4.5))
    image = cv2.resize(image, None, fx=1.25, fy=1.25, interpolation=cv2.INTER_CUBIC)
    grain = rng.random(image.shape[:2], np.float32) - 0.5
    image = image + cv2.cvtColor(grain * np.float32(rng.uniform(0.02, 0.1)), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.convertScaleAbs(np.maximum(image, 0, out=image), alpha=255))
