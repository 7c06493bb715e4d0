"""Reads a server's URL from stdin and prints the status of each answer that the client gets until it has what it asked for."""
import os

import httpx
from openai import OpenAI


def show(response: httpx.Response) -> None:
    print(response.status_code, flush=True)
    if response.status_code == 429:
        assert int(response.headers["retry-after"]) >= 1


def ask(base_url: str, **options):
    client = OpenAI(base_url=f"{base_url}/v1", api_key="none", max_retries=3, **options)
    return client.completions.create(model=os.environ["KVASIR_SERVED"], prompt="Hello", max_tokens=4)


# The first request loads what the client loads late.
ask(os.environ["KVASIR_URL"])
print("loaded", flush=True)
completion = ask(input(), http_client=httpx.Client(event_hooks={"response": [show]}))
print(f"answered with {completion.usage.completion_tokens} tokens")
