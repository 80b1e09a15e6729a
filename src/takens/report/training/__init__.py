"""From the log of a training run to a diagnosis on a page and in files: the work of ``takens training``."""

from takens.report.training.pipeline import training as training
from takens.report.training.report import TrainingReport as TrainingReport
