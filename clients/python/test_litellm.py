"""litellm as a library; its proxy has a test of its own."""
import asyncio

import litellm
import pytest
from conftest import BASE_URL, MODEL

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
