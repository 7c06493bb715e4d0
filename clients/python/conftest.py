import os

import pytest

BASE_URL = f"{os.environ['KVASIR_URL']}/v1"
MODEL = os.environ["KVASIR_SERVED"]


@pytest.fixture
def greedy():
    """A chat whose answer is the same each time, and as long as it may be."""
    messages = [{"role": "user", "content": "Name three colours."}]
    return {"model": MODEL, "messages": messages, "temperature": 0, "max_tokens": 24}
