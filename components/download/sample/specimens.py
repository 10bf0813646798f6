"""The subjects of the rendered sample: five species of fungi, and a table with a plate."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator

from components.download.sample.scenery import (
    Array,
    Scene,
    blank,
    ellipse,
    noise,
    over,
    pits,
    polygon,
    shade,
    skin_shape,
    soften,
    stand,
    turn,
)


def draw_specimens(scene: Scene, label: str) -> None:
    """Place the specimens of `label`, the furthest first; the others are smaller than the first."""
    rng, (height, width) = scene.rng, scene.image.shape[:2]
    draw, smallest, largest, most = SPECIMENS[label]
    size = rng.uniform(smallest, largest) * min(height, width)
    if rng.random() < 0.25:  # a poor photo, taken from too far away
        size *= rng.uniform(0.3, 0.6)
    foot = np.array([width * rng.uniform(0.25, 0.75), height * rng.uniform(0.66, 0.95)])
    spread = np.array([[width * 0.4, -height * 0.05], [0, height * 0.15]])
    if draw is elf_cup:
        spread = draw_twig(scene, foot, size)
    elif rng.random() < 0.3:
        draw_twig(scene, foot - (0, height * 0.08), height * 0.25)
    places = [(foot, size)]
    for _ in range(int(most * rng.random() ** (1 if draw is elf_cup else 2))):
        place = foot + rng.uniform(-1, 1, 2) @ spread - (0, height * 0.03)
        places.append((place, size * rng.uniform(0.4, 0.95)))
    for place, extent in sorted(places, key=lambda item: float(item[0][1])):
        extent = max(min(extent, place[1] * 0.97), 16.0)
        blur = abs(place[1] - foot[1]) / height * 6
        stand(scene, draw(scene, extent), place, rng.normal(0, 7), blur)


def fly_agaric(scene: Scene, size: float) -> Array:
    """Amanita muscaria, `size` over its larger extent: red cap with warts, ring, bulb."""
    rng, age = scene.rng, scene.rng.random()  # 0: a button, 1: a flat old cap
    radius = size * (0.24 + 0.24 * age)
    rise = radius * (1.0 - 0.7 * age) * rng.uniform(0.85, 1.1)
    below = scene.pitch < 0.5 and age > 0.3 and rng.random() < 0.5
    rim = radius * (0.18 if below else np.sin(scene.pitch) * (0.3 + 0.45 * age) + 0.1)
    canvas = blank(max(size, rise + rim + 9), 2 * radius + 24)
    middle, length = canvas.shape[1] / 2, canvas.shape[0] - rise - 4
    t = np.linspace(0, 1, int(length))
    stem = radius * (0.32 - 0.12 * age) * (1 + 0.2 * t + 0.7 * np.exp(-(((t - 0.92) / 0.09) ** 2)))
    stem *= np.minimum(1, np.sqrt((1 - t) * 14 + 0.1))
    cream = np.array([1.02, 0.98, 0.86]) * rng.uniform(0.85, 1.05)
    fibres = noise(rng, *skin_shape(stem), 3, 4) * 1.5
    fibres += np.where(t > 0.82, np.sin(t * 110), 0)[:, None]
    ring = radius * np.linspace(0.25, rng.uniform(0.35, 0.5), int(radius * 0.22) + 2)
    bend = middle + rng.normal(0, 0.04) * radius * np.sin(t * 3)
    cap = ellipse(rise, rim, radius, rng.uniform(1.9, 2.4))
    albedo, relief = warty(rng, cap, rise)
    if below:
        turn(scene, canvas, middle, 2, cap, albedo, relief)
        under = ellipse(rim, rim, radius * 0.97)
        y, x = np.indices(skin_shape(under))
        gills = 0.5 + 0.12 * np.sin(70 * np.arctan2((y - rim) / rim, (x - x.mean()) / radius))
        turn(scene, canvas, middle, 2 + rise - rim, under, gills[..., None] * cream)
    turn(scene, canvas, bend, rise + 2, stem, cream, fibres)
    if rng.random() < 0.8:
        turn(scene, canvas, middle, 2 + rise + length * rng.uniform(0.2, 0.4), ring, cream, 2.0)
    if not below:
        turn(scene, canvas, middle, 2, cap, albedo, relief, rng.uniform(0, 0.5))
    return canvas


def warty(rng: Generator, cap: Array, rise: float) -> tuple[Array, Array]:
    """Skin of a fly agaric cap of radii `cap` (n,): albedo (n, w, 3) and relief (n, w)."""
    (rows, breadth), radius = skin_shape(cap), float(cap.max())
    wart = np.zeros((rows, breadth), np.float32)
    number = int(rng.choice([3, 25, 60, 110]) * rng.uniform(0.6, 1.2))
    extent = radius * rng.uniform(0.05, 0.1) * (1.6 if number < 40 else 1)
    spokes = np.linspace(0, 2 * np.pi, 8)[:-1]
    for across, height in rng.uniform(-0.97, 0.97, (number, 2)):
        reach = extent * rng.uniform(0.4, 1.2) * rng.uniform(0.7, 1.2, 7)
        x = breadth / 2 + across * radius + np.cos(spokes) * reach * np.sqrt(1 - 0.8 * across**2)
        y = rise + height * (rise if height < 0 else rows - rise)
        y = y + np.sin(spokes) * reach * np.clip(1.4 * rows / breadth, 0.3, 1)
        if across**2 + height**2 < 0.97:
            wart = np.maximum(wart, polygon(np.stack([x, y], 1), rows, breadth))
    hue = np.array([0.86, 0.1, 0.05]) + np.array([0.1, 0.32, 0.04]) * rng.random() ** 2
    rind = 0.8 + 0.3 * noise(rng, rows, breadth, 18) + 0.12 * noise(rng, rows, breadth, 3)
    soft = cv2.GaussianBlur(wart, (0, 0), max(extent * 0.16, 0.6))
    skin = rind[..., None] * hue
    over(skin, np.array([1.0, 0.96, 0.84]) * rng.uniform(0.85, 1.0), wart)
    return skin, soft * extent * 0.35


def puffball(scene: Scene, size: float) -> Array:
    """Calvatia gigantea, `size` wide: a smooth white ball, at times cracked or soiled."""
    rng, height = scene.rng, size * scene.rng.uniform(0.75, 1.0)
    radii = ellipse(height * rng.uniform(0.46, 0.54), height * 0.47, size / 2, rng.uniform(2, 2.3))
    shape = skin_shape(radii)
    relief = noise(rng, *shape, size * 0.3) * size * rng.uniform(0.01, 0.06)
    relief += noise(rng, *shape, 4) * 0.4 + noise(rng, *shape, 14) * 0.5
    albedo = np.ones((*shape, 1)) * np.array([1.05, 1.02, 0.95]) * rng.uniform(0.8, 1.05)
    dirt = np.linspace(-3.5, 1.2, shape[0])[:, None] + 0.7 * noise(rng, *shape, 16)
    dirt = np.clip(dirt, rng.uniform(0, 0.15), 1) * noise(rng, *shape, 30) * rng.uniform(0.3, 0.9)
    over(albedo, np.array([0.45, 0.36, 0.22]), np.clip(dirt, 0, 1))
    if rng.random() < 0.35:  # the skin of an old ball cracks
        cells = pits(rng, *shape, size * rng.uniform(0.12, 0.3))
        cracks = np.clip((cells - 0.55) * 5, 0, 1) * np.clip(noise(rng, *shape, 40), 0, 1)
        albedo, relief = albedo * (1 - 0.3 * cracks[..., None]), relief - cracks * 1.5
    canvas = blank(shape[0] + 2, shape[1] + 8)
    lumps = (noise(rng, shape[0], 1, size * 0.4)[:, 0] - 0.5) * size * 0.05
    turn(scene, canvas, canvas.shape[1] / 2 + lumps, 1, radii, albedo, relief, 0.03)
    return canvas


def stinkhorn(scene: Scene, size: float) -> Array:
    """Phallus impudicus, `size` tall: an egg, a spongy white stem, a slimy olive cap, flies."""
    rng, girth = scene.rng, size * scene.rng.uniform(0.045, 0.085)
    if rng.random() < 0.08:  # still an egg, easily taken for a puffball
        return puffball(scene, size * 0.4)
    canvas = blank(size + 4, size * 0.55)
    middle, cap_rows = canvas.shape[1] / 2, int(size * rng.uniform(0.17, 0.26))
    t = np.linspace(0, 1, int(size * 0.86))
    stem = girth * (0.75 + 0.35 * np.sin(t * 2.4))
    bend = middle + rng.normal(0, 0.12) * size * (1 - t) * t
    sponge = pits(rng, *skin_shape(stem), max(girth * 0.28, 3.0)) * girth * 0.12
    white = np.array([1.0, 0.97, 0.88]) * rng.uniform(0.85, 1.02)
    turn(scene, canvas, bend, size * 0.12, stem, white, sponge)
    v = np.linspace(0, 1, cap_rows)
    cap = girth * rng.uniform(1.5, 1.9) * (0.3 + 0.7 * np.sin(v * 1.9) ** 0.9)
    cap *= np.minimum(1, np.sqrt((1 - v) * 9 + 0.02))
    cells = pits(rng, *skin_shape(cap), max(girth * 0.4, 4.0))
    bare = noise(rng, *skin_shape(cap), girth) * 1.2 - rng.uniform(0.1, 1.2)
    albedo = np.zeros((*cells.shape, 3)) + np.array([0.24, 0.22, 0.09]) * rng.uniform(0.6, 1.5)
    over(albedo, np.array([0.8, 0.77, 0.62]), np.clip(bare + cells * 0.3, 0, 0.9))
    turn(scene, canvas, bend[0], 4, cap, albedo, cells * girth * 0.4, rng.uniform(0.1, 0.5))
    for scale, tone in ((0.5, white), (0.28, np.array([0.1, 0.08, 0.06]))):  # the hole at the tip
        hole = ellipse(girth * 0.5 * scale, girth * 0.5 * scale, girth * scale)
        turn(scene, canvas, bend[0], 6 - girth * 0.3 * scale, hole, tone)
    egg = ellipse(size * rng.uniform(0.07, 0.12), size * 0.08, girth * rng.uniform(1.5, 2.0))
    shell = noise(rng, *skin_shape(egg), girth * 0.6) * girth * 0.3
    top = canvas.shape[0] - len(egg)
    turn(scene, canvas, middle, top, egg, np.array([0.92, 0.84, 0.74]), shell)
    for _ in range(rng.integers(1, 6) if rng.random() < 0.35 else 0):  # flies come for the slime
        x, y = bend[0] + rng.normal(0, girth * 0.7), cap_rows * rng.uniform(0.2, 1)
        fly = ellipse(girth * 0.22, girth * 0.22, girth * 0.13)
        turn(scene, canvas, x, y, fly, np.array([0.05, 0.06, 0.07]), gloss=0.6)
    return canvas


def earthstar(scene: Scene, size: float) -> Array:
    """Geastrum, `size` wide: a brown ball with a mouth on a star of five to eight fleshy rays."""
    rng, squash = scene.rng, float(np.clip(np.sin(scene.pitch) * 1.2, 0.4, 0.9))
    ball = size * rng.uniform(0.15, 0.22)
    canvas = blank(size * squash + ball * 1.6 + 8, size + 8)
    (height, width), number = canvas.shape[:2], int(rng.integers(5, 9))
    middle, row = width / 2, height - size * squash * 0.5 - 4
    flesh = np.array([0.78, 0.63, 0.48]) * rng.uniform(0.65, 1.2) * rng.normal(1, 0.05, 3)
    t, arch = np.linspace(0, 1, 9), rng.uniform(0.0, 0.12) * size
    grain = noise(rng, height, width, 2.5) * 0.5 + noise(rng, height, width, 12) * 0.3
    relief = cover = np.zeros((height, width), np.float32)
    bearings = np.arange(number) * 2 * np.pi / number + rng.uniform(0, 6)
    for bearing in sorted(bearings + rng.normal(0, 0.08, number), key=lambda a: float(np.sin(a))):
        reach = size / 2 * rng.uniform(0.75, 1.0)
        axis = np.array([np.cos(bearing), np.sin(bearing)])
        normal = np.array([-axis[1], axis[0]])
        girth = reach * np.tan(np.pi / number) * 0.6 * (1 - t) ** 0.75 * (1 + 1.1 * t)
        spine = np.outer(t, axis) * reach + np.outer(t * t, normal) * rng.normal(0, 0.12) * reach
        side = np.outer(girth, normal)
        outline = np.concatenate([spine + side, (spine - side)[::-1]]) * (1, squash)
        outline[:, 1] -= np.sin(np.concatenate([t, t[::-1]]) * np.pi) * arch
        mask = polygon(outline + np.array([middle, row]), height, width)
        inner = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
        relief = np.where(mask > 0.5, np.sqrt(inner + 0.5) * 1.6, relief)
        cover = np.maximum(cover, mask)
    down, right = (np.asarray(slope) for slope in np.gradient(relief + grain * 2))
    skin = (0.65 + 0.5 * grain - 0.25 * (relief < 2.2))[..., None] * flesh
    over(canvas, shade(scene, (-right, -squash - down, np.ones_like(down)), skin), cover)
    shadow = np.array([np.cos(t * 6.29) * 1.2, np.sin(t * 6.29) * squash]).T * ball + (middle, row)
    canvas[..., :3] *= 1 - 0.6 * soften(polygon(shadow, height, width), ball * 0.12)[..., None]
    radii = ellipse(ball * rng.uniform(0.85, 1.1), ball * 0.8, ball)
    tone = np.array([0.56, 0.47, 0.38]) * rng.uniform(0.6, 1.4) * rng.normal(1, 0.05, 3)
    top = row - len(radii) + ball * 0.4
    turn(scene, canvas, middle, top, radii, tone, 1.0)
    for scale, tint in ((0.34, 1.15), (0.24, 0.75), (0.1, 0.2)):  # the mouth: a ring, a hole
        mouth = ellipse(ball * scale * squash, ball * scale * squash, ball * scale)
        turn(scene, canvas, middle, top + ball * 0.6 * squash - len(mouth) / 2, mouth, tone * tint)
    return canvas


def elf_cup(scene: Scene, size: float) -> Array:
    """Sarcoscypha, `size` wide: a cup, scarlet and hollow inside, paler and downy outside."""
    rng, radius = scene.rng, size / 2
    squash = float(np.clip(np.sin(scene.pitch) * rng.uniform(0.7, 1.3), 0.2, 0.95))
    deep = radius * (rng.uniform(0.7, 1.2) * np.sqrt(1.05 - squash**2) + squash * 0.6)
    canvas = blank(radius * squash + deep + 6, size + 12)
    (height, width), row = canvas.shape[:2], radius * squash + 3
    middle, t = width / 2, np.linspace(0, 1, int(height - row - 2))
    scarlet = np.array([0.9, 0.09, 0.06]) * rng.uniform(0.8, 1.1) + [0, 0.16 * rng.random() ** 3, 0]
    pale = scarlet * 0.45 + np.array([0.9, 0.72, 0.6]) * rng.uniform(0.35, 0.55)
    turn(
        scene, canvas, middle, row, radius * np.maximum(0.97 * (1 - t**2.2) ** 0.6, 0.16), pale, 1.0
    )
    spokes = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    wave = 1 + rng.uniform(0, 0.1) * np.sin(spokes * rng.integers(2, 5) + rng.uniform(0, 6))
    rim = np.stack([np.cos(spokes), np.sin(spokes) * squash], 1) * radius * wave[:, None]
    y, x = np.indices((height, width))
    across, along = (x - middle) / radius, (y - row) / (radius * squash)
    reach = np.minimum(across**2 + along**2, 1)
    hollow = 0.6 + 0.4 * reach - 0.22 * (1 - along) * (1 - reach)
    hollow *= 0.85 + 0.25 * noise(rng, height, width, radius * 0.35)
    bowl = (-across, -along * 0.8 - 0.3, np.sqrt(1.1 - reach) + 0.2)
    lip = pale * (scene.sky_strength + 0.3 * scene.sun_strength)
    over(canvas, lip, polygon(rim + np.array([middle, row]), height, width))
    inside = polygon(rim * 0.94 + np.array([middle, row + 0.5]), height, width)
    over(canvas, shade(scene, bowl, hollow[..., None] * scarlet, 0.12), inside)
    return canvas


def draw_twig(scene: Scene, foot: Array, size: float) -> Array:
    """The dead, mossy branch that elf cups grow on; returns the spread (2, 2) of cups along it."""
    rng, length = scene.rng, int(scene.image.shape[1] * scene.rng.uniform(0.6, 1.5))
    girth = size * rng.uniform(0.18, 0.4) * (0.9 + 0.25 * noise(rng, length, 1, 60)[:, 0])
    shape, canvas = skin_shape(girth), blank(length, 2 * girth.max() + 12)
    bark, tuft = noise(rng, *shape, 3, 7), noise(rng, *shape, 2.5)
    moss = np.clip(noise(rng, *shape, 30) * 4 - rng.uniform(0.8, 3), 0, 1)
    albedo = (0.5 + bark[..., None] * 0.6) * np.array([0.46, 0.35, 0.25])
    over(albedo, (0.4 + 0.9 * tuft[..., None]) * np.array([0.42, 0.5, 0.17]), moss)
    lying = replace(scene, sun=scene.sun[[1, 0, 2]])  # drawn upright, then transposed
    turn(lying, canvas, canvas.shape[1] / 2, 0, girth, albedo, bark * 2 + moss * tuft * 4)
    tilt, middle = rng.normal(0, 18), rng.uniform(-0.25, 0.25) * length
    along = np.array([np.cos(np.radians(tilt)), -np.sin(np.radians(tilt))])
    sprite = np.ascontiguousarray(canvas.transpose(1, 0, 2))
    stand(scene, sprite, foot + along * middle + (0, girth.max() * 1.4), tilt)
    return np.array([along * min(size * 2.2, length * 0.3), [0, girth.max() * 0.7]])


def draw_table(scene: Scene) -> None:
    """A table with a plate and a cup: a picture of no mushroom."""
    rng, (height, width) = scene.rng, scene.image.shape[:2]
    edge = int(height * rng.uniform(0.2, 0.4))
    scene.image[:edge] = (0.8 + 0.2 * noise(rng, edge, width, 80))[..., None] * rng.uniform(
        0.3, 0.8, 3
    )
    grain = noise(rng, width, height - edge, 3, 40).T[..., None]
    scene.image[edge:] = (0.5 + 0.5 * grain) * np.array([0.55, 0.36, 0.2]) * rng.uniform(0.8, 1.4)
    middle, row, radius = int(width * rng.uniform(0.3, 0.5)), int(height * 0.76), int(width * 0.28)
    for reach, drop, tone in ((1.04, 7, 0.1), (1.0, 0, 0.62), (0.98, -2, 0.85), (0.66, 1, 0.7)):
        disc, axes = (
            np.zeros((height, width), np.float32),
            (int(radius * reach), int(radius * reach / 2)),
        )
        cv2.ellipse(disc, (middle, row + drop), axes, 0, 0, 360, 1.0, -1)
        over(scene.image, np.full(3, tone), cv2.GaussianBlur(disc, (0, 0), 1.0))
    glaze, wall = (
        rng.uniform(0.2, 0.9, 3),
        np.linspace(width * 0.1, width * 0.07, int(height * 0.24)),
    )
    cup, axis = blank(len(wall) + 40, width * 0.32), width * 0.16
    handle = (int(axis + wall[0]), len(wall) // 2 + 36), (int(wall[0] * 0.4), len(wall) // 4)
    cv2.ellipse(cup, *handle, 0, 0, 360, (*(glaze * 0.5).tolist(), 1.0), 7, cv2.LINE_AA)
    turn(scene, cup, axis, 36, wall, glaze, 0.0, 0.4)
    for scale, colour in ((1.0, glaze), (0.9, np.array([0.16, 0.09, 0.04]))):
        mouth = ellipse(wall[0] * 0.3 * scale, wall[0] * 0.3 * scale, wall[0] * scale)
        turn(scene, cup, axis, 36 - len(mouth) / 2, mouth, colour, 0.0)
    stand(scene, cup, np.array([width * rng.uniform(0.75, 0.85), height * 0.66]), 0)


# How each is drawn, its smallest and largest size as a share of the picture, and how many there are
# at most beside the first.
SPECIMENS = {
    "common stinkhorn": (stinkhorn, 0.4, 1.0, 3),
    "earthstar": (earthstar, 0.35, 0.95, 3),
    "fly agaric": (fly_agaric, 0.3, 0.95, 4),
    "giant puffball": (puffball, 0.25, 0.8, 3),
    "scarlet elf cup": (elf_cup, 0.15, 0.42, 8),
}
