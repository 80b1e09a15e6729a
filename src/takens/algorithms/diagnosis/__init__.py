"""What becomes of a training run, from a system, a record or a file."""

from takens.algorithms.diagnosis.door import diagnose as diagnose
from takens.algorithms.diagnosis.result import TrainingAdvice as TrainingAdvice
from takens.algorithms.diagnosis.result import TrainingDiagnosis as TrainingDiagnosis
from takens.algorithms.diagnosis.result import TrainingEvidence as TrainingEvidence
