"""What a language model's answer looks like on the wire, in the five forms of its API: events and their timing on the
server's side, requests and their reading on the client's.

A `Plan` says what is answered (how many tokens of prose, then perhaps a tool call); `stream()` turns it into (delay,
bytes) pairs by a model's parameters (models.yaml), `whole()` into one JSON body. The words are ledger prose: no size or
timing hangs on their meaning.
"""

import json
import random
import string
from dataclasses import dataclass

import yaml

VOCABULARY = (
    " the of and to a in is for that with as on are this be or from we an it by if not check next file list test host "
    "query result error service account ledger branch balance transfer settlement risk limit report quarter portfolio "
    "function return value import config module update version package request response status table column index"
).split()
IDENTIFIER = string.ascii_letters + string.digits
OUTPUT_TOKENS = {"tool": (45, 0.6), "answer": (260, 0.55), "chat": (330, 0.6), "short": (25, 0.4), "summary": (500, 0.3)}


@dataclass
class Plan:
    tokens: int  # of prose
    tool: str = ""  # name of the tool called after it
    arguments: str = ""
    generate: bool = False  # Ollama's older interface: "response" in place of "message"


@dataclass
class Model:
    name: str
    form: str
    ttft_s: float
    ttft_sigma: float
    prefill_s_per_kb: float
    tokens_per_s: float
    gap_sigma: float
    tokens_per_event: int
    joined: float
    padding: int
    think_s: float
    source: str


def models(path):
    """{name: Model} of both sets, and {name: set}."""
    with open(path) as file:
        sets = yaml.safe_load(file)
    found = {name: Model(name=name, **row) for rows in sets.values() for name, row in rows.items()}
    return found, {name: which for which, rows in sets.items() for name in rows}


def plan(request, rng):
    """What the model answers. The request's metadata say what kind the script expects ("tool:NAME" or a kind of
    OUTPUT_TOKENS): they stand in for the model's mind."""
    want = (request.get("metadata") or {}).get("want", "answer")
    kind, _, tool = want.partition(":")
    median, sigma = OUTPUT_TOKENS.get(kind, OUTPUT_TOKENS["answer"])
    tokens = max(3, round(median * rng.lognormvariate(0, sigma)))
    arguments = json.dumps({"command": words(rng, rng.randint(3, 18)), "timeout": rng.randint(5, 120)}) if tool else ""
    return Plan(tokens, tool, arguments)


def words(rng, n):
    return " ".join(rng.choices(VOCABULARY, k=n))


def token(rng):
    return (" " if rng.random() < 0.8 else "") + rng.choice(VOCABULARY)


def pieces(answer, size, rng):
    """(kind, text) of each event: prose in pieces of *size* tokens, then the call's arguments."""
    left = answer.tokens
    while left > 0:
        n = min(left, size if size == 1 else max(1, round(size * rng.uniform(0.5, 1.5))))
        yield "text", "".join(token(rng) for _ in range(n)), n
        left -= n
    step = 4 * size
    for at in range(0, len(answer.arguments), step):
        yield "tool", answer.arguments[at:at + step], size


def stream(model, answer, prompt_bytes, rng):
    """(seconds to wait, bytes to send) until the answer is complete."""
    form = FORMS[model.form](model, answer, rng)
    first = model.ttft_s * rng.lognormvariate(0, model.ttft_sigma) + model.prefill_s_per_kb * prompt_bytes / 1000
    if model.think_s:
        first += model.think_s * rng.lognormvariate(0, 0.6)
    yield first, form.begin()
    held = b""
    wait = 0.0
    for kind, text, n in pieces(answer, model.tokens_per_event, rng):
        wait += n / model.tokens_per_s * rng.lognormvariate(0, model.gap_sigma) / 2.718281828**(model.gap_sigma**2 / 2)
        held += form.event(kind, text)
        if rng.random() < model.joined:
            continue
        yield wait, held
        held, wait = b"", 0.0
    yield wait, held + form.end()


def whole(model, answer, prompt_bytes, rng):
    """The same answer unstreamed: (seconds of silence, body)."""
    waits, text = 0.0, ""
    for wait, _ in stream(model, answer, prompt_bytes, rng):
        waits += wait
    for kind, piece, _ in pieces(answer, 8, rng):
        text += piece if kind == "text" else ""
    return waits, FORMS[model.form](model, answer, rng).body(text)


class _Form:
    media_type = "text/event-stream; charset=utf-8"

    def __init__(self, model, answer, rng):
        self.model, self.answer, self.rng = model, answer, rng
        self.id = "".join(rng.choices(IDENTIFIER, k=29))
        self.count = 0
        self.created = 1795500000 + rng.randrange(10**6)

    def begin(self):
        return b""

    def end(self):
        return b""

    def obfuscation(self):
        if not self.model.padding:
            return {}
        return {"obfuscation": "".join(self.rng.choices(IDENTIFIER, k=self.rng.randint(1, self.model.padding)))}

    @staticmethod
    def sse(data, name=""):
        text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
        return ((f"event: {name}\n" if name else "") + f"data: {text}\n\n").encode()


