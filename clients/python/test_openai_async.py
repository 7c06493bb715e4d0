"""The asynchronous client of OpenAI."""
import asyncio

from conftest import BASE_URL, MODEL
from openai import AsyncOpenAI


def test_many_at_once(greedy):
    async def ask():
        async with AsyncOpenAI(base_url=BASE_URL, api_key="none", max_retries=0) as client:
            return await asyncio.gather(*(client.chat.completions.create(**greedy) for _ in range(8)))

    texts = {completion.choices[0].message.content for completion in asyncio.run(ask())}
    assert len(texts) == 1


def test_stream_and_helper(greedy):
    async def ask():
        async with AsyncOpenAI(base_url=BASE_URL, api_key="none", max_retries=0) as client:
            text = ""
            # The helper takes an answer that was cut off for one that cannot be parsed.
            chat = {**greedy, "max_tokens": 200, "stop": "\n"}
            async for chunk in await client.chat.completions.create(**chat, stream=True):
                text += chunk.choices[0].delta.content or ""
            async with client.chat.completions.stream(**chat) as stream:
                final = await stream.get_final_completion()
            return text, final.choices[0].message.content

    text, final = asyncio.run(ask())
    assert text and text == final


def test_leaving_a_stream_early(greedy):
    async def ask():
        async with AsyncOpenAI(base_url=BASE_URL, api_key="none", max_retries=0) as client:
            body = {"model": MODEL, "prompt": "On and on", "max_tokens": 4000}
            stream = await client.completions.create(**body, stream=True, extra_body={"ignore_eos": True})
            async for _ in stream:
                break
            await stream.close()
            return (await client.chat.completions.create(**greedy)).choices[0].message.content

    assert asyncio.run(ask())
