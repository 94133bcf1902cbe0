"""Where the user is, and how engines name that."""

from dataclasses import dataclass

from graph.errors import Json

_CHARS = 100
#: The language most pages of a country are in.
_LANGUAGES = """
 AR:es AT:de AU:en BE:fr BG:bg BR:pt CA:en CH:de CL:es CN:zh CO:es CZ:cs DE:de DK:da EE:et ES:es FI:fi FR:fr GB:en
 GR:el HK:zh HR:hr HU:hu ID:id IE:en IL:he IN:en IT:it JP:ja KR:ko LT:lt LV:lv MX:es MY:ms NL:nl NO:no NZ:en PE:es
 PH:en PL:pl PT:pt RO:ro RU:ru SE:sv SG:en SI:sl SK:sk TH:th TR:tr TW:zh UA:uk US:en VN:vi ZA:en
"""
#: As DuckDuckGo calls those that it does not call like everybody else. Source: its list of regions, `kl`.
_REGIONS = {
    "CN": "cn-zh", "GB": "uk-en", "HK": "hk-tzh", "JP": "jp-jp", "KR": "kr-kr", "SI": "sl-sl", "TW": "tw-tzh",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Whatever is not known is empty."""

    #: Two letters, in upper case.
    country: str = ""
    region: str = ""
    city: str = ""
    timezone: str = ""

    @classmethod
    def of(cls, location: Json) -> "Place":
        """Of a `user_location` that was checked."""
        region, city, timezone = (_line(location[name]) for name in ("region", "city", "timezone"))
        return cls((location["country"] or "").upper(), region, city, timezone)

    @property
    def told(self) -> str:
        """For a model that is to word a query; empty where nothing is known."""
        where = ", ".join(part for part in (self.city, self.region, self.country) if part)
        zone = f"time zone {self.timezone}" if self.timezone else ""
        return "; ".join(part for part in (where, zone) if part)

    @property
    def locale(self) -> str:
        """`de-DE`; empty where the country's language is not known."""
        return f"{self._language}-{self.country}" if self._language else ""

    @property
    def duck(self) -> str:
        """As DuckDuckGo names it; the United States where it does not."""
        if self.country in _REGIONS:
            return _REGIONS[self.country]
        return f"{self.country.lower()}-{self._language}" if self._language else "us-en"

    @property
    def _language(self) -> str:
        """Empty where it is not known."""
        return _LANGUAGES.partition(f" {self.country}:")[2][:2] if self.country else ""


def _line(said: str | None) -> str:
    """Without what could end a line."""
    return " ".join("".join(char if char.isprintable() else " " for char in said or "").split())[:_CHARS]
