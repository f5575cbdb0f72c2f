"""LiteLLM's client, as a program without its proxy uses it. The key and the address come from the environment."""

import base64
import io
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm

BASE = os.environ["OPENAI_BASE_URL"]
KEY = os.environ["OPENAI_API_KEY"]


def generate(model, **more):
    return litellm.image_generation(model=f"openai/{model}", api_base=BASE, api_key=KEY, **more)


def picture(image):
    data = base64.b64decode(image.b64_json)
    assert data.startswith(b"\x89PNG"), data[:16]
    return data


reply = generate("gpt-image-2", prompt="a lighthouse at dusk", size="1024x1024", quality="low", n=2)
first, second = map(picture, reply.data)
assert first != second

# A model that OpenAI does not have.
picture(generate("NBP", prompt="a lake").data[0])

edited = litellm.image_edit(
    model="openai/gpt-image-2", image=io.BytesIO(first), prompt="night", api_base=BASE, api_key=KEY
)
assert picture(edited.data[0]) != first

try:
    generate("gpt-image-2", prompt="x", size="7x7")
    raise AssertionError("a wrong size was taken")
except litellm.BadRequestError as error:
    assert "`size` must be one of" in str(error), error
try:
    generate("nope", prompt="x")
    raise AssertionError("a wrong model was taken")
except litellm.NotFoundError as error:
    assert "there is no model `nope`" in str(error), error

print("passed")
