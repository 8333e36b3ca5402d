"""vLLM's own application with Stillwatch named as `--middleware`, a stand-in for its engine, and official calls.

Run by the Python of an environment that has vLLM, with the state folder and a key as arguments; prints one JSON object.
vLLM's argument parser, `build_app`, routes, error handlers and middleware loader are its own; no model is loaded.
"""

import asyncio
import json
import os
import sys
import threading
import time
import warnings
from typing import Any

warnings.simplefilter("ignore")
STATE, KEY = sys.argv[1:3]
os.environ |= {"STILLWATCH_STATE": STATE, "VLLM_LOGGING_LEVEL": "ERROR"}

import httpx  # noqa: E402
import openai  # noqa: E402
import uvicorn  # noqa: E402
import vllm  # noqa: E402
from vllm import platforms  # noqa: E402
from vllm.platforms.cpu import CpuPlatform  # noqa: E402

platforms._current_platform = CpuPlatform()

from vllm.entrypoints.common.cli_args import make_arg_parser  # noqa: E402
from vllm.entrypoints.launchers.app import build_app  # noqa: E402
from vllm.entrypoints.openai.chat_completion import protocol  # noqa: E402
from vllm.entrypoints.serve.engine.protocol import ErrorInfo, ErrorResponse, UsageInfo  # noqa: E402
from vllm.utils.argparse_utils import FlexibleArgumentParser  # noqa: E402


class Serving:
    """Answers in the place of the engine, through the handlers that vLLM has for it."""

    async def create_chat_completion(self, request: Any, raw: Any) -> Any:
        """Answer whole or in chunks, refuse, or break, as the words ask."""
        asked = request.messages[-1]["content"]
        if asked == "refuse":
            return ErrorResponse(error=ErrorInfo(message="too long", type="BadRequestError", code=400))
        if asked == "break":
            raise RuntimeError("the engine died")
        if request.stream:
            return self._chunks(request.model)
        message = protocol.ChatMessage(role="assistant", content="one two three")
        return protocol.ChatCompletionResponse(
            model=request.model, usage=UsageInfo(prompt_tokens=3, completion_tokens=3, total_tokens=6),
            choices=[protocol.ChatCompletionResponseChoice(index=0, message=message, finish_reason="stop")],
        )  # fmt: skip

    async def _chunks(self, model: str) -> Any:
        for word in ("one ", "two ", "three"):
            delta = protocol.DeltaMessage(content=word)
            choice = protocol.ChatCompletionResponseStreamChoice(index=0, delta=delta)
            chunk = protocol.ChatCompletionStreamResponse(model=model, choices=[choice])
            yield f"data: {chunk.model_dump_json(exclude_unset=True)}\n\n"
            await asyncio.sleep(0.02)
        yield "data: [DONE]\n\n"


def status_of(client: openai.OpenAI, words: str) -> int:
    """Return the status of a call that fails."""
    try:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": words}])
    except openai.APIStatusError as error:
        return error.status_code
    return 200


def main() -> None:
    """Serve, ask, tell."""
    parser = make_arg_parser(FlexibleArgumentParser())
    app = build_app(
        parser.parse_args(["--model", "m", "--middleware", "stillwatch.app.middleware.StillwatchMiddleware"]),
        ("generate",),
    )
    app.state.openai_serving_chat = Serving()
    app.state.enable_server_load_tracking = app.state.log_stats = False
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            sys.exit("vLLM's application did not start")
        time.sleep(0.05)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    hello: Any = [{"role": "user", "content": "hello"}]
    chunks = client.chat.completions.create(model="m", messages=hello, stream=True)
    told = {
        "vllm": vllm.__version__,
        "added": [one.cls.__name__ for one in app.user_middleware],
        "whole": client.chat.completions.create(model="m", messages=hello).choices[0].message.content,
        "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks),
        "refused": status_of(client, "refuse"),
        "broken": status_of(client, "break"),
        "no_key": status_of(openai.OpenAI(base_url=f"{url}/v1", api_key="sk-none", max_retries=0), "hello"),
        "batch": httpx.post(f"{url}/v1/chat/completions/batch", json={"model": "m", "messages": [hello]}).status_code,
        "paths": sorted({route.path for route in app.routes if getattr(route, "methods", None)}),
    }
    server.should_exit = True
    thread.join(20.0)
    print(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)  # whatever threads vLLM has


if __name__ == "__main__":
    main()
