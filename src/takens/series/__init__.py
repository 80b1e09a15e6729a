"""What data alone tell: state space, determinism, exponents, dimensions, and the kind of motion."""

from takens.series.boxes import GeneralisedDimensions as GeneralisedDimensions
from takens.series.boxes import box_dimension as box_dimension
from takens.series.boxes import generalised_dimensions as generalised_dimensions
from takens.series.boxes import information_dimension as information_dimension
from takens.series.change_points import ChangePoints as ChangePoints
from takens.series.change_points import change_points as change_points
from takens.series.complexity import StatisticalComplexity as StatisticalComplexity
from takens.series.complexity import statistical_complexity as statistical_complexity
from takens.series.coordinates import delay_coordinates as delay_coordinates
from takens.series.cross_prediction import CrossPrediction as CrossPrediction
from takens.series.cross_prediction import cross_prediction as cross_prediction
from takens.series.data_spectrum import ObservedLyapunovSpectrum as ObservedLyapunovSpectrum
from takens.series.data_spectrum import (
    lyapunov_spectrum_from_data as lyapunov_spectrum_from_data,
)
from takens.series.decision import Evidence as Evidence
from takens.series.dimension import CorrelationDimension as CorrelationDimension
from takens.series.dimension import correlation_dimension as correlation_dimension
from takens.series.dimension import eckmann_ruelle_ceiling as eckmann_ruelle_ceiling
from takens.series.divergence import DivergenceExponent as DivergenceExponent
from takens.series.divergence import divergence_exponent as divergence_exponent
from takens.series.embedding import Embedding as Embedding
from takens.series.embedding import embedding as embedding
from takens.series.entropy import PermutationEntropy as PermutationEntropy
from takens.series.entropy import permutation_entropy as permutation_entropy
from takens.series.exponent import LargestLyapunov as LargestLyapunov
from takens.series.exponent import largest_lyapunov as largest_lyapunov
from takens.series.finite_size import FiniteSizeLyapunov as FiniteSizeLyapunov
from takens.series.finite_size import finite_size_lyapunov as finite_size_lyapunov
from takens.series.higuchi import HiguchiDimension as HiguchiDimension
from takens.series.higuchi import higuchi_dimension as higuchi_dimension
from takens.series.information import DelayedInformation as DelayedInformation
from takens.series.information import delayed_information as delayed_information
from takens.series.lempel_ziv import LempelZiv as LempelZiv
from takens.series.lempel_ziv import lempel_ziv_complexity as lempel_ziv_complexity
from takens.series.local_dimension import LocalDimension as LocalDimension
from takens.series.local_dimension import local_dimension as local_dimension
from takens.series.local_global import LocalGlobalCurve as LocalGlobalCurve
from takens.series.local_global import local_global_prediction as local_global_prediction
from takens.series.motion import Motion as Motion
from takens.series.motion import kind_of_motion as kind_of_motion
from takens.series.multiscale import MultiscaleEntropy as MultiscaleEntropy
from takens.series.multiscale import multiscale_entropy as multiscale_entropy
from takens.series.noise_level import NoiseLevel as NoiseLevel
from takens.series.noise_level import noise_level as noise_level
from takens.series.noise_reduction import NoiseReduction as NoiseReduction
from takens.series.noise_reduction import noise_reduction as noise_reduction
from takens.series.nonuniform import NonuniformEmbedding as NonuniformEmbedding
from takens.series.nonuniform import nonuniform_embedding as nonuniform_embedding
from takens.series.predictability import PredictionError as PredictionError
from takens.series.predictability import prediction_error as prediction_error
from takens.series.recurrence import RecurrencePlot as RecurrencePlot
from takens.series.recurrence import recurrence_plot as recurrence_plot
from takens.series.recurrence_dimension import (
    RecurrenceTimeDimension as RecurrenceTimeDimension,
)
from takens.series.recurrence_dimension import (
    recurrence_time_dimension as recurrence_time_dimension,
)
from takens.series.recurrence_network import RecurrenceNetwork as RecurrenceNetwork
from takens.series.recurrence_network import recurrence_network as recurrence_network
from takens.series.recurrence_pairs import cross_recurrence as cross_recurrence
from takens.series.recurrence_pairs import joint_recurrence as joint_recurrence
from takens.series.recurrence_quantification import (
    RecurrenceQuantification as RecurrenceQuantification,
)
from takens.series.recurrence_quantification import (
    recurrence_quantification as recurrence_quantification,
)
from takens.series.recurrence_windows import RecurrenceWindows as RecurrenceWindows
from takens.series.recurrence_windows import recurrence_windows as recurrence_windows
from takens.series.sample_entropy import SampleEntropy as SampleEntropy
from takens.series.sample_entropy import fuzzy_entropy as fuzzy_entropy
from takens.series.sample_entropy import sample_entropy as sample_entropy
from takens.series.sampling import Sampling as Sampling
from takens.series.sampling import sampling as sampling
from takens.series.singular import SingularEmbedding as SingularEmbedding
from takens.series.singular import singular_embedding as singular_embedding
from takens.series.spectral_entropy import SpectralEntropy as SpectralEntropy
from takens.series.spectral_entropy import spectral_entropy as spectral_entropy
from takens.series.spectrum import Spectrum as Spectrum
from takens.series.spectrum import spectrum as spectrum
from takens.series.stationarity import Stationarity as Stationarity
from takens.series.stationarity import stationarity as stationarity
from takens.series.sufficiency import Sufficiency as Sufficiency
from takens.series.sufficiency import data_sufficiency as data_sufficiency
from takens.series.surrogate_data import SurrogateData as SurrogateData
from takens.series.surrogate_data import surrogate_data as surrogate_data
from takens.series.surrogates import SurrogateTest as SurrogateTest
from takens.series.surrogates import surrogate_test as surrogate_test
from takens.series.surrogates import surrogate_tests as surrogate_tests
from takens.series.symbolic import WordEntropy as WordEntropy
from takens.series.symbolic import dispersion_entropy as dispersion_entropy
from takens.series.symbolic import slope_entropy as slope_entropy
from takens.series.time_reversal import TimeReversal as TimeReversal
from takens.series.time_reversal import time_reversal as time_reversal
from takens.series.unit_root import LevelStationarity as LevelStationarity
from takens.series.unit_root import UnitRoot as UnitRoot
from takens.series.unit_root import level_stationarity as level_stationarity
from takens.series.unit_root import unit_root as unit_root
from takens.series.windowed import Windowed as Windowed
from takens.series.windowed import windowed as windowed
from takens.series.zero_one import ZeroOneTestOfData as ZeroOneTestOfData
from takens.series.zero_one import zero_one_test_of_data as zero_one_test_of_data
