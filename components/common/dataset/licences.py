"""Licences of photos: reading what sources write, and deciding what may be taken."""

import re
from dataclasses import dataclass

from components.common.base.errors import InputError

PUBLIC_DOMAIN = "pdm"
# In the order of how little they ask. No-derivatives licences are known only to be refused: a
# resized photo is a derivative.
FAMILIES = ("cc0", PUBLIC_DOMAIN, "cc-by", "cc-by-sa", "cc-by-nc", "cc-by-nc-sa")
DEFAULT_LICENCES = "cc0,cc-by,cc-by-sa"
IMAGENET_TERMS = "ImageNet terms of access: non-commercial research and education only"

_DEED = re.compile(
    r"creativecommons\.org/(licenses|publicdomain)/([a-z-]+)/(\d\.\d)(?:/([a-z]{2,3})\b)?"
)
_CODE = re.compile(
    r"cc[ _-]by(?P<terms>(?:[ _-](?:nc|sa|nd))*)"
    r"(?:[ _-](?P<version>\d[._]\d)(?:[ _-](?P<port>[a-z]{2,3}))?)?"
    r"(?: international| unported| generic)?"
)
_CC0 = re.compile(r"cc[ _-]?(?:0|zero)(?:[ _-]1[._]0)?(?:[ _-]universal)?")
_PUBLIC_DOMAIN = re.compile(r"(?:cc[ _-])?(?:pdm?|public[ _-]domain)(?:[ _-]mark)?(?:[ _-]1[._]0)?")


@dataclass(frozen=True)
class Licence:
    """A Creative Commons licence or mark.

    Attributes:
        family: "cc0", "pdm" (in the public domain), "cc-by", "cc-by-nc-sa", …
        version: "4.0", with the country of a ported one: "3.0/de"; empty where it is not known.
    """

    family: str
    version: str = ""

    @property
    def spdx(self) -> str:
        """The SPDX identifier, such as "CC-BY-4.0"."""
        name = "CC-PDM" if self.family == PUBLIC_DOMAIN else self.family.upper()
        return f"{name}-{self.version}".replace("/", "-").upper().rstrip("-")

    @property
    def name(self) -> str:
        """As people write it: "CC BY 4.0"."""
        kind = {"cc0": "CC0", PUBLIC_DOMAIN: "Public domain"}.get(
            self.family, "CC " + self.family.removeprefix("cc-").upper()
        )
        return f"{kind} {self.version.replace('/', ' ').upper()}".strip()

    @property
    def url(self) -> str:
        """The page of the licence; empty where the version is not known."""
        if not self.version:
            return ""
        kind = {"cc0": "publicdomain/zero", PUBLIC_DOMAIN: "publicdomain/mark"}.get(
            self.family, f"licenses/{self.family.removeprefix('cc-')}"
        )
        return f"https://creativecommons.org/{kind}/{self.version}/"


def parse(text: str) -> Licence | None:
    """The licence that a text names, or None.

    Reads addresses of deeds, SPDX identifiers, and what iNaturalist, GBIF and Commons write:
    "cc-by", "CC_BY_NC_4_0", "CC BY-SA 3.0 de", "Public domain".
    """
    plain = " ".join(text.strip().lower().split())
    deeds = {_of_deed(deed) for deed in _DEED.finditer(plain)}
    if deeds:
        return deeds.pop() if len(deeds) == 1 else None  # of two, it is not known which holds
    if _CC0.fullmatch(plain):
        return Licence("cc0", "1.0")
    if _PUBLIC_DOMAIN.fullmatch(plain):
        return Licence(PUBLIC_DOMAIN, "1.0")
    code = _CODE.fullmatch(plain)
    if not code:
        return None
    version = (code["version"] or "").replace("_", ".")
    return Licence(_family(code["terms"]), version + (f"/{code['port']}" if code["port"] else ""))


def check_licences(text: str) -> frozenset[str]:
    """The families that `--licences` names. Who takes CC0 takes the public domain too.

    Raises:
        InputError: it names none, or one that is not known or forbids derivatives.
    """
    asked = {"-".join(part.lower().split()) for part in text.split(",") if part.strip()}
    for family in sorted(asked):
        if "nd" in family.split("-"):
            raise InputError(
                f"--licences: {family} forbids derivatives, and a resized photo is one: these "
                "are never taken"
            )
        if family not in FAMILIES:
            raise InputError(f"--licences: {family!r} is not one of {', '.join(FAMILIES)}")
    if not asked:
        raise InputError(f"--licences names none: expected some of {', '.join(FAMILIES)}")
    return frozenset(asked | ({PUBLIC_DOMAIN} if "cc0" in asked else set()))


def is_non_commercial(text: str) -> bool:
    """True where the licence or the terms allow non-commercial use only."""
    licence = parse(text)
    return text == IMAGENET_TERMS or bool(licence and "nc" in licence.family.split("-"))


def _of_deed(deed: re.Match[str]) -> Licence | None:
    """The licence whose page was found."""
    kind, version = deed[2], deed[3] + (f"/{deed[4]}" if deed[4] else "")
    if deed[1] == "publicdomain":
        family = {"zero": "cc0", "mark": PUBLIC_DOMAIN}.get(kind)
        return Licence(family, version) if family else None
    return Licence(_family(kind.removeprefix("by")), version) if kind[:2] == "by" else None


def _family(terms: str) -> str:
    """The family of "-nc-sa" or "_nd", whatever separates the words and in whatever order."""
    words = re.findall("nc|sa|nd", terms)
    return "-".join(["cc-by", *(term for term in ("nc", "sa", "nd") if term in words)])
