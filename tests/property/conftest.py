"""How many programs are written: GREENLOOP_PROPERTY_PROFILE is quick, ci (default) or nightly."""

import os

import pytest
from hypothesis import HealthCheck, settings

# Its assertions are as much worth explaining as those of the tests.
pytest.register_assert_rewrite("comparison")

_COMMON = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
    "print_blob": True,
}
settings.register_profile("quick", max_examples=150, **_COMMON)
settings.register_profile("ci", max_examples=1000, **_COMMON)
settings.register_profile("nightly", max_examples=50_000, **_COMMON)
settings.load_profile(os.environ.get("GREENLOOP_PROPERTY_PROFILE", "ci"))