class OpenAiChat(_Form):

    def _chunk(self, delta, finish=None):
        return self.sse({
            "id": f"chatcmpl-{self.id}", "object": "chat.completion.chunk", "created": self.created,
            "model": self.model.name, "service_tier": "default", "system_fingerprint": f"fp_{self.id[:10].lower()}",
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], **self.obfuscation()
        })

    def begin(self):
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def event(self, kind, text):
        if kind == "text":
            return self._chunk({"content": text})
        self.count += 1
        call = {"index": 0, "function": {"arguments": text}}
        if self.count == 1:
            call.update(id=f"call_{self.id[:24]}", type="function")
            call["function"]["name"] = self.answer.tool
        return self._chunk({"tool_calls": [call]})

    def end(self):
        return self._chunk({}, "tool_calls" if self.answer.tool else "stop") + self.sse("[DONE]")

    def body(self, text):
        message = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
        if self.answer.tool:
            call = {"name": self.answer.tool, "arguments": self.answer.arguments}
            message["tool_calls"] = [{"id": f"call_{self.id[:24]}", "type": "function", "function": call}]
        return json.dumps({
            "id": f"chatcmpl-{self.id}", "object": "chat.completion", "created": self.created,
            "model": self.model.name, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {
                "prompt_tokens": 900, "completion_tokens": self.answer.tokens, "total_tokens": 900 + self.answer.tokens
            }
        }).encode()


class OpenAiResponses(_Form):

    def _event(self, name, **fields):
        self.count += 1
        return self.sse({"type": name, "sequence_number": self.count, **fields}, name)

    def _response(self, status, output=()):
        return {
            "id": f"resp_{self.id}", "object": "response", "created_at": self.created, "status": status,
            "error": None, "instructions": None, "model": self.model.name, "output": list(output),
            "parallel_tool_calls": True, "previous_response_id": None, "reasoning": {"effort": None, "summary": None},
            "store": True, "temperature": 1.0, "tool_choice": "auto", "truncation": "disabled", "metadata": {}
        }

    def begin(self):
        return self._event("response.created", response=self._response("in_progress")) + self._event(
            "response.in_progress", response=self._response("in_progress"))

    def event(self, kind, text):
        if kind == "text":
            return self._event("response.output_text.delta", item_id=f"msg_{self.id}", output_index=0, content_index=0,
                               delta=text, logprobs=[], **self.obfuscation())
        return self._event("response.function_call_arguments.delta", item_id=f"fc_{self.id}", output_index=1,
                           delta=text, **self.obfuscation())

    def end(self):
        return self._event("response.output_text.done", item_id=f"msg_{self.id}", output_index=0, content_index=0,
                           text="") + self._event("response.completed", response=self._response("completed"))

    def body(self, text):
        output = [{
            "id": f"msg_{self.id}", "type": "message", "role": "assistant",
            "content": [{"type": "output_text", "annotations": [], "text": text}]
        }]
        if self.answer.tool:
            output.append({
                "id": f"fc_{self.id}", "type": "function_call", "name": self.answer.tool,
                "arguments": self.answer.arguments
            })
        return json.dumps(self._response("completed", output)).encode()


class Anthropic(_Form):

    def _event(self, name, **fields):
        return self.sse({"type": name, **fields}, name)

    def _message(self, content=()):
        return {
            "id": f"msg_01{self.id[:22]}", "type": "message", "role": "assistant", "model": self.model.name,
            "content": list(content), "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": 900, "cache_read_input_tokens": 0, "output_tokens": self.answer.tokens}
        }

    def begin(self):
        return self._event("message_start", message=self._message()) + self._event(
            "content_block_start", index=0, content_block={"type": "text", "text": ""}) + self._event("ping")

    def event(self, kind, text):
        if kind == "text":
            return self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
        head = b""
        if not self.count:
            block = {"type": "tool_use", "id": f"toolu_01{self.id[:22]}", "name": self.answer.tool, "input": {}}
            head = self._event("content_block_stop", index=0) + self._event("content_block_start", index=1,
                                                                            content_block=block)
        self.count += 1
        return head + self._event("content_block_delta", index=1, delta={
            "type": "input_json_delta", "partial_json": text
        })

    def end(self):
        stop = {"stop_reason": "tool_use" if self.answer.tool else "end_turn", "stop_sequence": None}
        return self._event("content_block_stop", index=1 if self.count else 0) + self._event(
            "message_delta", delta=stop, usage={"output_tokens": self.answer.tokens}) + self._event("message_stop")

    def body(self, text):
        content = [{"type": "text", "text": text}]
        if self.answer.tool:
            content.append({"type": "tool_use", "id": f"toolu_01{self.id[:22]}", "name": self.answer.tool,
                            "input": json.loads(self.answer.arguments)})
        return json.dumps(self._message(content)).encode()


