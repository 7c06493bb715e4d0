"""Embeddings, by the clients of OpenAI, synchronous and asynchronous."""
import asyncio
import base64
import struct

import openai
import pytest
from conftest import BASE_URL, EMBEDDING_MODEL, MODEL, TEXTS
from openai import AsyncOpenAI, OpenAI

client = OpenAI(base_url=BASE_URL, api_key="none", max_retries=0)


def vectors_of(answer):
    return [list(row.embedding) for row in answer.data]


def test_base64_is_the_default(expected):
    raw = client.embeddings.with_raw_response.create(model=EMBEDDING_MODEL, input=TEXTS)
    assert b'"encoding_format":"base64"' in raw.http_request.content
    answer = raw.parse()
    assert answer.object == "list" and answer.model == EMBEDDING_MODEL
    assert [(row.index, row.object) for row in answer.data] == [(i, "embedding") for i in range(len(TEXTS))]
    assert vectors_of(answer) == expected
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > len(TEXTS)


def test_formats_by_name(expected):
    floats = client.embeddings.create(model=EMBEDDING_MODEL, input=TEXTS, encoding_format="float")
    assert vectors_of(floats) == expected
    [row] = client.embeddings.create(model=EMBEDDING_MODEL, input=TEXTS[0], encoding_format="base64").data
    assert list(struct.unpack(f"<{len(expected[0])}f", base64.b64decode(row.embedding))) == expected[0]


def test_fewer_dimensions_and_token_ids():
    answer = client.embeddings.create(model=EMBEDDING_MODEL, input=TEXTS, dimensions=64)
    for vector in vectors_of(answer):
        assert len(vector) == 64 and sum(x * x for x in vector) == pytest.approx(1, abs=1e-5)
    [one] = vectors_of(client.embeddings.create(model=EMBEDDING_MODEL, input=[101, 4937, 102]))
    many = client.embeddings.create(model=EMBEDDING_MODEL, input=[[101, 3899, 102], [101, 4937, 102]])
    assert vectors_of(many)[1] == one


def test_errors():
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model=EMBEDDING_MODEL, input="a", dimensions=100_000)
    assert refused.value.param == "dimensions" and refused.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError, match="tokens"):
        client.embeddings.create(model=EMBEDDING_MODEL, input="word " * 1000)
    for name in (MODEL, "text-embedding-3-small"):
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model=name, input="a")


def test_async_many_at_once(expected):
    async def ask():
        async with AsyncOpenAI(base_url=BASE_URL, api_key="none", max_retries=0) as client:
            formats = [{}, {"encoding_format": "float"}]
            calls = [
                client.embeddings.create(model=EMBEDDING_MODEL, input=text, **formats[i % 2])
                for i, text in enumerate(TEXTS * 8)
            ]
            return await asyncio.gather(*calls)

    answers = asyncio.run(ask())
    assert [vectors_of(answer)[0] for answer in answers] == expected * 8
