"""Does the model behave like the data? Backtests, forecast skill, long runs."""

from takens.validate.backtest import backtest as backtest
from takens.validate.backtest import default_estimators as default_estimators
from takens.validate.judgement import BlowUp as BlowUp
from takens.validate.judgement import LawJudgement as LawJudgement
from takens.validate.law import judge_law as judge_law
from takens.validate.longrun import LongRun as LongRun
from takens.validate.longrun import long_run as long_run
from takens.validate.result import Backtest as Backtest
from takens.validate.result import Example as Example
