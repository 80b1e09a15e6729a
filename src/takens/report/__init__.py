"""The main job: from data to a verdict with its evidence, on a page that opens offline."""

from takens.report.law import Discovery as Discovery
from takens.report.law import discover as discover
from takens.report.pipeline import analyse as analyse
from takens.report.result import Report as Report
from takens.report.training import TrainingReport as TrainingReport
from takens.report.training import training as training
from takens.report.verdict import Verdict as Verdict
