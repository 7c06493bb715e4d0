import os

import httpx
import pytest

BASE_URL = f"{os.environ['KVASIR_URL']}/v1"
MODEL = os.environ["KVASIR_SERVED"]
EMBEDDING_MODEL = os.environ["KVASIR_EMBEDDING"]
TEXTS = ["A cat sleeps on the sofa.", "Interest rates rose again.", "A kitten naps on a couch.", "日本語"]


@pytest.fixture
def greedy():
    """A chat whose answer is the same each time, and as long as it may be."""
    messages = [{"role": "user", "content": "Name three colours."}]
    return {"model": MODEL, "messages": messages, "temperature": 0, "max_tokens": 24}


@pytest.fixture(scope="session")
def expected():
    """What the server answers for the texts, read without a client."""
    body = {"model": EMBEDDING_MODEL, "input": TEXTS}
    data = httpx.post(f"{BASE_URL}/embeddings", json=body).raise_for_status().json()["data"]
    vectors = [row["embedding"] for row in sorted(data, key=lambda row: row["index"])]
    dot = lambda one, other: sum(a * b for a, b in zip(one, other))
    assert dot(vectors[0], vectors[2]) > 0.5 > 0.2 > dot(vectors[0], vectors[1])
    return vectors
