"""Colours as datasets store them: 8-bit sRGB without transparency."""

import io

import numpy as np
from PIL import Image, ImageCms


def is_srgb(profile: bytes) -> bool:
    """True for an ICC profile that calls itself sRGB."""
    return b"sRGB" in profile or b"s\0R\0G\0B" in profile


def to_srgb(image: Image.Image) -> Image.Image:
    """The picture as 8-bit sRGB, transparency on white."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16") or image.mode == "I":
        pixels = np.asarray(image).astype(np.float64)
        image = Image.fromarray((pixels / max(pixels.max(), 65535) * 255).astype(np.uint8))
    if profile and not is_srgb(profile) and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile, or one of other colours: the plain conversion below
    if image.has_transparency_data:
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        white.alpha_composite(rgba)
        return white.convert("RGB")
    return image.convert("RGB")
