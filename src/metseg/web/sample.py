"""A study that belongs to nobody, so that a first user has something to look at."""

from __future__ import annotations

import streamlit as st

from metseg.synthetic import synthetic_study
from metseg.web.uploads import Upload, pack_study

_SEED = 2
_SLICES = 28


@st.cache_resource(show_spinner="Drawing a synthetic head with lesions", max_entries=1)
def sample_upload() -> Upload:
    """The synthetic head, drawn once for all users: no patient's data is in it."""
    return pack_study(synthetic_study(seed=_SEED, slices=_SLICES))
