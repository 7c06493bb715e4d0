"""litellm as a library; its proxy has a test of its own."""
import asyncio

import litellm
import pytest
from conftest import BASE_URL, EMBEDDING_MODEL, MODEL, TEXTS

SERVER = {"api_base": BASE_URL, "api_key": "none"}


# Both names stand for an OpenAI-compatible server; the second is litellm's own for vLLM.
@pytest.fixture(params=["openai", "hosted_vllm"])
def chat(request, greedy):
    return {**greedy, **SERVER, "model": f"{request.param}/{MODEL}"}


def test_completion(chat):
    response = litellm.completion(**chat)
    assert response.choices[0].message.content.strip()
    assert response.choices[0].finish_reason == "length"
    assert response.usage.completion_tokens == 24


def test_stream(chat):
    whole = litellm.completion(**chat).choices[0].message.content
    chunks = list(litellm.completion(**chat, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    assert litellm.stream_chunk_builder(chunks).usage.completion_tokens == 24


def test_async(chat):
    response = asyncio.run(litellm.acompletion(**chat))
    assert response.choices[0].message.content.strip()


def test_text_completion():
    response = litellm.text_completion(
        model=f"text-completion-openai/{MODEL}", prompt="Once upon a time", max_tokens=8, temperature=0, **SERVER
    )
    assert response.choices[0].text.strip()


def test_an_error_keeps_its_class_and_message(chat):
    with pytest.raises(litellm.BadRequestError, match="'temperature' is 9, expected a number from 0 to 2"):
        litellm.completion(**{**chat, "temperature": 9})


@pytest.fixture(params=["openai", "hosted_vllm"])
def embedder(request):
    return f"{request.param}/{EMBEDDING_MODEL}"


@pytest.mark.parametrize("fields", [{}, {"encoding_format": "float"}])
def test_embedding(embedder, fields, expected):
    answer = litellm.embedding(model=embedder, input=TEXTS, **fields, **SERVER)
    assert [row["embedding"] for row in answer.data] == expected
    assert answer.usage.prompt_tokens > len(TEXTS)


def test_embedding_async(embedder, expected):
    answer = asyncio.run(litellm.aembedding(model=embedder, input=TEXTS[:1], **SERVER))
    assert [row["embedding"] for row in answer.data] == expected[:1]


def test_rerank():
    answer = litellm.rerank(
        model=f"hosted_vllm/{EMBEDDING_MODEL}", query="Where is the kitten?", documents=TEXTS[:3], top_n=2, **SERVER
    )
    assert [result["index"] for result in answer.results] == [2, 0]
    assert answer.results[0]["document"]["text"] == TEXTS[2]


def test_an_error_of_embeddings_keeps_its_class_and_message(embedder):
    with pytest.raises(litellm.BadRequestError, match="dimensions"):
        litellm.embedding(model=embedder, input=TEXTS, dimensions=100_000, **SERVER, allowed_openai_params=["dimensions"])
