"""What data alone tell: state space, determinism, exponents, dimensions, and the kind of motion."""

from takens.series.decision import Evidence as Evidence
from takens.series.dimension import CorrelationDimension as CorrelationDimension
from takens.series.dimension import correlation_dimension as correlation_dimension
from takens.series.dimension import eckmann_ruelle_ceiling as eckmann_ruelle_ceiling
from takens.series.embedding import Embedding as Embedding
from takens.series.embedding import embedding as embedding
from takens.series.entropy import PermutationEntropy as PermutationEntropy
from takens.series.entropy import permutation_entropy as permutation_entropy
from takens.series.exponent import LargestLyapunov as LargestLyapunov
from takens.series.exponent import largest_lyapunov as largest_lyapunov
from takens.series.motion import Motion as Motion
from takens.series.motion import kind_of_motion as kind_of_motion
from takens.series.spectrum import Spectrum as Spectrum
from takens.series.spectrum import spectrum as spectrum
from takens.series.stationarity import Stationarity as Stationarity
from takens.series.stationarity import stationarity as stationarity
from takens.series.sufficiency import Sufficiency as Sufficiency
from takens.series.sufficiency import data_sufficiency as data_sufficiency
from takens.series.surrogates import SurrogateTest as SurrogateTest
from takens.series.surrogates import surrogate_test as surrogate_test
from takens.series.surrogates import surrogate_tests as surrogate_tests
