"""What schemathesis needs for a run that is short and draws few pictures."""

import schemathesis

DIRECTIVE = "[pinhole:fail=content_policy]"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Without the rules for edits, which are more than its generator can turn round.

    What remains says less, so whatever it refuses the service must refuse too.
    """
    for name, schema in raw_schema["components"]["schemas"].items():
        for keyword in ("if", "then", "else"):
            schema.pop(keyword, None)
        if name.startswith("Edit.") or name in ("ChatEdit", "DashScopeEdit"):
            # The second says that there is a picture.
            del schema["allOf"][1]


@schemathesis.hook
def before_call(context, case, kwargs):
    """What is accepted is to be refused by moderation afterwards, before anything is drawn."""
    body = case.body
    if not isinstance(body, dict):
        return
    if isinstance(body.get("prompt"), str) and body["prompt"]:
        body["prompt"] = DIRECTIVE + body["prompt"][:500]
    elif "prompt" not in body and ("messages" in body or "input" in body):
        # A prompt at the top wins over the messages'.
        body["prompt"] = DIRECTIVE
