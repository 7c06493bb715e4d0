"""The synchronous client of OpenAI."""
import openai
import pytest
from conftest import BASE_URL, EMBEDDING_MODEL, MODEL
from openai import OpenAI

client = OpenAI(base_url=BASE_URL, api_key="none", max_retries=0)


def test_chat(greedy):
    completion = client.chat.completions.create(**greedy)
    assert completion.object == "chat.completion" and completion.model == MODEL
    assert completion._request_id
    [choice] = completion.choices
    assert choice.message.role == "assistant" and choice.message.content.strip()
    assert choice.finish_reason == "length"
    usage = completion.usage
    assert usage.completion_tokens == 24
    assert usage.total_tokens == usage.prompt_tokens + 24
    assert 0 <= usage.prompt_tokens_details.cached_tokens < usage.prompt_tokens


def test_chat_stream(greedy):
    whole = client.chat.completions.create(**greedy).choices[0].message.content
    stream = client.chat.completions.create(**greedy, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == whole
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "length"
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 24


def test_stream_helper(greedy):
    # The helper takes an answer that was cut off for one that cannot be parsed.
    with client.chat.completions.stream(**{**greedy, "max_tokens": 200}, stop="\n") as stream:
        events = list(stream)
        final = stream.get_final_completion()
    text = "".join(event.delta for event in events if event.type == "content.delta")
    assert text == final.choices[0].message.content
    assert [event.content for event in events if event.type == "content.done"] == [text]


def test_parse_of_plain_text(greedy):
    completion = client.chat.completions.parse(**{**greedy, "max_tokens": 200}, stop="\n", response_format={"type": "text"})
    assert completion.choices[0].message.parsed is None
    assert completion.choices[0].message.content.strip()


def test_chat_logprobs(greedy):
    completion = client.chat.completions.create(**greedy, logprobs=True, top_logprobs=2)
    content = completion.choices[0].logprobs.content
    assert b"".join(bytes(token.bytes) for token in content).decode() == completion.choices[0].message.content
    for token in content:
        assert token.logprob in [top.logprob for top in token.top_logprobs]


def test_choices_repeat_with_their_seed(greedy):
    draw = {**greedy, "n": 3, "seed": 7, "temperature": 1}
    texts = lambda: [choice.message.content for choice in client.chat.completions.create(**draw).choices]
    first = texts()
    assert len(set(first)) > 1
    assert texts() == first


def test_completions():
    prompt = ["One two three", "A B C"]
    completion = client.completions.create(model=MODEL, prompt=prompt, echo=True, max_tokens=4, temperature=0)
    assert [choice.index for choice in completion.choices] == [0, 1]
    assert all(choice.text.startswith(start) for choice, start in zip(completion.choices, prompt))
    body = {"model": MODEL, "prompt": prompt[0], "max_tokens": 8, "temperature": 0, "logprobs": 2}
    whole = client.completions.create(**body).choices[0]
    chunks = list(client.completions.create(**body, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.text
    assert [token for chunk in chunks for token in chunk.choices[0].logprobs.tokens] == whole.logprobs.tokens


def test_extra_body_carries_fields_of_vllm(greedy):
    extra = {"top_k": 1, "return_token_ids": True, "stop_token_ids": [2]}
    completion = client.chat.completions.create(**greedy, extra_body=extra)
    assert len(completion.choices[0].token_ids) == 24
    assert len(completion.prompt_token_ids) == completion.usage.prompt_tokens


def test_raw_and_streaming_responses(greedy):
    raw = client.chat.completions.with_raw_response.create(**greedy)
    assert int(raw.headers["x-kvasir-seed"]) >= 0
    assert raw.parse().choices[0].message.content.strip()
    with client.chat.completions.with_streaming_response.create(**greedy, stream=True) as response:
        lines = [line for line in response.iter_lines() if line]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert lines[-1] == "data: [DONE]"


def test_models():
    assert [model.id for model in client.models.list()] == [MODEL, EMBEDDING_MODEL]
    assert client.models.retrieve(MODEL).id == MODEL


def test_errors(greedy):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**{**greedy, "temperature": 9})
    assert refused.value.param == "temperature" and refused.value.type == "invalid_request_error"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(**{**greedy, "model": "gpt-0"})
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**greedy, tools=[{"type": "function", "function": {"name": "f"}}])
    assert refused.value.param == "tools" and refused.value.code == "unsupported_parameter"
