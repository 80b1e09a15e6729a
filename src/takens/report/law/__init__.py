"""From data to equations, judged, on a page and in files: the work of ``takens discover``."""

from takens.report.law.discovery import Discovery as Discovery
from takens.report.law.pipeline import discover as discover