class Gemini(_Form):

    def _answer(self, part, finish=None):
        candidate = {"content": {"parts": [part], "role": "model"}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        self.count += 1
        return {
            "candidates": [candidate], "usageMetadata": {
                "promptTokenCount": 900, "candidatesTokenCount": self.count, "totalTokenCount": 900 + self.count,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 900}]
            }, "modelVersion": self.model.name, "responseId": self.id[:22]
        }

    def event(self, kind, text):
        if kind == "text":
            return self.sse(self._answer({"text": text}))
        return b""  # a call comes whole, with the end

    def end(self):
        part = {"text": ""}
        if self.answer.tool:
            part = {"functionCall": {"name": self.answer.tool, "args": json.loads(self.answer.arguments)}}
        return self.sse(self._answer(part, "STOP"))

    def body(self, text):
        return json.dumps(self._answer({"text": text}, "STOP")).encode()


class Ollama(_Form):
    media_type = "application/x-ndjson"

    def _line(self, message, done=False, **fields):
        self.count += 1
        stamp = f"2026-11-24T10:{self.count // 3600 % 60:02d}:{self.count // 60 % 60:02d}.{self.rng.randrange(10**9):09d}Z"
        said = {"response": message["content"]} if self.answer.generate else {"message": message}
        return json.dumps({"model": self.model.name, "created_at": stamp, **said, "done": done, **fields},
                          separators=(",", ":")).encode() + b"\n"

    def event(self, kind, text):
        return self._line({"role": "assistant", "content": text}) if kind == "text" else b""

    def end(self):
        lines = b""
        if self.answer.tool:
            call = {"function": {"name": self.answer.tool, "arguments": json.loads(self.answer.arguments)}}
            lines = self._line({"role": "assistant", "content": "", "tool_calls": [call]})
        return lines + self._line({"role": "assistant", "content": ""}, True, done_reason="stop",
                                  total_duration=self.rng.randrange(10**10), eval_count=self.answer.tokens)

    def body(self, text):
        return self._line({"role": "assistant", "content": text}, True, done_reason="stop")


FORMS = {
    "openai-chat": OpenAiChat, "openai-responses": OpenAiResponses, "anthropic": Anthropic, "gemini": Gemini,
    "ollama": Ollama
}

# The client's side


def path_of(form, model, streamed=True, generate=False):
    if form == "gemini":
        return f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if streamed else "generateContent")
    return {
        "openai-chat": "/v1/chat/completions", "openai-responses": "/v1/responses", "anthropic": "/v1/messages",
        "ollama": "/api/generate" if generate else "/api/chat"
    }[form]


def form_of(path):
    """The form a request's path asks for, or None."""
    bare = path.split("?")[0]
    if bare.endswith(":streamGenerateContent") or bare.endswith(":generateContent"):
        return "gemini"
    return {
        "/v1/chat/completions": "openai-chat", "/v1/responses": "openai-responses", "/v1/messages": "anthropic",
        "/api/chat": "ollama", "/api/generate": "ollama"
    }.get(bare)


def wants_stream(path, request):
    if form_of(path) == "gemini":
        return "streamGenerateContent" in path
    return bool(request.get("stream", form_of(path) == "ollama"))


def headers_of(form):
    common = {"accept": "text/event-stream" if form == "anthropic" else "application/json",
              "content-type": "application/json", "user-agent": "agent-runtime/1.4"}
    key = "".join(random.Random(form).choices(IDENTIFIER, k=90))
    if form == "anthropic":
        return {**common, "x-api-key": f"sk-ant-{key}", "anthropic-version": "2023-06-01"}
    if form == "gemini":
        return {**common, "x-goog-api-key": key[:39]}
    if form == "ollama":
        return common
    return {**common, "authorization": f"Bearer sk-proj-{key}"}


def request_of(form, model, system, tools, messages, want, streamed=True, previous=None):
    """The JSON of one turn: the whole context again, or (openai-responses with *previous*) only what is new."""
    described = [{"name": name, "description": text, "parameters": {"type": "object", "properties": {
        "command": {"type": "string", "description": text}, "timeout": {"type": "integer"}}}} for name, text in tools]
    metadata = {"metadata": {"want": want}}
    if form == "openai-responses":
        body = {"model": model, "stream": streamed, "input": messages, **metadata}
        if previous:
            return {**body, "previous_response_id": previous}
        return {**body, "instructions": system, "tools": [{"type": "function", **tool} for tool in described]}
    if form == "anthropic":
        return {"model": model, "max_tokens": 8192, "stream": streamed, "system": system, "messages": messages,
                "tools": [{"name": t["name"], "description": t["description"], "input_schema": t["parameters"]}
                          for t in described], **metadata}
    if form == "gemini":
        return {"systemInstruction": {"parts": [{"text": system}]}, "tools": [{"functionDeclarations": described}],
                "contents": [{"role": m["role"], "parts": [{"text": m["content"]}]} for m in messages], **metadata}
    whole_context = [{"role": "system", "content": system}] + messages
    body = {"model": model, "stream": streamed, "messages": whole_context,
            "tools": [{"type": "function", "function": tool} for tool in described], **metadata}
    return {**body, "stream_options": {"include_usage": True}} if form == "openai-chat" else body
