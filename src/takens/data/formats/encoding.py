"""From bytes to text: byte order marks, encodings, and files that are no text at all."""

from __future__ import annotations

import numpy as np

from takens.core import Finding, InvalidInput


def decoded(raw: bytes, what: str) -> tuple[str, list[Finding]]:
    """The text behind `raw` with plain line ends, and what was noticed about its encoding."""
    findings: list[Finding] = []
    head = raw[:4096]
    for mark, codec in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\x00\x00", "utf-32"),
        (b"\x00\x00\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if head.startswith(mark):
            try:
                return _lines(raw.decode(codec), what, findings), findings
            except UnicodeDecodeError:
                raise InvalidInput(
                    f"{what} begins as {codec.removesuffix('-sig').upper()} text but is damaged "
                    f"or mixes encodings. Save it as UTF-8."
                ) from None
    nul = np.frombuffer(head[: len(head) // 2 * 2], np.uint8) == 0
    for parity, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(nul) >= 8 and nul[parity::2].mean() > 0.9 and nul[1 - parity :: 2].mean() < 0.1:
            findings.append(
                Finding("encoding", "The text is UTF-16 without a mark.", "Read as such.", "note")
            )
            return _lines(raw.decode(codec, "replace"), what, findings), findings
    if b"\x00" in raw:
        raise InvalidInput(
            f"{what} holds NUL bytes, so it is not plain text. Export it as CSV in UTF-8, or give "
            "it the ending of its true format."
        )
    control = np.isin(np.frombuffer(raw[:65536], np.uint8), np.r_[1:9, 14:27, 28:32])
    if control.mean() > 0.01:
        raise InvalidInput(
            f"{what} is binary, not text ({control.mean():.0%} control characters). Export it as "
            "CSV, or give it the ending of its true format."
        )
    try:
        return _lines(raw.decode("utf-8"), what, findings), findings
    except UnicodeDecodeError as error:
        findings.append(
            Finding(
                "encoding",
                f"The text is not UTF-8 (byte {error.start}).",
                "Read as Latin-1; letters in names may be wrong, numbers are not affected.",
            )
        )
        return _lines(raw.decode("latin-1"), what, findings), findings


def _lines(text: str, what: str, findings: list[Finding]) -> str:
    text = text.removeprefix("\ufeff")
    if "\x00" in text:
        raise InvalidInput(
            f"{what} holds NUL characters, so it is not plain text. Export it as CSV in UTF-8."
        )
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text[:200].lstrip().lower().startswith(("<!doctype", "<html", "<?xml")):
        raise InvalidInput(
            f"{what} is a web page or XML, not a table. Save the data itself as CSV."
        )
    if text[:1] in "{[" and '"' in text[:200] and ":" in text[:500]:
        raise InvalidInput(f"{what} looks like JSON. Save the data as CSV, one row per time.")
    return text
