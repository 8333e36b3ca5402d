"""Tests of this folder need torch; `make test-torch` has an environment for them."""

import pytest

pytest.importorskip("torch", reason="torch is not installed; run `make test-torch`")
