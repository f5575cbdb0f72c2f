"""OpenAI's SDK for Python, as its users use it. OPENAI_BASE_URL and OPENAI_API_KEY come from the environment."""

import base64
import json
import os
import struct
import zlib

import openai

client = openai.OpenAI()
MODEL = "gpt-image-2"
PNG = b"\x89PNG\r\n\x1a\n"


def png(width, height, alpha):
    """A PNG whose pixels are grey, with the opacity that `alpha` gives at each row."""
    rows = b"".join(b"\0" + bytes([128, 128, 128, alpha(y)]) * width for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def picture(image):
    data = base64.b64decode(image.b64_json)
    assert data.startswith(PNG), data[:16]
    return data


def refused(status, code, **request):
    try:
        client.images.generate(**request)
    except openai.APIStatusError as error:
        assert (error.status_code, error.code) == (status, code), error
        return error
    raise AssertionError(f"{request} was not refused")


# list, retrieve
assert MODEL in [model.id for model in client.models.list()]
assert client.models.retrieve(MODEL).id == MODEL

# generate
reply = client.images.generate(model=MODEL, prompt="a lighthouse at dusk", size="1024x1024", quality="low", n=2)
first, second = map(picture, reply.data)
assert first != second and reply.size == "1024x1024" and reply.quality == "low" and reply.usage.total_tokens == 0
reply = client.images.generate(model=MODEL, prompt="a lake", response_format="url", extra_body={"max_cost": "1"})
assert reply.data[0].url.startswith(os.environ["OPENAI_BASE_URL"].removesuffix("/v1")), reply.data[0].url
raw = client.images.with_raw_response.generate(model=MODEL, prompt="a lake", style="vivid")
assert raw.headers["x-pinhole-adapted"] == "style=dropped" and raw.headers["x-pinhole-mode"] == "test"

# edit: one image, several, with a mask
picture(client.images.edit(model=MODEL, prompt="autumn", image=("a.png", first)).data[0])
mask = png(1024, 1024, lambda y: 0 if y < 512 else 255)
edited = client.images.edit(model=MODEL, prompt="a storm", image=[("a.png", first), ("blob", second)], mask=mask, n=1)
assert picture(edited.data[0]) != first
try:
    client.images.edit(model=MODEL, prompt="a storm", image=first, mask=png(8, 8, lambda y: 0))
    raise AssertionError("a mask of another size was taken")
except openai.BadRequestError as error:
    assert error.param == "mask", error

# files: uploaded once, used by name
file = client.files.create(file=("a.png", first), purpose="vision", expires_after={"anchor": "created_at", "seconds": 3600})
assert (file.filename, file.bytes, file.status) == ("a.png", len(first), "processed"), file
assert file.expires_at - file.created_at == 3600, file
assert client.files.retrieve(file.id) == file
assert file.id in [one.id for one in client.files.list(purpose="vision", limit=1)]
assert client.files.content(file.id).read() == first
named = {"model": MODEL, "prompt": "a storm", "images": [{"file_id": file.id}]}
by_name = client.post("/images/edits", body=named, cast_to=openai.types.ImagesResponse)
assert picture(by_name.data[0]) == picture(client.images.edit(model=MODEL, prompt="a storm", image=first).data[0])
assert client.files.delete(file.id).deleted
try:
    client.post("/images/edits", body=named, cast_to=openai.types.ImagesResponse)
    raise AssertionError("a deleted file was taken")
except openai.BadRequestError as error:
    assert error.param == "images[0].file_id", error
try:
    client.files.create(file=b"%PDF-1.7", purpose="vision")
    raise AssertionError("no image was taken for one")
except openai.BadRequestError as error:
    assert error.param == "file", error

# stream
events = list(client.images.generate(model=MODEL, prompt="a lake", stream=True, partial_images=2))
kinds = [event.type.removeprefix("image_generation.") for event in events]
assert kinds == ["partial_image", "partial_image", "completed"], kinds
assert [event.partial_image_index for event in events[:2]] == [0, 1]
picture(events[2])
events = list(client.images.edit(model=MODEL, prompt="a lake", image=first, stream=True))
assert [event.type for event in events] == ["image_edit.completed"]

# chat: in one piece, in pieces, broken off
TALKS = "gemini-3.5-flash"
url = "data:image/png;base64," + base64.b64encode(png(8, 4, lambda y: 255)).decode()
messages = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
    ]},
]
chat = client.chat.completions.create(
    model=TALKS, messages=messages, n=1, max_tokens=1_000_000, response_format={"type": "json_object"}
)
received = json.loads(chat.choices[0].message.content)["received"]
assert (received["images"][0]["width"], received["images"][0]["height"]) == (8, 4), received
assert received["settings"] == {"image_detail": "low", "max_tokens": 65536}, received
assert chat.choices[0].finish_reason == "stop" and chat.usage.total_tokens == 0
chunks = list(client.chat.completions.create(
    model=TALKS, messages=messages, stream=True, max_completion_tokens=20, stream_options={"include_usage": True}
))
assert chunks[0].choices[0].delta.role == "assistant"
*pieces, last, counted = chunks
words = "".join(chunk.choices[0].delta.content for chunk in pieces).split()
assert len(words) == 20, words
assert last.choices[0].finish_reason == "length" and counted.choices == [] and counted.usage.total_tokens == 0
with client.chat.completions.stream(model=TALKS, messages=messages) as stream:
    assert "canned" in stream.get_final_completion().choices[0].message.content
broken = [{"role": "user", "content": "[pinhole:partial=1/2] x"}]
try:
    list(client.chat.completions.create(model=TALKS, messages=broken, stream=True))
    raise AssertionError("a text that broke off was taken for a whole one")
except openai.APIError as error:
    assert "upstream broke off" in str(error), error
for wrong, param in [({"model": MODEL}, "model"), ({"messages": []}, "prompt"), ({"temperature": 3}, "temperature")]:
    try:
        client.chat.completions.create(**{"model": TALKS, "messages": messages, **wrong})
        raise AssertionError(f"{wrong} was taken")
    except openai.BadRequestError as error:
        assert error.param == param, error
# give up and send again: the SDK's own timeout and retries, and one task
def tasks():
    total = client.get("/usage", cast_to=dict)["total"]
    return total["completed"] + total["failed"]


before = tasks()
hasty = client.with_options(timeout=0.3, max_retries=8)
picture(hasty.images.generate(model="sketch", prompt="[pinhole:delay=1s] a lake", size="64x64").data[0])
assert tasks() == before + 1, (before, tasks())

# fail: by name, final, late in a stream
refused(404, "model_not_found", model="nope", prompt="x")
assert refused(400, "out_of_range", model=MODEL, prompt="x", n=11).param == "n"
refused(400, "content_policy_violation", model=MODEL, prompt="[pinhole:fail=content_policy] x")
refused(504, "outcome_unknown", model=MODEL, prompt="[pinhole:fail=unknown] x")
try:
    list(client.images.generate(model=MODEL, prompt="[pinhole:delay=6s][pinhole:fail=upstream] x", stream=True))
    raise AssertionError("a late failure was not seen")
except openai.APIError as error:
    assert "upstream failed" in str(error), error
try:
    openai.OpenAI(api_key="sk-wrong").models.list()
    raise AssertionError("a wrong key was taken")
except openai.AuthenticationError as error:
    assert error.code == "invalid_api_key", error

print("passed")
